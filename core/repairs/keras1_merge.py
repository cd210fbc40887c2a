"""Keras 1's `Merge(mode=...)` as the layer that Keras 2 gave each mode."""

from core.repairs.base import Change, Config, Dialect, Repair

_MODES = {"sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum"}


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    config = layer["config"]
    if layer["class_name"] != "Merge" or config.get("mode_type", "raw") != "raw":
        return None
    mode = config.get("mode", "sum")
    base = {key: config[key] for key in ("name", "trainable") if key in config}
    if mode in _MODES:
        return Change({**layer, "class_name": _MODES[mode], "config": base}, f"Merge({mode}) is now {_MODES[mode]}")
    if mode == "concat":
        axis = config.get("concat_axis", -1)
        return Change(
            {**layer, "class_name": "Concatenate", "config": {**base, "axis": axis}}, "Merge(concat) is now Concatenate"
        )
    if mode in ("dot", "cos"):
        axes = config.get("dot_axes", -1)
        if isinstance(axes, list) and axes and isinstance(axes[0], list):
            axes = [pair[0] for pair in axes]
        if axes == -1:
            axes = 1
        fields = {**base, "axes": axes, "normalize": mode == "cos"}
        return Change({**layer, "class_name": "Dot", "config": fields}, f"Merge({mode}) is now Dot")
    return None


REPAIR = Repair("merge", "Merge layers of Keras 1", _apply)
