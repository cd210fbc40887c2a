"""The sheet that goes with an export or a verification: progress with cancel, then what Keras says of the file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from core.errors import Cancelled, SutureError
from core.model.plan import Verification
from gui.dialogs.drift import DriftByLayer
from gui.document.processes import details
from gui.document.work import Work
from gui.models.digest import size_words
from gui.widgets.parts import IconLabel, Look, clear_layout, divider, label, named
from gui.widgets.sheet import Sheet

EXACT = 1e-5


class ExportSheet(Sheet):
    """Non-modal: the window stays alive behind it. It listens to both jobs."""

    def __init__(self, work: Work, look: Look, parent: QWidget) -> None:
        super().__init__(parent, "export", "Export", 440)
        self._work, self._session, self._look = work, work.session, look
        self._path = ""
        self._verb = "Writing"
        self._details = ""
        self._inputs: tuple[str, ...] = ()
        self.drift: DriftByLayer | None = None
        column = self.column
        head = QHBoxLayout()
        head.setSpacing(10)
        self._icon = IconLabel(look, "export", "accent", 20)
        head.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        self.title = label("", "heading", wrap=True)
        head.addWidget(self.title, 1)
        column.addLayout(head)
        self.subtitle = label("", "small", wrap=True)
        self.subtitle.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column.addWidget(self.subtitle)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setAccessibleName("Progress")
        column.addWidget(self.bar)
        self._results = QVBoxLayout()
        self._results.setSpacing(7)
        column.addLayout(self._results)
        column.addStretch(1)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        self.folder = QPushButton("Show folder")
        self.folder.clicked.connect(self._on_folder)
        self.copy = QPushButton("Copy details")
        self.copy.clicked.connect(self._on_copy)
        self.cancel = named(QPushButton("Cancel"), "cancelExport")
        self.cancel.clicked.connect(self._on_cancel)
        self.done_button = named(QPushButton("Close"), "primary")
        self.done_button.clicked.connect(self.leave)
        for button in (self.folder, self.copy, self.cancel, self.done_button):
            buttons.addWidget(button)
        column.addLayout(buttons)
        for job, done in ((work.exporting, self.on_finished), (work.verifying, self.on_verified)):
            job.progress.connect(self.on_progress)
            job.finished.connect(done)
            job.failed.connect(self.on_failed)

    def begin(self, path: str, verb: str, inputs: tuple[str, ...] = ()) -> None:
        """Show work on a file as begun; `verb` is `Writing` or `Verifying`, `inputs` the person's own data."""
        self._path = path
        self._inputs = inputs
        self._details = ""
        clear_layout(self._results)
        self._verb = verb
        self.title.setText(f"{verb} {Path(path).name}")
        self.subtitle.setText(str(Path(path).parent))
        self._icon.set_icon("export" if verb == "Writing" else "verify", "accent")
        self.bar.setValue(0)
        self._show_buttons(running=True)
        self.open(self.cancel)

    def _show_buttons(self, *, running: bool, failed: bool = False) -> None:
        self.bar.setVisible(running)
        self.cancel.setVisible(running)
        self.folder.setVisible(not running and not failed)
        self.copy.setVisible(failed)
        self.done_button.setVisible(not running)
        if not running and self.cancel.hasFocus():
            self.done_button.setFocus()

    @Slot(str, float)
    def on_progress(self, stage: str, fraction: float) -> None:
        """The engine's word of how far it is."""
        self.subtitle.setText(stage)
        self.bar.setValue(round(fraction * 1000))

    @Slot(object)
    def on_finished(self, written: Any) -> None:
        """The file is written, and verified if that was asked."""
        self._show_buttons(running=False)
        verification = written.verification
        good = verification is None or verification.ok
        self._icon.set_icon("check" if good else "error", "success" if good else "error")
        name = Path(self._path).name
        title = f"{name} failed verification"
        if good:
            title = f"{name} was written, not verified" if verification is None else f"{name} was written"
        self.title.setText(title)
        place = f"{size_words(written.bytes)} in {Path(self._path).parent}"
        if verification is not None:
            kept = f"Kept as {Path(written.written).name}, {place}. {verification.reason}."
            place = f"{place}; {verification.compared} compared" if good else kept
        self.subtitle.setText(place)
        if verification is not None:
            self._show_verification(verification)
        self.settle()

    @Slot(object)
    def on_verified(self, verification: Verification) -> None:
        """A file was checked again."""
        self._show_buttons(running=False)
        good = verification.ok
        self._icon.set_icon("check" if good else "error", "success" if good else "error")
        name = Path(self._path).name
        self.title.setText(f"{name} matches the plan" if good else f"{name} failed verification")
        self.subtitle.setText(str(Path(self._path).parent) if good else f"{verification.reason}.")
        self._show_verification(verification)
        self.settle()

    @Slot(object)
    def on_failed(self, error: SutureError) -> None:
        """Nothing was written; or the check could not be made."""
        if isinstance(error, Cancelled):
            self.leave()
            return
        self._show_buttons(running=False, failed=True)
        self._details = details(error)
        self._icon.set_icon("error", "error")
        self.title.setText("Nothing was written" if self._verb == "Writing" else "The file was not checked")
        self.subtitle.setText(error.message)
        self.settle()

    def _show_verification(self, verification: Verification) -> None:
        clear_layout(self._results)
        self.drift = None
        self._results.addWidget(divider())
        if self._inputs:
            names = ", ".join(Path(one).name for one in self._inputs[:3]) + (
                ", \u2026" if len(self._inputs) > 3 else ""
            )
            self._results.addWidget(label(f"Run on your own inputs: {names}", "small", wrap=True))
        for good, yes, no in facts(verification):
            self._results.addLayout(self._fact(good, yes if good else no))
        for result in verification.contracts:
            words = drift_words(result.drift, exact=result.exact, mean=result.mean, rounding=result.rounding)
            self._results.addLayout(self._fact(result.holds, result.name, words, exact=result.exact))
        if any(drift > 0 for _, drift in verification.drift_by_layer) and not all(
            result.drift < EXACT for result in verification.contracts
        ):
            self.drift = DriftByLayer(self._session, self._look, verification.drift_by_layer)
            self._results.addWidget(self.drift)
        if verification.training_gap is not None:
            words = f"{verification.training_gap:.1%} relative on the same inputs; Freeze keeps the moving statistics"
            title = "In training, BatchNormalization uses each batch\u2019s own statistics"
            self._results.addLayout(self._fact(True, title, words, exact=False))
        if verification.message:
            self._results.addWidget(label(verification.message, "small", wrap=True))

    def _fact(self, good: bool, text: str, note: str = "", *, exact: bool = True) -> QGridLayout:
        row = QGridLayout()
        row.setHorizontalSpacing(9)
        row.setVerticalSpacing(0)
        row.setColumnStretch(1, 1)
        mark = ("check", "success") if good and exact else ("info", "info") if good else ("error", "error")
        row.addWidget(IconLabel(self._look, *mark), 0, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(label(text, wrap=True), 0, 1)
        if note:
            row.addWidget(label(note, "small", wrap=True), 1, 1)
        return row

    @Slot()
    def _on_cancel(self) -> None:
        self._work.exporting.cancel()
        self._work.verifying.cancel()

    @Slot()
    def _on_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(self._path).parent)))

    @Slot()
    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self._details)


def facts(verification: Verification) -> Iterator[tuple[bool, str, str]]:
    """What was asked of the file beside its contracts: the answer, and the words for yes and for no."""
    if not verification.skipped and not verification.report:
        yield verification.reloaded, "Keras loads the file", "Keras does not load the file"
        yes = "A forward pass gives finite outputs of the planned shapes"
        yield verification.forward, yes, "The forward pass failed"
    if verification.arrays or not verification.copied_equal:
        yes = f"{verification.arrays:,} arrays match the plan bit for bit"
        yield verification.copied_equal, yes, "Some arrays do not match the plan"


def drift_words(drift: float, *, exact: bool, mean: float = 0.0, rounding: float | None = None) -> str:
    """A contract's drift in words; `rounding` where it had to be measured in double precision."""
    if drift == 0:
        return "exactly equal"
    if rounding is not None:
        return f"{drift:.1e} relative in double precision; single precision rounds by {rounding:.1e}"
    percent = f"{drift:.1e}" if drift < EXACT else f"{drift:.2%}"
    if exact:
        return f"equal up to rounding ({percent} relative)"
    return f"drifts by {percent} relative" + (f" at most, {mean:.2%} on average" if mean > EXACT else "")
