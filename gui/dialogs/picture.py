"""The sheet that asks what of the graph becomes a picture, and of which kind."""

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget
from typing_extensions import override

from gui.canvas.picture import Frame, too_large
from gui.widgets.cells import Field
from gui.widgets.sheet import FormSheet

FIELDS = (
    Field("part", "Show", "choice", key="picturePart", options=(
        ("whole", "The whole graph", "As it is folded now"),
        ("visible", "The visible part", "What the graph shows now"),
    )),
    Field("kind", "File", "choice", key="pictureKind", options=(
        ("png", "PNG", "Pixels"), ("svg", "SVG", "Lines and text of any size"), ("pdf", "PDF", "One page to print"),
    )),
    Field("scale", "Size", "choice", key="pictureScale", shown=lambda says: says.get("kind") == "png", options=(
        ("2", "2x", "Twice as many pixels each way"), ("1", "1x", "As on a common screen"),
        ("3", "3x", "Three times as many pixels each way"), ("4", "4x", "Four times as many pixels each way"),
    )),
)  # fmt: skip


class PictureSheet(FormSheet):
    """`save_wanted` and `copy_wanted` carry what is asked for: part, kind and scale."""

    save_wanted = Signal(str, str, int)
    copy_wanted = Signal(str)

    def __init__(self, parent: QWidget, frame: Callable[[str], Frame | None]) -> None:
        text = "With the colours and folds of the graph, and a title that names the file, the view and the steps."
        super().__init__(parent, "picture", "Picture of the graph", 400, "Save\u2026", FIELDS, text)
        self._frame = frame
        self.copy = QPushButton("Copy")
        self.copy.setAccessibleName("Copy picture")
        self.copy.clicked.connect(self._on_copy)
        last = self.column.itemAt(self.column.count() - 1)
        row = last.layout() if last is not None else None
        if isinstance(row, QHBoxLayout):
            row.insertWidget(0, self.copy)

    def begin(self) -> None:
        """Ask."""
        self.check()
        self.open(self.apply)

    def _asked(self) -> tuple[str, str, int]:
        says = self.form.says()
        return str(says["part"]), str(says["kind"]), int(says.get("scale") or 1)

    @override
    def trouble(self) -> str:
        part, kind, scale = self._asked()
        frame = self._frame(part) if kind == "png" else None
        return too_large(frame, scale) if frame is not None else ""

    @override
    def finish(self) -> bool:
        self.save_wanted.emit(*self._asked())
        return True

    def _on_copy(self) -> None:
        self.copy_wanted.emit(self._asked()[0])
        self.leave()
