"""Dtypes as Keras 2 wrote them: `Policy` objects, none at all, the policy of `mixed_float16`."""

from typing import Any

from core.repairs.base import Change, Config, Dialect, Repair, with_config, without

_POLICIES = ("Policy", "PolicyV1")


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    config = layer["config"]
    if "dtype" not in config:
        return None
    value = config["dtype"]
    if value is None:
        return Change(with_config(layer, without(config, "dtype")), "")
    if isinstance(value, dict) and value.get("class_name") in _POLICIES:
        name = (value.get("config") or {}).get("name", "float32")
        if layer["class_name"] == "InputLayer":
            name = str(name).removeprefix("mixed_")
            return Change(with_config(layer, {**config, "dtype": name}), f"the policy {name} is now a dtype")
        return Change(with_config(layer, {**config, "dtype": policy(name)}), f"Policy({name}) is now a DTypePolicy")
    if isinstance(value, str) and value.startswith("<dtype:"):
        plain = value.split("'")[1] if "'" in value else "float32"
        return Change(with_config(layer, {**config, "dtype": plain}), f"dtype {value} is now {plain}")
    return None


def policy(name: Any) -> Config:
    """A Keras 3 dtype policy of that name, serialised."""
    return {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": str(name)},
        "registered_name": None,
    }


REPAIR = Repair("dtypes", "Old dtype policies", _apply)
