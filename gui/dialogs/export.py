"""The sheet that goes with an export or a verification: progress with cancel, then what Keras says of the file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from core.errors import Cancelled, NotChecked, SutureError
from core.model.plan import Verification
from core.writers.partials import meant_path
from gui.dialogs.drift import DriftByLayer
from gui.document import kept
from gui.document.processes import details
from gui.document.work import Work
from gui.models.digest import size_words
from gui.widgets.parts import IconLabel, Look, clear_layout, divider, label, named
from gui.widgets.sheet import Sheet

EXACT = 1e-5


class ExportSheet(Sheet):
    """Non-modal: the window stays alive behind it. It listens to both jobs."""

    tells = True

    def __init__(self, work: Work, look: Look, parent: QWidget) -> None:
        super().__init__(parent, "export", "Export", 440)
        self._work, self._session, self._look = work, work.session, look
        self._path = ""
        self._kept = ""
        """Where the result lies while it may not have its name."""
        self._made: set[str] = set()
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
        self.delete = named(QPushButton("Delete"), "deleteResult")
        self.delete.clicked.connect(self._on_delete)
        self.mark = named(QPushButton("Mark as unverified"), "markResult")
        self.mark.clicked.connect(self._on_mark)
        self.keep = named(QPushButton("Keep"), "keepResult")
        self.keep.clicked.connect(self._on_keep)
        self.again = named(QPushButton("Check again"), "primary")
        self.again.clicked.connect(self._on_again)
        self.cancel = named(QPushButton("Cancel export"), "cancelExport")
        self.cancel.clicked.connect(self._on_cancel)
        self.done_button = named(QPushButton("Close"), "primary")
        self.done_button.clicked.connect(self.leave)
        self._buttons = (
            self.folder, self.copy, self.delete, self.mark, self.keep, self.again, self.cancel, self.done_button,
        )  # fmt: skip
        for button in self._buttons:
            buttons.addWidget(button)
        column.addLayout(buttons)
        for job, done in ((work.exporting, self.on_finished), (work.verifying, self.on_verified)):
            job.finished.connect(done)
            job.failed.connect(self.on_failed)
        work.advance.moved.connect(self._on_moved)

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
        self.cancel.setText("Cancel export" if verb == "Writing" else "Cancel check")
        self.bar.setValue(0)
        self._offer(self.cancel)
        self._on_moved()
        self.open(self.cancel)

    def _offer(self, *buttons: QPushButton) -> None:
        """Show these buttons and no others."""
        self.bar.setVisible(self.cancel in buttons)
        for button in self._buttons:
            button.setVisible(button in buttons)

    def _end(self, icon: str, tone: str, title: str, words: str, *buttons: QPushButton) -> None:
        """Show how it ended, with what can be done now; the last of the buttons is the one for Enter."""
        at: QWidget | None = self.window().focusWidget()
        held = self.isVisible() and at is not None and self.isAncestorOf(at)
        self._icon.set_icon(icon, tone)
        self.title.setText(title)
        self.subtitle.setText(words)
        self._offer(*buttons)
        if held:
            buttons[-1].setFocus()
        else:
            self.come_back(buttons[-1])
        self.settle()

    @Slot()
    def _on_moved(self) -> None:
        """The engine's word of how far it is."""
        if self._work.advance.words:
            self.subtitle.setText(self._work.advance.words)
            self.bar.setValue(round(self._work.advance.fraction * 1000))

    @Slot(object)
    def on_finished(self, written: Any) -> None:
        """The file is written, and verified if that was asked."""
        verification = written.verification
        name = Path(self._path).name
        place = f"{size_words(written.bytes)} in {Path(self._path).parent}"
        self._made |= {self._path, written.written}
        self._kept = written.written
        if verification is None:
            self._end("check", "success", f"{name} was written, not checked", place, self.folder, self.done_button)
        elif verification.ok:
            place = f"{place}; {verification.compared} compared"
            self._end("check", "success", f"{name} was written", place, self.folder, self.done_button)
        else:
            words = f"Kept as {Path(written.written).name}, {place}. {verification.reason}."
            if verification.report:
                self._end("error", "error", f"{name} was written, not checked", words, *self._choices)
            else:
                self._end("error", "error", f"{name} failed verification", words, self.delete, self.keep)
        if verification is not None:
            self._show_verification(verification)
        self.settle()

    @property
    def _choices(self) -> tuple[QPushButton, ...]:
        """What can be done with a result that is whole and was not checked."""
        return self.delete, self.keep, self.again

    @Slot(object)
    def on_verified(self, verification: Verification) -> None:
        """A file was checked again."""
        name = Path(self._path).name
        self._kept = self._path
        if verification.ok:
            place = str(Path(self._path).parent)
            self._end("check", "success", f"{name} matches the plan", place, self.folder, self.done_button)
        else:
            words = f"{verification.reason}."
            offered = [self.delete] if self._path in self._made else []
            offered += [self.mark] if self._may_mark() and not verification.report else []
            self._end("error", "error", f"{name} failed verification", words, *offered, self.done_button)
        self._show_verification(verification)
        self.settle()

    def _may_mark(self) -> bool:
        """Whether the checked file may lose its name: one that the document is made from may not."""
        source = self._session.source
        used = () if source is None else (source.path, source.weights_path)
        return not any(one and Path(one).resolve() == Path(self._path).resolve() for one in used)

    @Slot(object)
    def on_failed(self, error: SutureError) -> None:
        """Nothing was written; or it was, and the check could not be made."""
        self._details = details(error)
        name = Path(self._path).name
        if isinstance(error, NotChecked):
            self._kept = error.fields["kept"]
            self._made.add(self._kept)
            if error.fields["passed"]:
                self._end("check", "success", f"{name} was written", error.message, self.folder, self.done_button)
            else:
                title = f"{name} was written, not checked"
                self._end("warning", "warning", title, error.message, *self._choices)
        elif isinstance(error, Cancelled):
            self.leave()
        else:
            title = "Nothing was written" if self._verb == "Writing" else "The file was not checked"
            self._end("error", "error", title, error.message, self.copy, self.done_button)

    def _show_verification(self, verification: Verification) -> None:
        clear_layout(self._results)
        self.drift = None
        self._results.addWidget(divider())
        if self._inputs:
            names = ", ".join(Path(one).name for one in self._inputs[:3]) + (
                ", \u2026" if len(self._inputs) > 3 else ""
            )
            said = "".join(f" {note}" for note in verification.notes)
            self._results.addWidget(label(f"Run on your own inputs: {names}.{said}", "small", wrap=True))
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
    def _on_again(self) -> None:
        out = str(meant_path(self._kept))
        self._work.advance.begin(writes=False)
        self.begin(out, "Checking", self._inputs)
        self._work.exporting.check_again(out, self._inputs)

    @Slot()
    def _on_keep(self) -> None:
        """What was not checked gets its name; what failed keeps the one that says so."""
        if not self.again.isVisible():
            self.leave()
            return
        if self._tried(lambda: kept.give_name(self._kept)):
            self._work.exporting.named()
            name = Path(self._kept).name
            place = f"Kept by your choice, in {Path(self._kept).parent}."
            self._end("info", "info", f"{name} was written, not checked", place, self.folder, self.done_button)

    @Slot()
    def _on_mark(self) -> None:
        if self._tried(lambda: kept.mark_unverified(self._path)):
            name = Path(self._path).name
            words = f"It is called {Path(self._kept).name} now, in {Path(self._path).parent}."
            self._end("info", "info", f"{name} failed verification", words, self.folder, self.done_button)

    @Slot()
    def _on_delete(self) -> None:
        path = self._kept

        def delete() -> str:
            kept.delete(path)
            return ""

        if self._tried(delete):
            clear_layout(self._results)
            words = "Nothing is left of this export."
            self._end("info", "info", f"{Path(path).name} was deleted", words, self.done_button)

    def _tried(self, change: Callable[[], str]) -> bool:
        """Change something on the disk, which may refuse; the change answers where the result lies then."""
        try:
            self._kept = change()
        except SutureError as error:
            self.subtitle.setText(error.message)
            self.settle()
            return False
        return True

    @Slot()
    def _on_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(self._path).parent)))

    @Slot()
    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self._details)


def facts(verification: Verification) -> Iterator[tuple[bool, str, str]]:
    """What was asked of the file beside its contracts: the answer, and the words for yes and for no."""
    if not verification.skipped and not verification.report:
        name = verification.runtime
        yield verification.reloaded, f"{name} loads the file", f"{name} does not load the file"
        yes = "A forward pass gives finite outputs of the planned shapes"
        yield verification.forward, yes, "The forward pass failed"
    if verification.arrays or not verification.copied_equal:
        yes = f"{verification.arrays:,} arrays match the plan bit for bit"
        yield verification.copied_equal, yes, "Some arrays do not match the plan"
    if verification.copied_equal:
        for words in verification.proved:
            yield True, words, ""


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
