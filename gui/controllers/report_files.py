"""The report: what the recipe does to the model, as one page or as Markdown."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject, QRectF, Signal, Slot
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QWidget

from core.errors import SutureError
from core.model.graph import Graph
from core.model.plan import Plan, Verification
from core.recipes.recipe import Recipe
from core.writers.report import ENDINGS, Facts, HashedFile, Picture, now, plain_pictures, versions, write_report
from gui.canvas import GraphView
from gui.document.hashing import Hashing
from gui.document.settings import Settings
from gui.document.work import Work
from gui.widgets.file_dialog import ask_file
from gui.widgets.theme import LIGHT

KINDS = "Web page (*.html);;Markdown (*.md)"
MOST_LAYERS = 1500
"""Layers of a model that is still drawn as the window shows it; a larger one is listed row by row."""
SCALE = 1.5
WIDEST, HIGHEST = 3000, 12_000
DRAWN = "Drawn as in the window, with its letters for what happens to each layer\u2019s weights."


class ReportFiles(QObject):
    """Owned by the page. It remembers what was exported and verified, for the recipe that this was done with.

    `written` carries the path of a report.
    """

    written = Signal(str)

    def __init__(self, window: QWidget, work: Work, settings: Settings) -> None:
        super().__init__(window)
        self._window, self._work, self._settings = window, work, settings
        self._session = work.session
        self._hashing = Hashing(work.processes, self)
        self._engine = ""
        self._out = ""
        self._checked: tuple[Recipe, str, Verification | None] | None = None
        self._begun: tuple[Recipe, str] = (Recipe(), "")
        for job in (work.exporting, work.verifying):
            job.started.connect(self._on_begun)
        work.exporting.finished.connect(self._on_exported)
        work.verifying.finished.connect(self._on_verified)
        work.session.source_changed.connect(self._on_source)
        work.session.note.connect(self._on_note)

    @Slot(str)
    def _on_begun(self, path: str) -> None:
        self._begun = (self._session.recipe, path)

    @Slot(object)
    def _on_exported(self, result: Any) -> None:
        self._checked = (self._begun[0], str(result.written), result.verification)

    @Slot(object)
    def _on_verified(self, verification: Verification) -> None:
        self._checked = (*self._begun, verification)

    @Slot()
    def _on_source(self) -> None:
        self._checked = None

    @Slot(str)
    def _on_note(self, text: str) -> None:
        if text.startswith("engine ready: "):
            self._engine = text.removeprefix("engine ready: ")

    @Slot()
    def save(self) -> None:
        """Ask where to write the report."""
        source = self._session.source
        if source is not None and self._session.plan is not None:
            start = str(Path(self._settings.folder) / f"{Path(source.path).stem}-report.html")
            ask_file(self._window, "Save report", KINDS, self.save_to, mode="save", start=start)

    @Slot(str)
    def save_to(self, path: str) -> None:
        """Write the report to a path; one without a known ending gets `.html`."""
        source = self._session.source
        if source is None or self._session.plan is None:
            return
        if Path(path).suffix.lower() not in ENDINGS:
            path += ".html"
        self._out = path
        files = [("source", source.path), *([("weights", source.weights_path)] if source.weights_path else [])]
        checked = self._current()
        if checked is not None:
            files.append(("result", checked[1]))
        self._hashing.ask(tuple(files), self._write)

    def _current(self) -> tuple[Recipe, str, Verification | None] | None:
        """What was written with the recipe as it is now."""
        checked = self._checked
        return checked if checked is not None and checked[0] == self._session.recipe else None

    def _write(self, files: tuple[HashedFile, ...]) -> None:
        session = self._session
        source, plan, before = session.source, session.plan, session.before_graph
        if source is None or plan is None or before is None:
            return
        checked = self._current()
        pictures = () if self._out.lower().endswith(".md") else pictures_of(plan, session.base, before)
        facts = Facts(
            source=source,
            recipe=session.recipe,
            plan=plan,
            pictures=pictures,
            files=files,
            verification=checked[2] if checked is not None else None,
            versions=(*versions(), *(((("Engine", self._engine),)) if self._engine else ())),
            made=now(),
        )
        try:
            write_report(self._out, facts)
        except SutureError as error:
            session.problem.emit(error.message, "")
            return
        session.note.emit(f"saved a report as {self._out}")
        self.written.emit(self._out)


def pictures_of(plan: Plan, base: Plan | None, before: Graph) -> tuple[Picture, ...]:
    """Before and after as the canvas draws them; models of very many layers in the plain layout."""
    if sum(1 for _ in plan.graph.walk()) > MOST_LAYERS or sum(1 for _ in before.walk()) > MOST_LAYERS:
        return plain_pictures(base or Plan(ok=True, graph=before), plan)
    view = GraphView()
    view.set_theme(LIGHT)
    made = []
    try:
        for title, mode in (("Before", "before"), ("After", "after")):
            if mode == "before":
                view.set_plan(plan, before, "before")
            else:
                view.set_plan(plan, before, "after")
            view.unfold_all()
            made.append(_drawn(view, title))
    finally:
        view.close()
        view.deleteLater()
    return tuple(made)


def _drawn(view: GraphView, title: str) -> Picture:
    """What a canvas shows, all of it, as a PNG."""
    bounds = QRectF(view.scene.bounds).adjusted(-16, -16, 16, 16)
    scale = min(SCALE, WIDEST / max(bounds.width(), 1), HIGHEST / max(bounds.height(), 1))
    image = QImage(
        max(1, round(bounds.width() * scale)), max(1, round(bounds.height() * scale)), QImage.Format.Format_RGB32
    )
    image.fill(QColor(LIGHT.canvas))
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    view.scene.render(painter, QRectF(image.rect()), bounds)
    painter.end()
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    buffer.close()
    return Picture(title, png=bytes(data.data()), width=round(image.width() / scale), about=DRAWN)
