"""Finding layers: the box in the bar, the tree that shows what it finds, the canvas that marks it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Slot

from core.analysis.finding import Found, find, parse
from gui.document.session import Session
from gui.panels.find_box import FindBox
from gui.widgets.actions import Actions

if TYPE_CHECKING:
    from gui.canvas import GraphView
    from gui.panels.layers import LayersPanel

PAUSE_MS = 60
"""So long nobody types before it is looked."""


class Finding(QObject):
    """Owned by the page. What is found is found again whenever the plan or the view changes."""

    def __init__(self, page: QObject, session: Session, actions: Actions, box: FindBox) -> None:
        super().__init__(page)
        self._session, self._actions, self._box = session, actions, box
        self._panels: tuple[LayersPanel, GraphView] | None = None
        self._go: Callable[[str], object] | None = None
        self.hits: tuple[str, ...] = ()
        """What is found, as paths that can be selected."""
        self._places: dict[str, int] = {}
        self._problem = ""
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self.refresh)
        box.query_changed.connect(self._on_query)
        box.step_wanted.connect(self.step)
        box.left.connect(self._on_left)
        actions["find"].triggered.connect(self.begin)
        actions["find_next"].triggered.connect(lambda: self.step(1))
        actions["find_previous"].triggered.connect(lambda: self.step(-1))
        actions["select_all"].triggered.connect(self.select_all)
        for signal in (session.plan_changed, session.view_changed, session.source_changed):
            signal.connect(self.refresh)
        session.source_changed.connect(box.clear)
        session.selection_changed.connect(self._say)

    def follow(self, layers: "LayersPanel", canvas: "GraphView", go: Callable[[str], object]) -> None:
        """Show what is found in these panels; `go` gives the keyboard to a place."""
        self._panels, self._go = (layers, canvas), go
        self.refresh()

    @property
    def asked(self) -> bool:
        """Whether something is looked for."""
        return bool(parse(self._box.text()).words) or bool(parse(self._box.text()).problem)

    @Slot()
    def begin(self) -> None:
        """Give the keyboard to the box."""
        self._box.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self._box.selectAll()

    @Slot(str)
    def _on_query(self, text: str) -> None:
        if text.strip():
            self._pause.start()
        else:
            self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Look again, and show it."""
        self._pause.stop()
        found = self._found()
        asked = self.asked
        self._problem = found.problem
        self.hits = found.paths
        self._places = {path: place for place, path in enumerate(self.hits)}
        for name in ("find_next", "find_previous"):
            self._actions[name].setEnabled(bool(self.hits))
        if self._panels is not None and self._session.source is not None:
            layers, canvas = self._panels
            layers.filter_to(frozenset(self.hits) if asked and not found.problem else None)
            canvas.show_hits(self.hits)
        self._say()

    def _found(self) -> Found:
        """What the query means in the view that is shown; of removed layers, their paths in the source."""
        session, text = self._session, self._box.text()
        graph, plan, before = session.shown_graph, session.plan, session.before_graph
        if graph is None or before is None:
            return Found()
        if session.view != "difference" or plan is None:
            return find(graph, plan, text, before=session.view == "before")
        # not at the top: the first page needs no canvas
        from gui.canvas.plan_digest import digest_of

        both = digest_of(plan, before).difference
        found = find(both.graph, plan, text)
        return Found(tuple(dict.fromkeys(both.ghosts.get(path, path) for path in found.paths)), found.problem)

    @Slot()
    def _say(self) -> None:
        if not self.asked or self._session.source is None:
            self._box.say("", "", found=0)
            return
        number, place = len(self.hits), self._places.get(self._session.selection)
        if self._problem:
            self._box.say("not complete", self._problem, found=0)
        elif not number:
            self._box.say("no match", self._elsewhere(), found=0)
        elif place is None:
            self._box.say(f"{number:,} found", f"{number:,} layers found; Enter goes to the next", found=number)
        else:
            self._box.say(f"{place + 1:,} of {number:,}", f"Layer {place + 1:,} of {number:,} found", found=number)

    def _elsewhere(self) -> str:
        """That what is looked for is in another view, such as layers that a step removed."""
        session, before = self._session, self._session.before_graph
        if session.view != "after" or before is None:
            return "No layer matches."
        if find(before, session.plan, self._box.text(), before=True).paths:
            return "No layer of the edited model matches. The Difference view shows layers that a step removed."
        return "No layer matches."

    @Slot(int)
    def step(self, by: int) -> None:
        """Select the next or the previous layer that is found, around the end."""
        if self._pause.isActive():
            self.refresh()
        if not self.hits:
            return
        place = self._places.get(self._session.selection)
        place = self._nearest(by) if place is None else (place + by) % len(self.hits)
        self._session.select(self.hits[place])

    def _nearest(self, by: int) -> int:
        """Of what is found, the first behind the current layer, or the last before it."""
        graph = self._session.shown_graph
        order = {path: number for number, path in enumerate(graph.by_path())} if graph is not None else {}
        at = order.get(self._session.selection)
        if at is None:
            return 0 if by > 0 else len(self.hits) - 1
        behind = [place for place, path in enumerate(self.hits) if order.get(path, -1) > at]
        if by > 0:
            return behind[0] if behind else 0
        return (behind[0] if behind else len(self.hits)) - 1

    @Slot()
    def select_all(self) -> None:
        """Select everything that is found; if nothing is looked for, every layer."""
        graph = self._session.shown_graph
        if graph is None:
            return
        everything = [path for path, layer in graph.by_path().items() if layer.inner is None]
        self._session.choose(self.hits if self.asked else everything)

    @Slot()
    def _on_left(self) -> None:
        if self._go is not None and self._session.source is not None:
            self._go("layers")
