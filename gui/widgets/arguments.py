"""A form for the arguments of any built-in layer: one field per argument, the main ones first, the rest on demand."""

import json
import math
from functools import partial
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from core.layers.descriptions import Argument, LayerClass
from gui.widgets.cells import Field
from gui.widgets.form import Form
from gui.widgets.parts import clear_layout, named

NONE = "none"


_ONE = (1, math.inf)
_NONE = (0, math.inf)
LIMITS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(
        ("filters", "units", "kernel_size", "strides", "pool_size", "dilation_rate", "groups", "depth_multiplier",
         "size", "num_heads", "key_dim", "value_dim", "input_dim", "output_dim", "height", "width", "n", "data_dims",
         "max_tokens", "sequence_length", "num_bins", "num_tokens", "power_iterations", "num_projections"),
        _ONE,
    ),
    **dict.fromkeys(("epsilon", "stddev", "negative_slope", "max_value", "cropping", "padding", "l1", "l2"), _NONE),
    **dict.fromkeys(("rate", "dropout", "recurrent_dropout", "momentum"), (0, 1)),
}  # fmt: skip
"""The numbers that an argument takes, whatever the layer: at least and at most."""

HINTS = {
    "whole": "a whole number",
    "number": "a number",
    "sizes": "whole numbers, such as 3 or 3, 3",
    "text": "text",
    "json": "a JSON value",
}


def field_of(argument: Argument) -> Field:
    """The field for an argument of a layer's class. Those that are not its main ones are shown on demand."""
    name = words(argument.name)
    shown = None if argument.main else (lambda said: bool(said.get("more")))
    key = f"argument_{argument.name}"
    if argument.kind == "flag":
        return Field(argument.name, name, "flag", key=key, shown=shown, beside=True)
    if argument.kind == "choice":
        none = [("", NONE, "")] if argument.optional else []
        options = (*none, *((one, one, "") for one in argument.options))
        return Field(argument.name, name, "choice", options=options, key=key, shown=shown)
    return Field(
        argument.name,
        name,
        "text",
        help=f"{name}: {HINTS[argument.kind]}",
        hint="needed" if argument.required else NONE if argument.optional else "",
        read=partial(read, argument),
        write=partial(text_of, argument=argument),
        key=key,
        shown=shown,
    )


def read(argument: Argument, text: str) -> Any:
    """A text as an argument. Raises `ValueError` with a sentence."""
    name = words(argument.name)
    if not text or text == NONE:
        if argument.required:
            raise ValueError(f"{name} is required.")
        return None if argument.optional else argument.default
    try:
        return parsed(text, argument)
    except ValueError as error:
        raise ValueError(f"{name} {error}.") from None


def parsed(text: str, argument: Argument) -> Any:
    """A text as the argument's kind. Raises `ValueError` with the rest of a sentence."""
    kind = argument.kind
    if kind == "whole":
        try:
            return within(argument.name, int(text))
        except ValueError:
            raise ValueError(
                f"must be {limits(argument.name, 'a whole number')}, not \u201c{text[:20]}\u201d"
            ) from None
    if kind == "number":
        try:
            return within(argument.name, float(text))
        except ValueError:
            wanted = limits(argument.name, "a number")
            raise ValueError(f"must be {wanted}, not \u201c{text[:20]}\u201d") from None
    if kind == "text":
        return text
    if kind == "sizes" and "[" not in text:
        try:
            sizes = [int(word) for word in text.replace(",", " ").replace("\u00d7", " ").strip("() ").split()]
        except ValueError:
            raise ValueError(f"must be one or more whole numbers, not \u201c{text[:20]}\u201d") from None
        if not sizes:
            raise ValueError("must be one or more whole numbers")
        for size in sizes:
            try:
                within(argument.name, size)
            except ValueError:
                raise ValueError(f"must be {limits(argument.name, 'whole numbers')}, not {size}") from None
        return sizes[0] if len(sizes) == 1 else sizes
    try:
        return json.loads(text)
    except ValueError:
        if kind == "sizes":
            raise ValueError(f"must be one or more whole numbers, not \u201c{text[:20]}\u201d") from None
        if text[:1] in '{["' or text[:1].isdigit():
            raise ValueError("cannot be read; write JSON or a plain word") from None
        return text


def within(name: str, number: float) -> Any:
    """The number, if a layer can take it for this argument. Raises `ValueError`."""
    low, high = LIMITS.get(name, (-math.inf, math.inf))
    if not math.isfinite(number) or not low <= number <= high:
        raise ValueError(name)
    return number


def limits(name: str, what: str) -> str:
    """What can be typed for an argument, in words."""
    low, high = LIMITS.get(name, (-math.inf, math.inf))
    if low == -math.inf:
        return what
    if high == math.inf:
        return f"{what} of at least {low:g}"
    return f"{what} from {low:g} to {high:g}"


def text_of(value: Any, argument: Argument) -> str:
    """A value as people type it."""
    if value is None:
        return ""
    if argument.kind == "sizes" and isinstance(value, list | tuple):
        if all(isinstance(one, int) for one in value):
            return ", ".join(map(str, value))
        return json.dumps(value)
    if isinstance(value, bool | list | tuple | dict):
        return json.dumps(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def named_object(value: Any) -> str:
    """The name of an activation, initializer or the like that a config gives as a name or as an object."""
    if isinstance(value, dict):
        name = value.get("class_name") or value.get("name") or ""
        inner = value.get("config")
        if name in ("DTypePolicy", "Policy") and isinstance(inner, dict):
            return str(inner.get("name", name))
        return snake(str(name))
    return str(value)


def snake(name: str) -> str:
    """`GlorotUniform` as `glorot_uniform`."""
    return "".join(f"_{one.lower()}" if one.isupper() and at else one.lower() for at, one in enumerate(name))


def words(name: str) -> str:
    """An argument's name as a label."""
    return name.replace("_", " ").capitalize()


class ArgumentForm(QWidget):
    """Fields for a class. `changed` says that something was typed or chosen."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        self._place = QVBoxLayout()
        column.addLayout(self._place)
        self.form = Form(())
        self._place.addWidget(self.form)
        self.more = named(QPushButton("More arguments"), "link")
        self.more.setCheckable(True)
        self.more.toggled.connect(self._on_more)
        column.addWidget(self.more)
        self._arguments: dict[str, Argument] = {}
        self._given: dict[str, Any] = {}

    def show_class(self, kind: LayerClass, config: dict[str, Any] | None = None) -> None:
        """Fields of a class, filled from a config where it has them, else with Keras's defaults."""
        clear_layout(self._place)
        self._given = dict(config or {})
        self._arguments = {one.name: one for one in sorted(kind.arguments, key=lambda one: not one.main)}
        self.form = Form([field_of(one) for one in self._arguments.values()])
        self._place.addWidget(self.form)
        self.form.edited.connect(self.changed)
        self.form.show_values(
            {
                name: named_object(value) if one.kind == "choice" and value is not None else value
                for name, one in self._arguments.items()
                for value in [self._given.get(name, one.default)]
            }
        )
        main = [one for one in self._arguments.values() if one.main]
        self.more.setVisible(bool(main) and len(main) < len(self._arguments))
        self._on_more(self.more.isChecked() or not main)

    @Slot(bool)
    def _on_more(self, shown: bool) -> None:
        self.form.set_context(more=shown)
        self.more.setText("Fewer arguments" if shown else "More arguments")
        self.form.check()

    def check(self) -> bool:
        """Whether every field makes sense; the first that does not says why."""
        return self.form.check()

    def config(self) -> dict[str, Any]:
        """The arguments that differ from Keras's defaults, and those that were given before."""
        found: dict[str, Any] = {}
        said = self.form.says()
        for name, argument in self._arguments.items():
            value, given = said[name], self._given.get(name)
            if name in self._given and (value == given or value == named_object(given)):
                found[name] = given
            elif argument.required or name in self._given or not same(value, argument.default):
                found[name] = value
        return found


def same(value: Any, default: Any) -> bool:
    """Whether a value means the default; `3` means `[3, 3]`."""
    if isinstance(default, list) and isinstance(value, int) and not isinstance(value, bool):
        return all(one == value for one in default)
    return bool(value == default)
