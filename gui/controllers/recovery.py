"""After an end that nobody wanted: unsaved recipes are written down as they are made, and offered at the next start."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct
from PySide6.QtCore import QLockFile, QObject, QTimer, Slot

from core.errors import SutureError
from core.recipes.recipe import Recipe, from_json, to_json
from gui.document.session import Session
from gui.models.opened import ForgetRecipe, Link, RestoreRecipe
from gui.panels.banner import Banner

REST_MS = 800
SLOTS = 64


class Left(Struct, frozen=True):
    """What a document of a run that ended unasked left behind: the opened files and the recipe."""

    path: str
    weights_path: str | None
    recipe: Recipe


class Held:
    """A file for the unsaved recipe of one document, and the lock that says whose it is.

    The system frees the lock when a run ends, however it ends; what lies in a file whose lock is free was left by a run
    that did not end by itself.
    """

    def __init__(self, file: Path, lock: QLockFile) -> None:
        self.file, self._lock = file, lock

    def free(self, *, clear: bool) -> None:
        """Somebody else may have it; `clear` removes what it holds."""
        if clear:
            with contextlib.suppress(OSError):
                self.file.unlink(missing_ok=True)
        self._lock.unlock()


class Slots:
    """The files of a folder, of which every document with an unsaved recipe takes one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)

    def _free(self, *, used: bool) -> Iterator[Held]:
        """Files that nobody holds, with or without something in them, each held from now on."""
        for number in range(SLOTS):
            file = self._folder / f"unsaved-{number}.json"
            if file.exists() != used:
                continue
            lock = QLockFile(str(file.with_suffix(".lock")))
            lock.setStaleLockTime(0)  # a lock's age says nothing, only whether its process still runs
            if lock.tryLock(0):
                yield Held(file, lock)

    def left(self) -> list[tuple[Held, Left]]:
        """What runs before left behind; nobody else is offered it as long as it is held."""
        found = []
        for held in self._free(used=True):
            left = read_left(held.file)
            if left is None:
                held.free(clear=False)
            else:
                found.append((held, left))
        return found

    def take(self) -> Held | None:
        """A file for a document, `None` where there is none."""
        return next(self._free(used=False), None)


class Recovery(QObject):
    """One for the program. `restore` opens what was left; the document's keeper then goes on with the same file."""

    def __init__(self, restore: Callable[[Left], Session], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._restore = restore
        self._slots: Slots | None = None
        self._keepers: dict[Session, Keeper] = {}
        self._left: list[tuple[Held, Left]] = []
        self._banner: Banner | None = None

    def watch(self, session: Session) -> None:
        """A document begins."""
        keeper = self._keepers[session] = Keeper(session, self)
        keeper.slots = self._slots

    def unwatch(self, session: Session) -> None:
        """A document ends by itself: nothing is left behind of it."""
        keeper = self._keepers.pop(session, None)
        if keeper is not None:
            keeper.close()
            keeper.deleteLater()

    def keep_safe(self, folder: Path, banner: Banner) -> None:
        """Write unsaved recipes to a folder as they are made, and offer what a run before left there."""
        self._slots = Slots(folder)
        for keeper in self._keepers.values():
            keeper.slots = self._slots
            keeper.note()
        self._left = self._slots.left()
        if self._left:
            self._banner = banner
            banner.wanted.connect(self._on_wanted)
            banner.say(
                "warning",
                f"Suture closed before {in_words([left for _, left in self._left])} could be saved.",
                links=[Link(RestoreRecipe(), "Restore"), Link(ForgetRecipe(), "Discard")],
            )

    def close(self) -> None:
        """The run ends by itself: nothing is left behind, but what was not yet decided on is."""
        for session in list(self._keepers):
            self.unwatch(session)
        for held, _ in self._left:
            held.free(clear=False)
        self._left = []

    @Slot(object)
    def _on_wanted(self, action: object) -> None:
        """Restore what a run before left, or forget it."""
        if not self._left or self._banner is None or not isinstance(action, RestoreRecipe | ForgetRecipe):
            return
        found, self._left = self._left, []
        self._banner.dismiss()
        for held, left in found:
            if isinstance(action, ForgetRecipe):
                held.free(clear=True)
            else:
                self._keepers[self._restore(left)].adopt(held)


class Keeper(QObject):
    """Writes a document's unsaved recipe to a file, which is removed when nothing is unsaved any more."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.slots: Slots | None = None
        self._held: Held | None = None
        self._adopted = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        self._timer.timeout.connect(self.write)
        session.recipe_changed.connect(self.note)
        session.saved_changed.connect(self.note)

    @Slot()
    def note(self) -> None:
        """Something has changed."""
        if self.slots is not None:
            self._timer.start()

    def adopt(self, held: Held) -> None:
        """The document is being restored from this file, which holds the recipe until the document does."""
        self._held, self._adopted = held, True

    @Slot()
    def write(self) -> None:
        """Make the file say what is unsaved now."""
        self._timer.stop()
        source = self._session.source
        if source is None or not self._session.unsaved:
            if self._held is not None and not self._adopted:
                self._held.free(clear=True)
                self._held = None
            return
        self._adopted = False
        if self._held is None and self.slots is not None:
            self._held = self.slots.take()
        if self._held is None:
            return
        content = {
            "path": source.path,
            "weights_path": source.weights_path,
            "recipe": json.loads(to_json(self._session.recipe)),
        }
        fresh = self._held.file.with_suffix(".new")
        with contextlib.suppress(OSError):
            fresh.write_text(json.dumps(content), encoding="utf-8")
            fresh.replace(self._held.file)

    def close(self) -> None:
        """The document ends by itself; what could not be restored stays where it is."""
        self._timer.stop()
        if self._held is not None:
            self._held.free(clear=not self._adopted)
            self._held = None


def in_words(left: Sequence[Left]) -> str:
    """Whose steps were not saved."""
    parts = []
    for one in left:
        count = len(one.recipe.edits)
        parts.append(f"{count} step{'' if count == 1 else 's'} for {Path(one.path).name}")
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def read_left(file: Path) -> Left | None:
    """What a file of a keeper holds, `None` if it makes no sense or its model is gone."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        recipe = from_json(json.dumps(content["recipe"]).encode())
        path, weights = str(content["path"]), content.get("weights_path")
    except (OSError, ValueError, KeyError, TypeError, SutureError):
        return None
    return Left(path, weights, recipe) if recipe.edits and Path(path).exists() else None
