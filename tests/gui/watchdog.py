"""How long the event loop is held up by what a person does, in processor time of the window's own thread.

Time on the wall says more of a busy machine than of the program; of several tries the best counts, for the same reason.
"""

from collections.abc import Callable
from time import thread_time

from PySide6.QtCore import QAbstractEventDispatcher, QObject, QTimer
from pytestqt.qtbot import QtBot


class Watchdog(QObject):
    """Measures each turn of the event loop between two looks at what is waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.worst = 0.0
        self._since = thread_time()
        dispatcher = QAbstractEventDispatcher.instance()
        assert dispatcher is not None
        dispatcher.awake.connect(self._turn)
        dispatcher.aboutToBlock.connect(self._turn)
        self._dispatcher = dispatcher

    def _turn(self) -> None:
        now = thread_time()
        self.worst, self._since = max(self.worst, now - self._since), now

    def end(self) -> None:
        """Stop measuring."""
        self._dispatcher.awake.disconnect(self._turn)
        self._dispatcher.aboutToBlock.disconnect(self._turn)


def longest_stall(qtbot: QtBot, act: Callable[[], object], again: Callable[[], object], tries: int = 3) -> float:
    """Seconds of the longest turn while something is done in the event loop; `again` makes ready for another try."""
    found = []
    for _ in range(tries):
        watchdog = Watchdog()
        QTimer.singleShot(0, watchdog, act)
        qtbot.wait(40)
        watchdog.end()
        found.append(watchdog.worst)
        again()
        qtbot.wait(1)
    return min(found)
