"""New trainable layers before the model, built one by one."""

from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QVBoxLayout, QWidget

from core.edits import InsertFront
from core.model.graph import Shape
from core.phrases import shape_words
from core.recipes import steps
from gui.document.session import Session
from gui.panels.adapt import PutOrTake
from gui.widgets.cells import Field
from gui.widgets.form import Form
from gui.widgets.parts import IconButton, Look, label, named

Entry = dict[str, Any]


class FrontForm(QWidget):
    """`insert_front` for one input. `layer_wanted` carries the number of the layer to edit, -1 for a new one."""

    layer_wanted = Signal(object, int)

    def __init__(
        self, session: Session, look: Look, name: str, original: Shape, channel: int | None, names: list[str],
        address: str | None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._session, self._name, self._address = session, name, address
        self._seen: InsertFront | None = None
        rank = max(1, min(3, len(original) - 1))
        channels = original[channel] if channel is not None else 3
        self.entries: list[Entry] = [
            {
                "class_name": f"Conv{rank}D",
                "config": {"filters": channels or 3, "kernel_size": 3, "padding": "same", "activation": "relu"},
            },
            {"class_name": f"MaxPooling{rank}D", "config": {"pool_size": 2}},
        ]
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        arriving = Field("shape", "Shape of your data", "shape", parts=tuple(names), key=f"front_{name}", above=True)
        self.form = Form([arriving])
        larger = [size if place == channel or size is None else 2 * size for place, size in enumerate(original)]
        self.form.show_values({"shape": larger})
        column.addWidget(self.form)
        column.addWidget(label("It goes through", "fieldLabel"))
        self.list = named(QListWidget(), "frontLayers")
        self.list.setAccessibleName("Layers of the front")
        self.list.setFixedHeight(76)
        self.list.itemActivated.connect(self._on_edit)
        self.list.currentRowChanged.connect(self._refresh_buttons)
        column.addWidget(self.list)
        tools = QHBoxLayout()
        tools.setSpacing(2)
        self.add = IconButton(look, "plus", "Add a layer to the front")
        self.edit = IconButton(look, "pencil", "Edit this layer of the front")
        self.up = IconButton(look, "up", "Move this layer of the front up")
        self.down = IconButton(look, "down", "Move this layer of the front down")
        self.trash = IconButton(look, "trash", "Remove this layer from the front")
        self.add.clicked.connect(lambda: self.layer_wanted.emit(self, -1))
        self.edit.clicked.connect(self._on_edit)
        self.up.clicked.connect(lambda: self._move(-1))
        self.down.clicked.connect(lambda: self._move(1))
        self.trash.clicked.connect(self._on_trash)
        for button in (self.add, self.edit, self.up, self.down, self.trash):
            tools.addWidget(button)
        tools.addStretch(1)
        column.addLayout(tools)
        self.buttons = PutOrTake()
        self.apply, self.remove = self.buttons.put, self.buttons.take
        self.apply.clicked.connect(self.on_apply)
        self.remove.clicked.connect(self._on_remove)
        column.addLayout(self.buttons)
        self._fill()
        self.show_recipe()

    @property
    def used(self) -> bool:
        """Whether the recipe has a front before this input."""
        return steps.front(self._session.recipe, self._name) is not None

    def show_recipe(self) -> None:
        """Show the recipe's front, or a beginning for one."""
        step = steps.front(self._session.recipe, self._name)
        self.buttons.show_used(step is not None)
        if step is not None and step != self._seen:
            self.entries = [dict(entry) for entry in step.layers]
            self.form.show_values({"shape": step.shape})
            self._fill()
        self._seen = step

    def put(self, number: int, entry: Entry) -> None:
        """Take a layer into the list: at a number, or at the end for -1."""
        if number < 0:
            self.entries.append(entry)
            number = len(self.entries) - 1
        else:
            self.entries[number] = entry
        self._fill(number)

    def _fill(self, current: int = 0) -> None:
        self.list.clear()
        self.list.addItems([entry_words(entry) for entry in self.entries])
        self.list.setCurrentRow(min(current, len(self.entries) - 1))
        self._refresh_buttons()

    @Slot()
    def _refresh_buttons(self) -> None:
        row, count = self.list.currentRow(), len(self.entries)
        self.edit.setEnabled(row >= 0)
        self.trash.setEnabled(row >= 0)
        self.up.setEnabled(row > 0)
        self.down.setEnabled(0 <= row < count - 1)
        self.apply.setEnabled(count > 0)

    @Slot()
    def _on_edit(self) -> None:
        if self.list.currentRow() >= 0:
            self.layer_wanted.emit(self, self.list.currentRow())

    @Slot()
    def _on_trash(self) -> None:
        row = self.list.currentRow()
        if row >= 0:
            del self.entries[row]
            self._fill(max(row - 1, 0))

    def _move(self, by: int) -> None:
        row = self.list.currentRow()
        self.entries.insert(row + by, self.entries.pop(row))
        self._fill(row + by)

    @Slot()
    def on_apply(self) -> None:
        """Put the front before the input."""
        if not self.form.check() or not self.entries:
            return
        edit = InsertFront(layers=tuple(self.entries), input=self._address, **self.form.values())
        self._session.gesture(lambda recipe: steps.put_front(recipe, self._name, edit), "New front")

    @Slot()
    def _on_remove(self) -> None:
        self._session.gesture(lambda recipe: steps.take_front(recipe, self._name), "Remove the front")


def entry_words(entry: Entry) -> str:
    """A layer in one line: `Conv2D  32 · 3 · same · relu`."""
    config = entry.get("config") or {}
    parts = []
    for key, value in config.items():
        if key == "name" or value is None:
            continue
        if isinstance(value, bool):
            parts.append(key if value else f"no {key.removeprefix('use_')}")
        elif isinstance(value, list | tuple):
            parts.append(shape_words(value))
        else:
            parts.append(str(value))
    said = " \u00b7 ".join(parts)
    return f"{entry.get('class_name')}   {said}"
