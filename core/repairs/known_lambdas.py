"""Lambda layers whose stored code computes something Keras 3 has a layer or operations for, put in their place.

The code is read, never run. What is not recognised beyond doubt stays a Lambda, which stays opaque.
"""

from typing import Any

from core.bytecode.formulas import Formula
from core.bytecode.replacement import described, replacement
from core.bytecode.stored import Stored, formula, stored_function
from core.findings import Finding
from core.model.calls import is_leaf, is_legacy_node
from core.repairs.base import Change, Config, Dialect, Repair
from core.repairs.modules import is_own


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    if layer["class_name"] != "Lambda" or not is_own(layer.get("module")):
        return None
    config = layer["config"]
    inputs = lambda_inputs(layer)
    if inputs is None or not _is_plain(config):
        return None
    stored = stored_function(config)
    found = formula(stored, inputs)
    if found is None or not found.certain:
        return None
    name = str(layer.get("name") or config.get("name"))
    entry = replacement(found, name, _dtype(config))
    if entry["class_name"] == "Functional" and len(layer.get("inbound_nodes") or ()) > 1:
        # old files count the calls of models in another way than those of layers
        return None
    fresh: Config = {**{key: layer[key] for key in ("name", "inbound_nodes") if key in layer}, **entry}
    if "inbound_nodes" in fresh:
        fresh["inbound_nodes"] = [_without_mask(node) for node in fresh["inbound_nodes"]]
    if entry["class_name"] != "Functional":
        fresh["config"] = {**entry["config"], **{key: config[key] for key in _KEPT if key in config}}
    said = f"{found.text} is now {described(entry)}"
    return Change(fresh, said, (_finding(stored, found, described(entry)),))


def _finding(stored: Stored, found: Formula, instead: str) -> Finding:
    return Finding(
        "info",
        "code.lambda",
        "",
        f"{{layer}} was a Lambda layer with {stored.size} bytes of stored Python code, which computes {found.text}. "
        f"It was replaced by {instead}; the code is no longer needed.",
        detail=stored.listing(),
    )


_KEPT = ("batch_input_shape", "input_dtype", "trainable")


def _is_plain(config: Config) -> bool:
    """Whether the layer does nothing but call its function, in float32."""
    return config.get("mask") is None and _dtype_name(config.get("dtype")) in (None, "float32")


def _dtype(config: Config) -> Any:
    return "float32" if _dtype_name(config.get("dtype")) == "float32" else None


def _dtype_name(dtype: Any) -> Any:
    if isinstance(dtype, dict):
        inner = dtype.get("config")
        return inner.get("name") if isinstance(inner, dict) else "unknown"
    return dtype


def lambda_inputs(layer: Config) -> int | None:
    """How many tensors the layer gets: 0 for one tensor, else the length of the list; `None` where calls differ."""
    counts = {_count(node) for node in layer.get("inbound_nodes") or ()}
    if not counts:
        return 0
    return counts.pop() if len(counts) == 1 else None


def _count(node: Any) -> int | None:
    if is_legacy_node(node):
        tensors = [node] if is_leaf(node) else node
        if not tensors or not all(is_leaf(one) and (len(one) == 3 or not one[3]) for one in tensors):
            return None
        return 0 if len(tensors) == 1 else len(tensors)
    args = node.get("args") if isinstance(node, dict) else None
    # Keras 3 writes the mask argument even where there is none
    if not isinstance(args, list) or len(args) != 1 or any(value is not None for value in node["kwargs"].values()):
        return None
    if isinstance(args[0], list):
        return len(args[0]) if all(map(_is_tensor, args[0])) and len(args[0]) > 1 else None
    return 0 if _is_tensor(args[0]) else None


def _without_mask(node: Any) -> Any:
    return {**node, "kwargs": {}} if isinstance(node, dict) else node


def _is_tensor(value: Any) -> bool:
    return isinstance(value, dict) and value.get("class_name") == "__keras_tensor__"


REPAIR = Repair("known lambda", "Lambda layers replaced by Keras layers", _apply)
