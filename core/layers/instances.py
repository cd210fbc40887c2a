"""Normalization of each sample and channel by itself: the classes that do it, and the GroupNormalization that does.

`tensorflow_addons` has it as a GroupNormalization of as many groups as channels; the class that came with TensorFlow's
pix2pix examples keeps `scale` and `offset` and an epsilon of 1e-5 that its config does not name; `keras_contrib` adds
epsilon to the deviation instead of the variance (`keras_contrib/layers/normalization/instancenormalization.py`).
"""

from typing import Any, Literal

from core.errors import EditError

Config = dict[str, Any]
Kind = Literal["", "addons", "examples", "contrib"]


def instance_kind(class_name: str, config: Config) -> Kind:
    """Whose InstanceNormalization a class is."""
    package, _, short = class_name.rpartition(">")
    if short != "InstanceNormalization":
        return ""
    if package == "Addons":
        return "addons"
    return "contrib" if "center" in config else "examples"


def as_groups(config: Config) -> Config:
    """The arguments of the GroupNormalization that normalizes each channel of each sample by itself."""
    axis = config.get("axis", -1)
    if "axis" in config and axis is None:
        raise EditError(
            "An InstanceNormalization without an axis normalizes all channels together, which this "
            "replacement does not support; replace it by hand."
        )
    known = "center" in config or "groups" in config
    fields = {"groups": -1, "axis": axis, "epsilon": config.get("epsilon", 1e-3 if known else 1e-5)}
    return {**fields, **{key: config[key] for key in ("center", "scale") if key in config}}
