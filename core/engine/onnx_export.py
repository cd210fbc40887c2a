"""ONNX, written by tf2onnx from TensorFlow's graph, with the names of the model's own inputs and outputs.

Keras's `export_onnx` (3.15) hands tf2onnx a function whose constants outside of variables (the statistics of a
Normalization) become further inputs, and exact GELU an operator `Erfc`, which ONNX does not have. Here such constants
are written into the graph first, and `erfc(x)` is `1 - erf(x)`.
"""

import importlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from core.engine.traced import Signature, concrete
from core.errors import FileError

NEWEST = 18
"""The newest operator set that tf2onnx (1.17) writes; `keras.src.export` leaves it at 15."""


def write_onnx(model: keras.Model, wanted: Signature, place: Path, about: Mapping[str, str]) -> None:
    """Write the model with `about` as its metadata. Raises `FileError` for what ONNX has no operator for."""
    tf2onnx: Any = importlib.import_module("tf2onnx")
    patch: Any = importlib.import_module("keras.src.export.tf2onnx_lib")
    patch.patch_tf2onnx()
    _know_erfc()
    traced = concrete(model, wanted)
    frozen = convert_variables_to_constants_v2(traced, lower_control_flow=False, aggressive_inlining=True)
    definition = _with_constants(traced, frozen.graph.as_graph_def(add_shapes=True))
    inputs = [tensor.name for tensor in frozen.inputs[: len(wanted.inputs)]]
    outputs = [tensor.name for tensor in frozen.outputs]
    proto, _ = tf2onnx.convert.from_graph_def(
        definition,
        name=model.name,
        input_names=inputs,
        output_names=outputs,
        opset=NEWEST,
        tensors_to_rename=dict(zip((*inputs, *outputs), (*wanted.inputs, *wanted.outputs), strict=True)),
    )
    unknown = _absent(proto)
    if unknown:
        raise FileError(
            f"ONNX has no operator for {', '.join(unknown)}, which this model needs, so it cannot be exported.",
            path=str(place),
        )
    _name_sizes(proto)
    for key, value in about.items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value
    place.write_bytes(proto.SerializeToString())


def _with_constants(traced: Any, definition: Any) -> Any:
    """The graph with tensors from outside as constants: they would have to be fed at each run."""
    held = {
        inside.op.name: outside
        for outside, inside in traced.graph.captures
        if outside.dtype not in (tf.resource, tf.variant) and hasattr(outside, "numpy")
    }
    for node in definition.node:
        if node.op == "Placeholder" and node.name in held:
            value = tf.make_tensor_proto(held[node.name].numpy())
            node.op = "Const"
            node.ClearField("attr")
            node.attr["dtype"].type = value.dtype
            node.attr["value"].tensor.CopyFrom(value)
    return definition


@cache
def _know_erfc() -> None:
    """Teach tf2onnx, once, what `Erfc` is; its table of operators is the module's own."""
    handler: Any = importlib.import_module("tf2onnx.handler")

    class Erfc:
        """`1 - erf(x)`, with the operators of opset 9."""

        @classmethod
        def version_9(cls, ctx: Any, node: Any, **_: Any) -> None:
            """Rewrite one node."""
            dtype, name = ctx.get_dtype(node.output[0]), node.name
            erf = ctx.make_node("Erf", [node.input[0]], name=f"{name}/erf")
            one = ctx.make_const(f"{name}/one", np.ones((), _numpy(dtype)))
            shape = ctx.get_shape(node.output[0])
            outputs = list(node.output)
            ctx.remove_node(name)
            terms = [one.output[0], erf.output[0]]
            ctx.make_node("Sub", terms, name=name, outputs=outputs, shapes=[shape], dtypes=[dtype])

    handler.tf_op("Erfc")(Erfc)


def _numpy(dtype: int) -> Any:
    helper: Any = importlib.import_module("onnx.helper")
    return helper.tensor_dtype_to_np_dtype(dtype)


def _absent(proto: Any) -> list[str]:
    """Operators that ONNX does not have: tf2onnx passes on what it cannot convert."""
    defs: Any = importlib.import_module("onnx.defs")
    known = {(schema.domain, schema.name) for schema in defs.get_all_schemas()}
    used = {("" if node.domain == "ai.onnx" else node.domain, node.op_type) for node in proto.graph.node}
    return sorted(name for domain, name in used - known)


def _name_sizes(proto: Any) -> None:
    """Open sizes by name: `batch`, else the tensor's name and the axis. Outputs share the batch's name."""
    for tensor in (*proto.graph.input, *proto.graph.output):
        for axis, size in enumerate(tensor.type.tensor_type.shape.dim):
            if not size.HasField("dim_value") or size.dim_value < 0:
                size.dim_param = "batch" if axis == 0 else f"{tensor.name}_{axis}"
