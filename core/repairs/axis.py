"""`axis` as a list of one number, which Keras 2 wrote for BatchNormalization."""

from core.repairs.base import Change, Config, Dialect, Repair, with_config

_CLASSES = ("BatchNormalization", "SyncBatchNormalization", "Softmax")


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    axis = layer["config"].get("axis")
    if isinstance(axis, dict):
        axis = axis.get("items", (axis.get("config") or {}).get("value"))
    if layer["class_name"] not in _CLASSES or not isinstance(axis, list) or len(axis) != 1 or type(axis[0]) is not int:
        return None
    return Change(with_config(layer, {**layer["config"], "axis": axis[0]}), f"axis [{axis[0]}] is now {axis[0]}")


REPAIR = Repair("axis", "Axis given as a list", _apply)
