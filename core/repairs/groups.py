"""`groups` where Keras 3 takes none: Keras 2 wrote it on depthwise, separable and transposed convolutions."""

from core.repairs.base import Change, Config, Dialect, Repair, with_config, without
from core.repairs.fields import FIELDS


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    config = layer["config"]
    known = FIELDS.get(layer["class_name"])
    if known is None or "groups" in known or "groups" not in config or config["groups"] not in (1, None):
        return None
    return Change(with_config(layer, without(config, "groups")), "groups=1 is gone, it means nothing there")


REPAIR = Repair("groups", "The field groups", _apply)
