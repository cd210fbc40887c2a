"""A form for the arguments of any built-in layer: one field per argument, the main ones first, the rest on demand."""

import json
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QCheckBox, QGridLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from core.layers.descriptions import Argument, LayerClass
from gui.widgets.fields import Choice
from gui.widgets.parts import Sentence, clear_layout, label, named, restyle

NONE = "none"


class Field:
    """One argument: its widget, its value, what is wrong with it."""

    def __init__(self, argument: Argument, value: Any) -> None:
        self.argument = argument
        self.widget: QWidget = self._make()
        self.widget.setAccessibleName(words(argument.name))
        self.widget.setObjectName(f"argument_{argument.name}")
        self.show(value)

    def _make(self) -> QWidget:
        argument = self.argument
        if argument.kind == "flag":
            return QCheckBox()
        if argument.kind == "choice":
            options = [(one, one, "") for one in argument.options]
            return Choice(argument.name, [(NONE, "none", ""), *options] if argument.optional else options)
        line = QLineEdit()
        hints = {
            "whole": "a whole number",
            "number": "a number",
            "sizes": "whole numbers, such as 3 or 3, 3",
            "text": "text",
            "json": "a value as in JSON",
        }
        line.setPlaceholderText("needed" if argument.required else "none" if argument.optional else "")
        line.setToolTip(f"{words(argument.name)}: {hints[argument.kind]}")
        return line

    def show(self, value: Any) -> None:
        """Show a value."""
        if isinstance(self.widget, QCheckBox):
            self.widget.setChecked(bool(value))
        elif isinstance(self.widget, Choice):
            self.widget.show_key(NONE if value is None else named_object(value))
        elif isinstance(self.widget, QLineEdit):
            self.widget.setText(text_of(value, self.argument))

    @property
    def problem(self) -> str:
        """One sentence, or nothing."""
        try:
            self.value()
        except ValueError as error:
            return f"{words(self.argument.name)} {error}."
        return ""

    def value(self) -> Any:
        """What the field says. Raises `ValueError` with the rest of a sentence."""
        argument = self.argument
        if isinstance(self.widget, QCheckBox):
            return self.widget.isChecked()
        if isinstance(self.widget, Choice):
            return None if self.widget.key == NONE else self.widget.key
        assert isinstance(self.widget, QLineEdit)
        text = self.widget.text().strip()
        if not text or text == NONE:
            if argument.required:
                raise ValueError("is needed")
            return None if argument.optional else argument.default
        return parsed(text, argument)


def parsed(text: str, argument: Argument) -> Any:
    """A text as the argument's kind. Raises `ValueError` with the rest of a sentence."""
    kind = argument.kind
    if kind == "whole":
        try:
            return int(text)
        except ValueError:
            raise ValueError(f"is a whole number, not \u201c{text[:20]}\u201d") from None
    if kind == "number":
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"is a number, not \u201c{text[:20]}\u201d") from None
    if kind == "text":
        return text
    if kind == "sizes" and "[" not in text:
        try:
            sizes = [int(word) for word in text.replace(",", " ").replace("\u00d7", " ").strip("() ").split()]
        except ValueError:
            raise ValueError(f"is one or several whole numbers, not \u201c{text[:20]}\u201d") from None
        return sizes[0] if len(sizes) == 1 else sizes
    try:
        return json.loads(text)
    except ValueError:
        if kind == "sizes":
            raise ValueError(f"is one or several whole numbers, not \u201c{text[:20]}\u201d") from None
        if text[:1] in '{["' or text[:1].isdigit():
            raise ValueError("cannot be read; write it as in JSON, or as a plain word") from None
        return text


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
        self._grid = QGridLayout()
        self._grid.setVerticalSpacing(6)
        self._grid.setHorizontalSpacing(10)
        self._grid.setColumnStretch(1, 1)
        column.addLayout(self._grid)
        self.problem = Sentence()
        column.addWidget(self.problem)
        self.more = named(QPushButton("More arguments"), "link")
        self.more.setCheckable(True)
        self.more.toggled.connect(self._on_more)
        column.addWidget(self.more)
        self.fields: dict[str, Field] = {}
        self._extra: list[QWidget] = []
        self._given: dict[str, Any] = {}

    def show_class(self, kind: LayerClass, config: dict[str, Any] | None = None) -> None:
        """Fields of a class, filled from a config where it has them, else with Keras's defaults."""
        clear_layout(self._grid)
        self.fields, self._extra = {}, []
        self._given = dict(config or {})
        for argument in sorted(kind.arguments, key=lambda one: not one.main):
            field = Field(argument, self._given.get(argument.name, argument.default))
            row = self._grid.rowCount()
            caption = label(words(argument.name), "fieldLabel")
            caption.setBuddy(field.widget)
            self._grid.addWidget(caption, row, 0)
            self._grid.addWidget(field.widget, row, 1)
            self.fields[argument.name] = field
            if not argument.main:
                self._extra += [caption, field.widget]
            if isinstance(field.widget, QLineEdit):
                field.widget.textEdited.connect(self._on_changed)
            elif isinstance(field.widget, Choice):
                field.widget.picked.connect(self._on_changed)
            elif isinstance(field.widget, QCheckBox):
                field.widget.toggled.connect(self._on_changed)
        self.more.setVisible(bool(self._extra) and len(self._extra) < 2 * len(self.fields))
        self._on_more(self.more.isChecked() or not any(one.main for one in kind.arguments))
        self.check()

    @Slot(bool)
    def _on_more(self, shown: bool) -> None:
        for widget in self._extra:
            widget.setVisible(shown)
        self.more.setText("Fewer arguments" if shown else "More arguments")

    @Slot()
    def _on_changed(self) -> None:
        self.check()
        self.changed.emit()

    def check(self) -> bool:
        """Whether every field makes sense; the first that does not says why."""
        first = ""
        for field in self.fields.values():
            problem = field.problem
            needed = isinstance(field.widget, QLineEdit) and not field.widget.text().strip()
            if isinstance(field.widget, QLineEdit) and field.widget.property("bad") is not (
                bool(problem) and not needed
            ):
                field.widget.setProperty("bad", bool(problem) and not needed)
                restyle(field.widget)
            first = first or problem
        self.problem.say(first)
        return not first

    def config(self) -> dict[str, Any]:
        """The arguments that differ from Keras's defaults, and those that were given before."""
        found: dict[str, Any] = {}
        for name, field in self.fields.items():
            value = field.value()
            given = self._given.get(name)
            if name in self._given and (value == given or value == named_object(given)):
                found[name] = given
            elif field.argument.required or name in self._given or not same(value, field.argument.default):
                found[name] = value
        return found


def same(value: Any, default: Any) -> bool:
    """Whether a value means the default; `3` means `[3, 3]`."""
    if isinstance(default, list) and isinstance(value, int) and not isinstance(value, bool):
        return all(one == value for one in default)
    return bool(value == default)
