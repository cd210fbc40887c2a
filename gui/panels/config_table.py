"""A layer's arguments as a table: nested objects summed up, what changed marked."""

from collections.abc import Iterator, Mapping
from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHeaderView, QLineEdit, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from gui.widgets.parts import label
from gui.widgets.theme import LIGHT, Theme, font

LONGEST = 160
LISTED = 16


def value_words(value: Any) -> str:
    """A config value on one line; serialised objects by class and arguments, long lists cut."""
    if isinstance(value, Mapping):
        name = value.get("class_name")
        inner = value.get("config")
        if name == "__tuple__":
            return value_words(tuple(value.get("items", ())))
        if name == "__numpy__":
            return "an array"
        if name is not None and isinstance(inner, Mapping):
            if name == "DTypePolicy" and set(inner) == {"name"}:
                return str(inner["name"])
            inside = ", ".join(f"{key}={value_words(one)}" for key, one in inner.items() if one is not None)
            text = f"{name}({inside})"
        elif name in ("function", None) and isinstance(inner, str):
            text = inner
        elif name is not None:
            text = f"{name}()"
        else:
            text = "{" + ", ".join(f"{key}: {value_words(one)}" for key, one in value.items()) + "}"
    elif isinstance(value, (list, tuple)):
        words = [value_words(one) for one in value[:LISTED]]
        if len(value) > LISTED:
            words.append(f"\u2026 {len(value)} in all")
        text = f"[{', '.join(words)}]" if isinstance(value, list) else f"({', '.join(words)})"
    elif isinstance(value, float):
        text = f"{value:g}" if abs(value) < 1e16 else repr(value)
    else:
        text = str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "\u2026"


def entries(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What to list: everything but the name, which the header shows; set values first."""
    shown = [(key, value) for key, value in config.items() if key != "name"]
    yield from ((key, value) for key, value in shown if value is not None)
    yield from ((key, value) for key, value in shown if value is None)


class ConfigTable(QWidget):
    """Arguments with a filter above."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme: Theme = LIGHT
        self._shown: tuple[Mapping[str, Any], Mapping[str, Any] | None] | None = None
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter arguments")
        self.filter.setAccessibleName("Filter arguments")
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._on_filter)
        self.tree = QTreeWidget()
        self.tree.setAccessibleName("Arguments of the layer")
        self.tree.setColumnCount(2)
        self.tree.setHeaderHidden(True)
        self.tree.setRootIsDecorated(True)
        self.tree.setIndentation(14)
        self.tree.setUniformRowHeights(True)
        self.tree.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.header().setStretchLastSection(True)
        self.nothing = label("This layer has no arguments.", "small", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 6, 6)
        column.setSpacing(6)
        column.addWidget(self.filter)
        column.addWidget(self.nothing)
        column.addWidget(self.tree, 1)

    def set_theme(self, theme: Theme) -> None:
        """Draw in another theme."""
        self._theme = theme
        if self._shown is not None:
            config, before = self._shown
            self._shown = None
            self.show_config(config, before)

    def show_config(self, config: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
        """Show arguments; where `before` (the source's) differs, both values."""
        if self._shown is not None and self._shown[0] == config and self._shown[1] == before:
            return
        self._shown = (config, before)
        self.tree.clear()
        for key, value in entries(config):
            self.tree.addTopLevelItem(self._item(key, value, before))
        if before is not None:
            for key, _ in entries(before):
                if key not in config:
                    self.tree.addTopLevelItem(self._item(key, None, before))
        empty = self.tree.topLevelItemCount() == 0
        self.nothing.setVisible(empty)
        self.tree.setVisible(not empty)
        self.filter.setVisible(not empty)
        self._on_filter(self.filter.text())

    def _item(self, key: str, value: Any, before: Mapping[str, Any] | None) -> QTreeWidgetItem:
        theme = self._theme
        text = value_words(value)
        changed = before is not None and before.get(key) != value
        if changed and before is not None:
            text = f"{value_words(before.get(key))} \u2192 {text}"
        item = QTreeWidgetItem([key, text])
        item.setFont(1, font(theme, theme.size_small, mono=True))
        quiet = value is None or value is False
        item.setForeground(0, QColor(theme.muted))
        item.setForeground(1, QColor(theme.adapted.ink if changed else theme.faint if quiet else theme.text))
        item.setToolTip(1, f"{key}: {text}" + (" (changed)" if changed else ""))
        if isinstance(value, Mapping) and isinstance(value.get("config"), Mapping):
            for name, one in value["config"].items():
                child = QTreeWidgetItem([name, value_words(one)])
                child.setFont(1, font(theme, theme.size_small, mono=True))
                child.setForeground(0, QColor(theme.faint))
                child.setToolTip(1, value_words(one))
                item.addChild(child)
        return item

    @Slot(str)
    def _on_filter(self, text: str) -> None:
        wanted = text.strip().lower()
        for index in range(self.tree.topLevelItemCount()):
            item = self.tree.topLevelItem(index)
            if item is not None:
                item.setHidden(wanted not in f"{item.text(0)} {item.text(1)}".lower())
