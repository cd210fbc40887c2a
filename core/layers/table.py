"""Questions about Keras's layer classes, answered from one row for each class (`core.layers.rows`). Pure.

Nothing is known of a class without a row, so the answers for it are those that promise nothing.
"""

from functools import cache
from typing import Any

from core.layers.rows import ROWS, Family, Row
from core.model.graph import Layer

Named = str | Layer
"""A class by its name, or a layer of it."""

_UNKNOWN = Row(family="core", call=None)


def row(of: Named) -> Row:
    """The row of a class; of one that has none, a row that promises nothing."""
    return ROWS.get(_name(of), _UNKNOWN)


def family(of: Named) -> Family | None:
    """The family of a class."""
    found = ROWS.get(_name(of))
    return None if found is None else found.family


def _name(of: Named) -> str:
    return of if isinstance(of, str) else of.class_name


@cache
def classes(**wanted: Any) -> frozenset[str]:
    """The classes whose rows have these values: `classes(family="convolution", kind=("plain", "separable"))`.

    A tuple means any of its values.
    """
    tests = {field: value if isinstance(value, tuple) else (value,) for field, value in wanted.items()}
    return frozenset(
        name for name, found in ROWS.items() if all(getattr(found, field) in values for field, values in tests.items())
    )


@cache
def fields(class_name: str) -> frozenset[str] | None:
    """The settings that the constructor of a class takes; `None` where they are not known."""
    found = ROWS.get(class_name)
    if found is None or found.kind == "foreign":
        return None
    return frozenset(f"{found.fields} {found.common}".split())


def idle(class_name: str, config: dict[str, Any] | None = None) -> bool:
    """Whether a layer hands on what it gets when a model answers (and acts only while one is trained)."""
    if config is not None and class_name == "Activation":
        return config.get("activation") == "linear"
    return row(class_name).idle


def tracks_batches(of: Named) -> bool:
    """Whether a layer follows the statistics of the batches that it is trained on, unless it is frozen."""
    return "momentum" in (fields(_name(of)) or ())


def channel_axis(class_name: str, config: dict[str, Any], rank: int) -> int:
    """The axis that a layer takes for its channels, batch counted; `rank` is that of what it gets."""
    first = config.get("data_format") == "channels_first" and "data_format" in (fields(class_name) or ())
    return rank - 1 - row(class_name).rank if first else rank - 1


CARRIERS = tuple(dict.fromkeys(field for found in ROWS.values() for field, _ in found.inside))
"""Settings that hold other layers."""
