"""`noise_shape` of SpatialDropout, which Keras 2 wrote although the class decides it."""

from core.repairs.base import Change, Config, Dialect, Repair, with_config, without


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    config = layer["config"]
    if not layer["class_name"].startswith("SpatialDropout") or "noise_shape" not in config:
        return None
    return Change(with_config(layer, without(config, "noise_shape")), "noise_shape is gone, the class decides it")


REPAIR = Repair("spatial_dropout", "SpatialDropout's noise_shape", _apply)
