"""Fields that Keras 3 no longer takes and that say nothing: one row a field, dropped where its value is harmless."""

from collections.abc import Callable, Collection
from typing import Any

from msgspec import Struct

from core.layers import table
from core.repairs.base import Change, Config, Dialect, Repair, with_config, without


class Dropped(Struct, frozen=True):
    """A field that goes, and the words for it. `harmless` are the values with which it does; `None`: with any.

    A field with another value means something: it stays, and the report of leftovers names it.
    """

    field: str
    title: str
    text: str
    of: Callable[[str], bool] = lambda class_name: True
    harmless: Collection[Any] | None = None

    def apply(self, layer: Config, dialect: Dialect) -> Change | None:
        """The layer without the field."""
        config = layer["config"]
        if self.field not in config or not self.of(layer["class_name"]):
            return None
        if self.harmless is not None and config[self.field] not in self.harmless:
            return None
        return Change(with_config(layer, without(config, self.field)), self.text)


def _takes_no_groups(class_name: str) -> bool:
    """Depthwise, separable and transposed convolutions, on which Keras 2 wrote it."""
    return "groups" not in (table.fields(class_name) or ("groups",))


_ROWS = {
    "groups": Dropped(
        "groups", "Field groups", "groups was removed, because it has no effect there", _takes_no_groups, (1, None)
    ),
    "time_major": Dropped(
        "time_major",
        "Field time_major",
        "time_major was removed, because Keras 3 has no other mode",
        harmless=(False, None),
    ),
    "spatial_dropout": Dropped(
        "noise_shape",
        "SpatialDropout's noise_shape",
        "noise_shape was removed, because the class determines it",
        lambda class_name: class_name.startswith("SpatialDropout"),
    ),
}

REPAIRS = tuple(Repair(name, row.title, row.apply) for name, row in _ROWS.items())
