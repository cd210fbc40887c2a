"""Which classes of the old head stay: by number, or by name out of a list of labels."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from gui.widgets.fields import TextField
from gui.widgets.file_dialog import ask_file
from gui.widgets.parts import Sentence, named

LABELS = "Labels (*.txt *.csv *.json);;All files (*)"
LARGEST = 10_000_000


class KeepForm(QWidget):
    """`keep` and `labels` of `attach_head`."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.labels: tuple[str, ...] = ()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        self.on = named(QCheckBox("Keep some of the old classes"), "headKeepClasses")
        self.on.toggled.connect(self._on_toggled)
        column.addWidget(self.on)
        self._inside = QWidget()
        inside = QVBoxLayout(self._inside)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(6)
        reading = TextField(
            "Old classes to keep", lambda text: parsed(text, self.labels), lambda keep: ", ".join(map(str, keep))
        )
        self.classes = named(reading, "headKeptClasses")
        self.classes.setPlaceholderText("0, 3, 7-9")
        self.classes.setToolTip(
            "Numbers of old classes, counted from 0, or their names; they come first, in this order"
        )
        self.classes.editingFinished.connect(self.changed)
        inside.addWidget(self.classes)
        row = QHBoxLayout()
        self.file = named(QPushButton("Labels\u2026"), "headLabels")
        self.file.setToolTip("A file with the old classes\u2019 names in order: one a line, or a JSON list")
        self.file.clicked.connect(self._on_file)
        row.addWidget(self.file)
        row.addStretch(1)
        inside.addLayout(row)
        self.words = Sentence("small")
        inside.addWidget(self.words)
        self.problem = Sentence()
        inside.addWidget(self.problem)
        column.addWidget(self._inside)
        self._inside.hide()

    def _parsed(self, text: str) -> list[int | str]:
        return parsed(text, self.labels)

    @Slot(bool)
    def _on_toggled(self, on: bool) -> None:
        self._inside.setVisible(on)
        self.changed.emit()

    @Slot()
    def _on_file(self) -> None:
        ask_file(self, "Labels of the old classes", LABELS, self.read)

    @Slot(str)
    def read(self, path: str) -> None:
        """Take the labels of a file."""
        try:
            self.labels = read_labels(Path(path))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self.problem.say(f"{Path(path).name} contains no labels: {reason}.")
            return
        self._say()
        self.changed.emit()

    def _say(self) -> None:
        count = len(self.labels)
        self.words.say(f"{count} labels: {', '.join(self.labels[:3])}\u2026" if count else "")

    def show_step(self, keep: tuple[Any, ...] | None, labels: tuple[str, ...]) -> None:
        """Show what a step says."""
        self.on.blockSignals(True)
        self.on.setChecked(keep is not None)
        self.on.blockSignals(False)
        self._inside.setVisible(keep is not None)
        if keep is not None:
            self.labels = tuple(labels)
            if not self.classes.hasFocus():
                self.classes.show_value(list(keep))
        self._say()

    def fields(self) -> dict[str, Any]:
        """`keep` and `labels` for the step. Raises `ValueError` with a sentence."""
        if not self.on.isChecked():
            return {"keep": None, "labels": []}
        self.classes.mark()
        self.problem.say(self.classes.problem)
        kept = self._parsed(self.classes.text())
        named_ones = any(isinstance(one, str) for one in kept)
        return {"keep": kept, "labels": list(self.labels) if named_ones else []}


def written(classes: Iterable[int | str]) -> str:
    """Classes as they are typed."""
    return ", ".join(map(str, classes))


def parsed(text: str, labels: tuple[str, ...]) -> list[int | str]:
    """Classes from a text such as `0, 3, 7-9, cat`. Raises `ValueError` with a sentence."""
    found: list[int | str] = []
    for part in (one.strip() for one in text.split(",")):
        low, dash, high = part.partition("-")
        if not part:
            continue
        if part in labels:
            found.append(part)
        elif part.isdecimal():
            found.append(int(part))
        elif (
            dash and low.strip().isdecimal() and high.strip().isdecimal() and int(low) <= int(high) < int(low) + 10_000
        ):
            found += range(int(low), int(high) + 1)
        elif labels:
            raise ValueError(f"\u201c{part}\u201d is neither a number nor one of the labels.")
        else:
            raise ValueError(f"\u201c{part}\u201d is not a number; to use names, choose the file with the old labels.")
    if not found:
        raise ValueError("Enter the old classes to keep, such as 0, 3, 7-9.")
    return found


def read_labels(path: Path) -> tuple[str, ...]:
    """Labels of a text file, one a line, or of a JSON list or index. Raises `OSError`, `ValueError`."""
    if path.stat().st_size > LARGEST:
        raise ValueError("it is too large")
    text = path.read_text(encoding="utf-8")
    if path.suffix.lower() == ".json":
        data = json.loads(text)
        if isinstance(data, dict) and all(str(key).isdecimal() for key in data):
            data = [data[key] for key in sorted(data, key=int)]
            data = [one[-1] if isinstance(one, list) and one else one for one in data]
        if not isinstance(data, list) or not all(isinstance(one, str) for one in data):
            raise ValueError("a list of names is expected")
        return tuple(data)
    found = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not found:
        raise ValueError("it is empty")
    return found
