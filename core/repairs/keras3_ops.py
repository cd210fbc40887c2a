"""Operations in HDF5 files of Keras 3, which names their classes without a module and then cannot find them itself."""

from core.layers.known import LAYERS
from core.layers.known_ops import OPERATIONS
from core.repairs.base import Change, Config, Dialect, Repair


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    name = layer["class_name"]
    if dialect.major < 3 or layer.get("module") is not None or name not in OPERATIONS:
        return None
    if name in LAYERS and "dtype" in layer["config"]:
        return None  # layers write their dtype, operations do not
    return Change({**layer, "module": OPERATIONS[name], "registered_name": name}, "")


REPAIR = Repair("operations", "Operations without a module", _apply)
