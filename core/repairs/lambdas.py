"""Lambda layers: their code in the form Keras 3 writes, without the fields it no longer has. The code is never run."""

from typing import Any

from core.repairs.base import Change, Config, Dialect, Repair, with_config, without

_DROPPED = ("function_type", "module", "output_shape_type", "output_shape_module")


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    config = layer["config"]
    if layer["class_name"] != "Lambda":
        return None
    dropped = [field for field in _DROPPED if field in config]
    function = _function(config.get("function"))
    if not dropped and function == config.get("function"):
        return None
    shape = config.get("output_shape")
    fields = {**without(config, *_DROPPED), "function": function}
    if isinstance(shape, list) and shape and isinstance(shape[0], str):
        fields["output_shape"] = _function(shape)
    return Change(with_config(layer, fields), "its stored code was converted to the Keras 3 format")


def _function(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 3:
        fields = {"code": value[0], "defaults": value[1], "closure": value[2]}
        return {"class_name": "__lambda__", "config": fields}
    return value


REPAIR = Repair("lambda", "Lambda layers of Keras 1 and 2", _apply)
