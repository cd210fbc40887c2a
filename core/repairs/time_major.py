"""`time_major` of recurrent layers: Keras 3 knows batch-major only, which is what `False` says."""

from core.repairs.base import Change, Config, Dialect, Repair, with_config, without


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    config = layer["config"]
    if "time_major" not in config or config["time_major"]:
        # A layer that really is time-major computes something else; the leftovers report names it.
        return None
    return Change(with_config(layer, without(config, "time_major")), "time_major=False is gone, it is the only way now")


REPAIR = Repair("time_major", "The field time_major", _apply)
