"""Random image layers of Keras 2 that Keras 3 lacks, or that do something else there outside training."""

from core.repairs.base import Change, Config, Dialect, Repair

_GONE = ("RandomHeight", "RandomWidth")


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    name, config = layer["class_name"], layer["config"]
    base = {key: config[key] for key in ("name", "trainable", "dtype") if key in config}
    if name in _GONE:
        said = f"{name} is not in Keras 3; Identity replaces it, so training no longer changes sizes at random"
        return Change(_standard(layer, "Identity", base), said)
    if name == "RandomCrop" and dialect.major < 3:
        # Outside training Keras 2 crops to the aspect ratio and resizes; Keras 3.15's RandomCrop does nothing.
        fields = {
            **base,
            "height": config.get("height"),
            "width": config.get("width"),
            "interpolation": "bilinear",
            "crop_to_aspect_ratio": True,
            "data_format": config.get("data_format") or "channels_last",
        }
        said = (
            "RandomCrop was replaced by the Resizing that it does at inference, so training no longer crops at random"
        )
        return Change(_standard(layer, "Resizing", fields), said)
    return None


def _standard(layer: Config, class_name: str, config: Config) -> Config:
    return {**layer, "class_name": class_name, "module": "keras.layers", "registered_name": None, "config": config}


REPAIR = Repair("random images", "Random image layers of Keras 2", _apply, severity="warning")
