"""What a repair is: a pure change of one serialised layer, told to the person in words."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from core.findings import Finding, Severity
from core.layers.kinds import Kind

Config = dict[str, Any]
"""A serialised layer: `{"class_name", "config", ...}`, as the file has it or as an earlier repair left it."""


class Dialect(Struct, frozen=True):
    """Who wrote the file: major Keras version, full version text, backend; `ordering` is Keras 1's `th` or `tf`.

    `kinds` says which of the classes in it derive from which of Keras's, where their code is known.
    """

    major: int = 3
    version: str = ""
    backend: str = "tensorflow"
    ordering: str = "tf"
    kinds: dict[str, Kind] = {}


class Change(Struct, frozen=True):
    """What a repair did to one layer: the layer's new form, and the change in a few words (`groups 1 dropped`).

    `findings` are more to tell; their layer is filled in, in their message for `{layer}` too.
    """

    layer: Config
    text: str
    findings: tuple[Finding, ...] = ()


class Repair(Struct, frozen=True):
    """One kind of repair. `title` is a sentence's beginning: what old form it makes readable.

    `apply` answers `None` when the layer does not have the old form.
    """

    name: str
    title: str
    apply: Callable[[Config, Dialect], Change | None]
    severity: Severity = "info"


def with_config(layer: Config, config: Config) -> Config:
    """The layer with another config."""
    return {**layer, "config": config}


def without(config: Config, *names: str) -> Config:
    """The config without some fields."""
    return {key: value for key, value in config.items() if key not in names}


def is_serialised(value: Any) -> bool:
    """Whether a value is a serialised object with a config."""
    return (
        isinstance(value, dict) and isinstance(value.get("class_name"), str) and isinstance(value.get("config"), dict)
    )
