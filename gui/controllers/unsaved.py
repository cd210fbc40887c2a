"""Nothing that a person made is lost without being asked: before a model goes, and after an end that nobody wanted."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from PySide6.QtCore import QLockFile, QObject, QTimer, Slot
from PySide6.QtWidgets import QWidget

from core.errors import SutureError
from core.recipes.recipe import Recipe, from_json, to_json
from gui.controllers.desk import Desk
from gui.controllers.file_commands import FileCommands
from gui.controllers.opened import ForgetRecipe, Link, RestoreRecipe
from gui.dialogs.unsaved import UnsavedSheet
from gui.panels.banner import Banner
from gui.session import Session

REST_MS = 800
SLOTS = 8


class Left(Struct, frozen=True):
    """What a run that ended unasked left behind: the opened files and the recipe."""

    path: str
    weights_path: str | None
    recipe: Recipe


class Unsaved(QObject):
    """Owned by the window. `ask` runs what would lose the recipe, at once where nothing is lost."""

    def __init__(self, window: QWidget, session: Session, files: FileCommands, desk: Desk, banner: Banner) -> None:
        super().__init__(window)
        self._window, self._session, self._files = window, session, files
        self._desk, self._banner = desk, banner
        self._closing = False
        self._keeper: Keeper | None = None
        self._sheet: UnsavedSheet | None = None
        self._then: Callable[[], None] | None = None
        files.guard = self.ask
        files.recipe_saved.connect(self._on_saved)
        banner.wanted.connect(self._on_wanted)
        for changed in (session.source_changed, session.recipe_changed, session.saved_changed):
            changed.connect(self._show_state)

    @property
    def sheet(self) -> UnsavedSheet:
        """The question, made when first needed."""
        if self._sheet is None:
            self._sheet = UnsavedSheet(self._window)
            self._sheet.save_wanted.connect(self._files.save_recipe_again)
            self._sheet.discard_wanted.connect(self._on_discard)
            self._sheet.closed.connect(self._on_closed)
        return self._sheet

    def ask(self, then: Callable[[], None], deed: str) -> None:
        """Do `then`, which loses the recipe; where it holds something unsaved, ask first. `deed` says what is done."""
        if not self._session.unsaved:
            then()
            return
        self._then = then
        self.sheet.begin(len(self._session.recipe.edits), deed)

    def forget(self) -> None:
        """The recipe may go: nobody is asked about it."""
        self._session.mark_saved()

    @Slot()
    def _show_state(self) -> None:
        """The title says it in the way of the platform."""
        self._window.setWindowModified(self._session.unsaved)

    # closing

    def may_close(self) -> bool:
        """Whether the window may close now; if not, the person is asked, and it closes when they say so."""
        if self._closing or not self._session.unsaved:
            return True
        self.ask(self._close_now, "Closing the window")
        return False

    def _close_now(self) -> None:
        self._closing = True
        # not within the click that said so: closing takes the clicked button away
        QTimer.singleShot(0, self._window, self._window.close)

    # after an end that nobody wanted

    def keep_safe(self, folder: Path) -> None:
        """Write unsaved recipes to a folder as they are made, and offer what a run before left there."""
        self._keeper = Keeper(self._session, folder, self)
        left = self._keeper.left
        if left is not None:
            count = len(left.recipe.edits)
            steps = "1 step" if count == 1 else f"{count} steps"
            self._banner.say(
                "warning",
                f"Suture ended before {steps} for {Path(left.path).name} could be saved.",
                links=[Link(RestoreRecipe(), "Restore"), Link(ForgetRecipe(), "Discard")],
            )

    def close(self) -> None:
        """The window closes: what is written down for a crash goes."""
        if self._keeper is not None:
            self._keeper.close()

    @Slot(object)
    def _on_wanted(self, action: object) -> None:
        """Restore what a run before left, or forget it."""
        left = self._keeper.left if self._keeper is not None else None
        if self._keeper is None or left is None or not isinstance(action, RestoreRecipe | ForgetRecipe):
            return
        self._banner.dismiss()
        if isinstance(action, ForgetRecipe):
            self._keeper.let_go()
        else:
            self.ask(
                lambda: self._desk.open_with(left.path, left.weights_path, left.recipe, Recipe()),
                "Restoring the other recipe",
            )

    # the sheet

    @Slot()
    def _on_discard(self) -> None:
        self.forget()
        self._go_on()

    @Slot()
    def _on_saved(self) -> None:
        if self._then is not None:
            self._go_on()

    @Slot()
    def _on_closed(self) -> None:
        self._then = None

    def _go_on(self) -> None:
        then, self._then = self._then, None
        self.sheet.leave()
        if then is not None:
            then()


class Keeper(QObject):
    """Writes the unsaved recipe to a file of this run, which is removed when nothing is unsaved any more.

    Each run has a slot of its own in the folder, held by a lock that the system frees when a run ends, however it
    ends; what lies in a slot that is free was left by a run that did not end by itself.
    """

    def __init__(self, session: Session, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.left: Left | None = None
        self._file: Path | None = None
        self._lock: QLockFile | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        self._timer.timeout.connect(self.write)
        self._take_slot(folder)
        session.recipe_changed.connect(self._timer.start)
        session.saved_changed.connect(self._timer.start)

    def _take_slot(self, folder: Path) -> None:
        """A free slot; rather one in which something was left, so that it is offered once."""
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        free: list[tuple[Path, QLockFile]] = []
        for number in range(SLOTS):
            lock = QLockFile(str(folder / f"unsaved-{number}.lock"))
            lock.setStaleLockTime(0)  # a lock's age says nothing, only whether its process still runs
            if lock.tryLock(0):
                free.append((folder / f"unsaved-{number}.json", lock))
        chosen = next((one for one in free if read_left(one[0]) is not None), free[0] if free else None)
        for one in free:
            if one is not chosen:
                one[1].unlock()
        if chosen is not None:
            self._file, self._lock = chosen
            self.left = read_left(self._file)

    @Slot()
    def write(self) -> None:
        """Make the file say what is unsaved now."""
        self._timer.stop()
        if self._file is None:
            return
        source = self._session.source
        with contextlib.suppress(OSError):
            if source is None or not self._session.unsaved:
                if self.left is None:
                    self._file.unlink(missing_ok=True)
                return
            self.left = None
            content = {
                "path": source.path,
                "weights_path": source.weights_path,
                "recipe": json.loads(to_json(self._session.recipe)),
            }
            fresh = self._file.with_suffix(".new")
            fresh.write_text(json.dumps(content), encoding="utf-8")
            fresh.replace(self._file)

    def let_go(self) -> None:
        """What was left behind is not wanted, or is back in the window."""
        self.left = None
        self.write()

    def close(self) -> None:
        """This run ends by itself: nothing was left behind, but what was not yet decided on is."""
        self._timer.stop()
        if self._file is not None and self.left is None:
            with contextlib.suppress(OSError):
                self._file.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.unlock()
            self._lock = None
        self._file = None


def read_left(file: Path) -> Left | None:
    """What a file of the keeper holds, `None` if it makes no sense or its model is gone."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        recipe = from_json(json.dumps(content["recipe"]).encode())
        path, weights = str(content["path"]), content.get("weights_path")
    except (OSError, ValueError, KeyError, TypeError, SutureError):
        return None
    return Left(path, weights, recipe) if recipe.edits and Path(path).exists() else None
