"""`batch_input_shape`: Keras 1 and 2 kept the input's shape on the first layer, Keras 3 has an InputLayer."""

from core.repairs.base import Change, Config, Dialect, Repair, with_config, without


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    config = layer["config"]
    old = "batch_input_shape"
    if layer["class_name"] == "InputLayer":
        if old not in config and "input_dtype" not in config:
            return None
        shape = config.get(old, config.get("batch_shape"))
        dtype = config.get("dtype") or config.get("input_dtype") or "float32"
        fields = {**without(config, old, "input_dtype"), "batch_shape": shape, "dtype": dtype}
        return Change(with_config(layer, fields), f"{old} is now batch_shape")
    dropped = [name for name in (old, "input_dtype") if name in config]
    if not dropped:
        return None
    return Change(with_config(layer, without(config, *dropped)), f"{', '.join(dropped)} moved to the model's input")


REPAIR = Repair("input shape", "Input shapes on layers", _apply)
