"""After an end that nobody wanted: unsaved recipes are written down as they are made, and offered at the next start."""

import contextlib
import json
from pathlib import Path

from msgspec import Struct
from PySide6.QtCore import QLockFile, QObject, QTimer, Slot
from PySide6.QtWidgets import QWidget

from core.errors import SutureError
from core.recipes.recipe import Recipe, from_json, to_json
from gui.controllers.opening import OpenCommands
from gui.controllers.unsaved import Unsaved
from gui.document.session import Session
from gui.models.opened import ForgetRecipe, Link, RestoreRecipe
from gui.panels.banner import Banner

REST_MS = 800
SLOTS = 8


class Left(Struct, frozen=True):
    """What a run that ended unasked left behind: the opened files and the recipe."""

    path: str
    weights_path: str | None
    recipe: Recipe


class Recovery(QObject):
    """Owned by the window."""

    def __init__(
        self, window: QWidget, session: Session, opening: OpenCommands, unsaved: Unsaved, banner: Banner
    ) -> None:
        super().__init__(window)
        self._session, self._opening, self._unsaved, self._banner = session, opening, unsaved, banner
        self._keeper: Keeper | None = None
        banner.wanted.connect(self._on_wanted)

    def keep_safe(self, folder: Path) -> None:
        """Write unsaved recipes to a folder as they are made, and offer what a run before left there."""
        self._keeper = Keeper(self._session, folder, self)
        left = self._keeper.left
        if left is not None:
            count = len(left.recipe.edits)
            steps = "1 step" if count == 1 else f"{count} steps"
            self._banner.say(
                "warning",
                f"Suture closed before {steps} for {Path(left.path).name} could be saved.",
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
            self._unsaved.ask(
                lambda: self._opening.open_with(left.path, left.weights_path, left.recipe, Recipe()),
                "Restoring the other recipe",
            )


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
