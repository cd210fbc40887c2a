"""What is selected: the canvas and the session kept together, and the commands on all of it."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QMenu

from gui.document import freezing
from gui.document.session import Session
from gui.widgets.actions import Actions

if TYPE_CHECKING:
    from gui.canvas import GraphView

COMMANDS: dict[str, tuple[freezing.Scope, bool]] = {
    "freeze_these": ("these", True),
    "freeze_up_to": ("up_to", True),
    "freeze_from": ("from", True),
    "unfreeze_these": ("these", False),
    "unfreeze_up_to": ("up_to", False),
    "unfreeze_from": ("from", False),
}


class Choosing(QObject):
    """Owned by the page. Freezing what is selected is one step of the recipe."""

    def __init__(self, page: QObject, session: Session, actions: Actions) -> None:
        super().__init__(page)
        self._session, self._actions = session, actions
        for name, (scope, frozen) in COMMANDS.items():
            actions[name].triggered.connect(
                lambda _=False, scope=scope, frozen=frozen: freezing.freeze(session, scope, frozen)
            )
        actions["select_none"].triggered.connect(lambda: session.select(""))
        for signal in (session.chosen_changed, session.plan_changed, session.source_changed):
            signal.connect(self._refresh)
        self._refresh()

    def follow(self, canvas: "GraphView") -> None:
        """Keep a canvas and the session in step."""
        canvas.layers_chosen.connect(self._session.choose)
        self._session.chosen_changed.connect(lambda: canvas.show_chosen(self._session.chosen))

    @Slot()
    def _refresh(self) -> None:
        session, actions = self._session, self._actions
        some = bool(freezing.chosen(session))
        for name in COMMANDS:
            actions[name].setEnabled(some)
        actions["select_none"].setEnabled(bool(session.chosen))


def fill_freezing(menu: QMenu, session: Session) -> None:
    """Entries that freeze and unfreeze around the selection; what they mean here is in their tips."""
    paths = freezing.chosen(session)
    for frozen in (True, False):
        verb = "Freeze" if frozen else "Unfreeze"
        for scope, words, tip in freezing.SCOPES:
            if scope == "these":
                if len(paths) < 2:
                    continue
                words = f"these {len(paths):,} layers"
            action = menu.addAction(f"{verb} {words}")
            action.setToolTip(tip)
            action.setEnabled(bool(paths))
            action.triggered.connect(
                lambda _=False, scope=scope, frozen=frozen: freezing.freeze(session, scope, frozen)
            )
