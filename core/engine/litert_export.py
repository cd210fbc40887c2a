"""LiteRT (`.tflite`), written by TensorFlow's converter with LiteRT's own operators only.

Keras's `export_litert` (3.15) allows TensorFlow's further operators ("Flex"), which LiteRT cannot run by itself: a
recurrent layer with an open batch size then makes a file that no interpreter opens. Here such a model is written for
one sample at a time, if that does without them, and refused otherwise. Variables are written as constants.
"""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.lite.python.convert import ConverterError
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from core.engine.traced import Signature, concrete, signature
from core.errors import FileError
from core.model.graph import Graph
from core.rules.base import Array

_OPERATOR = re.compile(r"'tf\.(\w+)' op")
_LAYER = re.compile(r'fused\["\w+:", "([^"@]+)')


def write_litert(model: keras.Model, graph: Graph, place: Path, given: Mapping[str, Array]) -> None:
    """Write the model, with an open batch size if LiteRT can run it so, else for one sample.

    Raises `FileError` with the operators and the layer that LiteRT cannot run, `Unrunnable`.
    """
    try:
        made = _converted(model, signature(model, graph, given))
    except ConverterError:
        try:
            made = _converted(model, signature(model, graph, given, batch=1))
        except ConverterError as error:
            raise _refused(str(error), place) from error
    place.write_bytes(made)


def _refused(told: str, place: Path) -> FileError:
    names = sorted(set(_OPERATOR.findall(told)))
    where = next((one.partition("/")[2].rpartition("/")[0] for one in _LAYER.findall(told) if "/" in one), "")
    what = f"LiteRT has no operator for {', '.join(names[:3])}" if names else "LiteRT's converter refuses this model"
    return FileError(
        f"{what}{f' in {where}' if where else ''}, so the model cannot be exported to LiteRT; try ONNX.",
        path=str(place),
    )


def _converted(model: keras.Model, wanted: Signature) -> bytes:
    frozen = convert_variables_to_constants_v2(concrete(model, wanted), lower_control_flow=False)

    def serve(**inputs: Any) -> dict[str, Any]:
        return dict(zip(wanted.outputs, frozen(*(inputs[name] for name in wanted.inputs)), strict=True))

    function = tf.function(serve, autograph=False).get_concrete_function(**wanted.inputs)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(tf.Module(), folder, signatures={"serving_default": function})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converted: bytes = converter.convert()
    return converted
