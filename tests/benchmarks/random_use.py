"""Random use of the real window: `python -m tests.benchmarks.random_use [--actions N] [--seed S] [--minutes M]`.

Samples and generated models are opened, edited, undone, folded, coloured, searched, exported, and helper processes are
killed. After each action nothing may have been raised or warned of, the event loop answers, plans end, and Escape gives
the keyboard back. The exit code is 1 where something was wrong; the seed plays the same actions again.
"""

import argparse
import contextlib
import faulthandler
import os
import sys
import tempfile
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from PySide6.QtCore import (
    QEventLoop,
    QMessageLogContext,
    QObject,
    QTimer,
    QtMsgType,
    QUrl,
    Slot,
    qInstallMessageHandler,
)
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication

from core.service.client import Worker
from gui import app as program
from gui.document.settings import Settings
from gui.panels.welcome import samples
from gui.window import let_go
from tests.benchmarks import chains
from tests.benchmarks.random_person import Person
from tests.benchmarks.window_probe import resident

EVERY = 50
GROWTH = 50_000_000
LIMIT = 90.0
"""Seconds in which whatever was begun has to be over."""
ANSWER = 2.0
"""Seconds of processor time in which the event loop has to answer; others may keep the machine busy."""
MOST_TROUBLES = 10
LAST = 12
IGNORED = ("This plugin does not support",)
"""Said by platforms without a window manager."""


class Troubles:
    """What was raised, warned of, or stuck."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._hook, self._unraisable = sys.excepthook, sys.unraisablehook

    def install(self) -> None:
        """Hear of everything that nobody caught."""
        sys.excepthook = self._on_error
        sys.unraisablehook = lambda told: self.found.append(f"unraisable: {told.exc_value!r} in {told.object!r}")
        qInstallMessageHandler(self._on_message)

    def remove(self) -> None:
        """Put back what was there before."""
        sys.excepthook, sys.unraisablehook = self._hook, self._unraisable
        qInstallMessageHandler(None)

    def _on_error(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        self.found.append("".join(traceback.format_exception(kind, error, trace)))

    def _on_message(self, kind: QtMsgType, _context: QMessageLogContext, text: str) -> None:
        if kind is QtMsgType.QtFatalMsg:
            print(f"Qt ends the program: {text}", file=sys.stderr, flush=True)
        if kind not in (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg) and not any(one in text for one in IGNORED):
            self.found.append(f"Qt says: {text}")


class Browser(QObject):
    """Takes the pages and folders that would be shown by other programs."""

    @Slot(QUrl)
    def take(self, url: QUrl) -> None:
        """Show nothing."""


class Watch:
    """Looks at the window after each action."""

    def __init__(self, person: Person, troubles: Troubles) -> None:
        self.person, self.troubles = person, troubles
        self.slowest = 0.0

    def settle(self) -> None:
        """Wait until what was begun is over, and look whether everything is as it should be."""
        self._answers()
        self.person.answer_dialogs()
        self.person.leave_sheets()
        if not wait(lambda: not self._under_way(), LIMIT):
            self.troubles.found.append(f"still under way after {LIMIT:.0f} s: {self._under_way()}")
        self.person.answer_dialogs()
        self.person.leave_sheets()
        for sheet in self.person.sheets():
            if sheet.asks:
                self.troubles.found.append(f"the sheet {sheet.accessibleName()!r} stays after Escape")
        if self.person.windows.helpers.engine_state == "failed":
            self.troubles.found.append("the engine is given up")
        if QApplication.activePopupWidget() is not None and not wait(
            lambda: QApplication.activePopupWidget() is None, 5
        ):
            self.troubles.found.append(f"a popup stays: {QApplication.activePopupWidget()}")
        self._keyboard()
        self._answers()

    def _answers(self) -> None:
        began = time.thread_time()
        answered: list[bool] = []
        QTimer.singleShot(0, lambda: answered.append(True))
        if not wait(lambda: bool(answered), 60):
            self.troubles.found.append("the event loop does not answer")
        taken = time.thread_time() - began
        self.slowest = max(self.slowest, taken)
        if taken > ANSWER:
            self.troubles.found.append(f"the event loop took {taken:.1f} s to answer")

    def _under_way(self) -> list[str]:
        """What is not over yet."""
        windows = self.person.windows
        found = (
            []
            if windows.helpers.engine_state in ("ready", "off", "failed")
            else [f"engine {windows.helpers.engine_state}"]
        )
        for window in windows.all:
            work = window.page.work
            if work.session.planning:
                found.append(f"planning {window.page.tab().name}")
            if work.opening.running:
                found.append(f"opening {work.opening.path}")
            if work.busy and not self.person.working:
                found.append("writing or checking")
        return found

    def _keyboard(self) -> None:
        """Ctrl+F must reach the field that finds layers: nothing holds the keyboard."""
        if not self.person.has_model():
            return
        window = self.person.window
        window.activateWindow()
        if wait(window.isActiveWindow, 5) and self.person.command("find"):
            finder = window.page.top.finder
            if not wait(finder.hasFocus, 2):
                self.troubles.found.append(f"the keyboard is held: Ctrl+F leaves it at {QApplication.focusWidget()}")

    def at_rest(self) -> int:
        """Close everything; the memory that the window still has, in bytes."""
        windows = self.person.windows
        for window in windows.all[1:]:
            forget(window)
            window.close()
        window = windows.all[0]
        forget(window)
        while len(window.documents) > 1:
            window.close_page(window.documents[-1])
        window.close_page(window.page)
        self.person.working = False
        wait(lambda: not self._under_way(), LIMIT)
        pause(0.3)
        let_go()
        return resident()


def forget(window: Any) -> None:
    """Nobody is asked about what is not saved."""
    for page in window.documents:
        page.unsaved.forget()


def wait(holds: Callable[[], bool], seconds: float) -> bool:
    """Turn the event loop until something holds; whether it did in time."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        pause(0.01)
    return True


def pause(seconds: float) -> None:
    """Turn the event loop for a while."""
    loop = QEventLoop()
    QTimer.singleShot(int(seconds * 1000), loop.quit)
    loop.exec()


def generated(folder: Path, seed: int) -> list[Path]:
    """Models of several kinds, as large as the seed says."""
    sizes = (20 + seed % 7, 120 + seed % 11)
    makers = {
        "chain": chains.chain, "convolutions": chains.conv_chain, "nested": chains.nested_chain,
        "branches": chains.branching, "words": chains.words_chain, "fan": chains.fan, "wrapped": chains.wrapped_chain,
    }  # fmt: skip
    return [make(folder / f"{name}_{size}.keras", size) for name, make in makers.items() for size in sizes]


def children() -> list[str]:
    """The command lines of this process's children, without the one that Python keeps for all; Linux only."""
    found = []
    for task in Path("/proc/self/task").glob("*/children"):
        for number in task.read_text().split():
            with contextlib.suppress(OSError):
                words = Path("/proc", number, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if "resource_tracker" not in words and words:
                    found.append(f"{number} {words[:120]}")
    return found


def play(
    person: Person, watch: Watch, actions: int, until: float, say: Callable[[str], object], tell: bool = False
) -> deque[str]:
    """The actions one after another; what the last ones were."""
    last: deque[str] = deque(maxlen=LAST)
    troubles, told, base, began = watch.troubles, 0, 0, time.monotonic()
    for number in range(1, actions + 1):
        try:
            last.append(f"{number} {person.act()}")
        except Exception:  # noqa: BLE001 - told like everything else that goes wrong
            last.append(f"{number} raised")
            troubles.found.append(traceback.format_exc())
        if tell:
            say(last[-1])
        watch.settle()
        if troubles.found[told:]:
            words = "\n".join(dict.fromkeys(troubles.found[told:]))
            say(f"TROUBLE after action {number}:\n{words}\nlast actions:\n  " + "\n  ".join(last))
        told = len(troubles.found)
        if number % EVERY == 0:
            pages = sum(len(window.documents) for window in person.windows.all)
            words = f"{number} actions, {time.monotonic() - began:.0f} s, {pages} documents, {resident() / 1e6:.0f} MB"
            if not base:
                base = watch.at_rest()
                words += f", {base / 1e6:.0f} MB with nothing open"
            say(words)
        if told >= MOST_TROUBLES or time.monotonic() > until:
            break
    if base:
        end = watch.at_rest()
        say(f"memory with nothing open: {base / 1e6:.0f} MB after {EVERY} actions, {end / 1e6:.0f} MB at the end")
        if end - base > GROWTH:
            troubles.found.append(f"memory grew by {(end - base) / 1e6:.0f} MB")
    return last


@contextlib.contextmanager
def environment() -> Iterator[Path]:
    """A folder for everything that is written, and nothing of the person's own is touched."""
    if sys.platform == "linux" and not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory(prefix="random-use-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        os.environ.update(SUTURE_STATE=str(folder / "state"), SUTURE_CACHE=str(folder / "cache"))
        before = Path.cwd()
        (folder / "out").mkdir()
        os.chdir(folder / "out")
        try:
            yield folder
        finally:
            os.chdir(before)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Uses the real window at random, by a seed.")
    parser.add_argument("--actions", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--tell", action="store_true", help="print every action")
    wanted = parser.parse_args(arguments)
    faulthandler.enable()
    until = time.monotonic() + wanted.minutes * 60

    def say(text: str) -> None:
        print(text, flush=True)

    with environment() as folder:
        app = QApplication(["suture"])
        app.setQuitOnLastWindowClosed(False)
        browser = Browser()
        for scheme in ("file", "http", "https"):
            QDesktopServices.setUrlHandler(scheme, browser, "take")  # type: ignore[arg-type]  # the stubs want bytes, Qt a str
        settings = Settings(folder / "settings.ini")
        painter = program.Painter(app, settings)
        workers: dict[str, Worker] = {}

        def make(kind: str) -> Worker:
            workers[kind] = Worker("reader" if kind == "reader" else "engine")
            return workers[kind]

        program.make_worker = make
        window = program.build(settings, painter.look)
        windows = window.windows
        windows.theme_chosen.connect(painter.choose)
        windows.quit = lambda: None  # type: ignore[method-assign]  # it would end the run
        troubles = Troubles()
        troubles.install()
        window.resize(1440, 900)
        window.show()
        window.activateWindow()
        windows.helpers.start()
        wait(lambda: windows.helpers.engine_state == "ready", LIMIT)
        person = Person(
            windows, wanted.seed, [*samples(), *generated(folder / "models", wanted.seed)], folder / "out", workers
        )
        watch = Watch(person, troubles)
        last = play(person, watch, wanted.actions, until, say, wanted.tell)
        person.stop()
        del window
        for each in list(windows.all):
            forget(each)
            each.close()
        pause(0.5)
        left = children() if sys.platform == "linux" else []
        if left:
            troubles.found.append(f"processes are left: {left}")
        troubles.remove()
    done = last[-1].split()[0] if last else "0"
    count, slowest = len(troubles.found), watch.slowest
    say(f"seed {wanted.seed}: {done} actions, {count} troubles, the event loop answered in {slowest:.2f} s at most")
    for line, times in Counter(one.strip().splitlines()[-1] for one in troubles.found).items():
        say(f"- {times} x {line}")
    if troubles.found:
        say("the last actions:\n  " + "\n  ".join(last))
    return 1 if troubles.found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
