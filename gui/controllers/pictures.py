"""Saving and copying the graph as a picture."""

from functools import cached_property
from pathlib import Path

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QWidget

from gui.canvas import GraphView
from gui.canvas.picture import Caption, Drawing, Frame, image, pdf, png, svg
from gui.dialogs.picture import PictureSheet
from gui.document.session import Session
from gui.document.settings import Settings
from gui.models.measures import MEASURES
from gui.panels.banner import Banner
from gui.widgets.actions import Actions
from gui.widgets.file_dialog import ask_file

KINDS = {"png": "PNG (*.png)", "svg": "SVG (*.svg)", "pdf": "PDF (*.pdf)"}
VIEWS = {"before": "Before", "after": "After", "difference": "Difference"}
MOST_STEPS = 200


class PictureCommands(QObject):
    """Owned by the page; `attach` gives it the graph."""

    def __init__(self, session: Session, settings: Settings, banner: Banner, actions: Actions, page: QWidget) -> None:
        super().__init__(page)
        self._session, self._settings, self._banner, self._page = session, settings, banner, page
        self._canvas: GraphView | None = None
        self._copied: list[QImage] = []
        self._done = ""
        self.drawing = Drawing(self)
        self.drawing.finished.connect(self._on_finished)
        self.drawing.failed.connect(self._on_failed)
        actions["picture"].triggered.connect(self.show)
        actions["copy_picture"].triggered.connect(lambda: self.copy("visible"))

    def attach(self, canvas: GraphView) -> None:
        """Take pictures of this graph."""
        self._canvas = canvas

    @cached_property
    def sheet(self) -> PictureSheet:
        """The sheet, made when first needed."""
        made = PictureSheet(self._page, self.frame)
        made.save_wanted.connect(self._on_save)
        made.copy_wanted.connect(self.copy)
        return made

    @Slot()
    def show(self) -> None:
        """Ask what becomes a picture."""
        if self._canvas is not None and self._session.source is not None:
            self.sheet.begin()

    def frame(self, part: str) -> Frame | None:
        """The `whole` graph or its `visible` part, with its title."""
        canvas, source = self._canvas, self._session.source
        if canvas is None or source is None or canvas.scene.bounds.isEmpty():
            return None
        area = canvas.scene.bounds
        if part == "visible":
            area = canvas.view.visible_rect().intersected(area)
        if area.isEmpty():
            area = canvas.scene.bounds
        by = canvas.scene.colouring.by
        shown = VIEWS[self._session.view] + (f", coloured by {MEASURES[by].title.lower()}" if by != "class" else "")
        steps = "; ".join(edit.summary() for edit in self._session.recipe.active())
        steps = steps if len(steps) <= MOST_STEPS else f"{steps[: MOST_STEPS - 1]}\u2026"
        return Frame(canvas.scene, area, canvas.look, Caption(Path(source.path).name, shown, steps))

    @Slot(str, str, int)
    def _on_save(self, part: str, kind: str, scale: int) -> None:
        source = self._session.source
        if source is None:
            return
        start = str(Path(self._settings.folder) / f"{Path(source.path).stem}.{kind}")
        ask_file(
            self._page, "Save the picture", KINDS[kind], lambda path: self.save(path, part, kind, scale),
            mode="save", start=start,
        )  # fmt: skip

    def save(self, path: str, part: str, kind: str, scale: int) -> None:
        """Write a picture to a path; the banner says when it is there, or why not."""
        frame = self.frame(part)
        if frame is None:
            return
        out = Path(path)
        if out.suffix.lower() != f".{kind}":
            out = out.with_name(f"{out.name}.{kind}")
        self._copied, self._done = [], f"The picture is in {out.name}."
        steps = png(frame, out, scale) if kind == "png" else svg(frame, out) if kind == "svg" else pdf(frame, out)
        self.drawing.begin(steps)

    @Slot(str)
    def copy(self, part: str) -> None:
        """Put a picture on the clipboard."""
        frame = self.frame(part)
        if frame is not None:
            self._copied, self._done = [], "The picture is on the clipboard."
            self.drawing.begin(image(frame, self._copied))

    @Slot()
    def _on_finished(self) -> None:
        if self._copied:
            QGuiApplication.clipboard().setImage(self._copied.pop())
        self._banner.say("success", self._done, "")

    @Slot(str)
    def _on_failed(self, sentence: str) -> None:
        self._banner.say("error", sentence, "")
