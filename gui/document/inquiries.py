"""Questions beside the plan: legal sizes, layer classes, fitting presets, weights side by side.

They wait until the engine is free and nobody types, since a plan must never queue behind one of them.
"""

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from core.errors import Cancelled, OwnFault, SutureError
from core.layers.descriptions import LayerClass, RecipeCheck
from core.model.plan import LegalSizes
from core.recipes.recipe import Recipe, to_json
from core.service.messages import AskSizes, CheckRecipes, DescribeLayers, MatchWeights
from gui.document.processes import Processes
from gui.document.session import Session

IDLE_MS = 350

SizesKey = tuple[str, str, tuple[int, ...], int | None]


class Inquiries(QObject):
    """Answers are remembered until another file is opened."""

    sizes_known = Signal()
    classes_known = Signal()
    checks_known = Signal(object)
    matching_known = Signal(object)
    matching_failed = Signal(object)

    def __init__(self, session: Session, processes: Processes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._processes = session, processes
        self._engine = processes.engine
        self.classes: dict[str, LayerClass] = {}
        self._sizes: dict[SizesKey, LegalSizes | None] = {}
        self._waiting: dict[str, tuple[SizesKey, Recipe]] = {}
        self._classes_asked = False
        self._match_id: int | None = None
        self._check_id: int | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(IDLE_MS)
        self._timer.timeout.connect(self._ask_sizes)
        session.source_changed.connect(self._forget)

    @Slot()
    def _forget(self) -> None:
        self._timer.stop()
        self._sizes.clear()
        self._waiting.clear()
        for number in (self._match_id, self._check_id):
            if number is not None:
                self._engine.drop(number)
        self._match_id = self._check_id = None

    # sizes

    def sizes(self, recipe: Recipe, name: str, axes: tuple[int, ...], wanted: int | None) -> LegalSizes | None:
        """What is known by now of an input's sizes; if nothing, it is asked when the engine is idle."""
        key = (to_json(recipe), name, axes, wanted)
        if key in self._sizes:
            self._waiting.pop(name, None)
            return self._sizes[key]
        self._waiting[name] = (key, recipe)
        self._timer.start()
        return None

    @Slot()
    def _ask_sizes(self) -> None:
        session = self._session
        if not self._waiting or session.source is None or not self._engine.alive:
            return
        if session.planning or self._engine.busy or self._processes.engine_state != "ready":
            self._timer.start()
            return
        name, (key, recipe) = next(iter(self._waiting.items()))
        body = AskSizes(recipe=recipe, input=key[1], axes=key[2], wanted=key[3])

        def known(answer: LegalSizes | None) -> None:
            self._sizes[key] = answer
            if name in self._waiting and self._waiting[name][0] == key:
                del self._waiting[name]
            self.sizes_known.emit()
            if self._waiting:
                self._timer.start()

        def failed(error: SutureError) -> None:
            if isinstance(error, Cancelled):
                self._timer.start()
                return
            self._own(error)
            known(None)

        self._engine.ask(body, known, failed)

    def _own(self, error: SutureError) -> None:
        """Nobody waits for these answers, but a mistake of our own is not passed over in silence."""
        if isinstance(error, OwnFault):
            self._session.note.emit(error.message)

    # layer classes

    def want_classes(self) -> None:
        """`classes_known` follows unless they are known already."""
        if self.classes or self._classes_asked:
            return
        self._classes_asked = True
        self._engine.ask(DescribeLayers(), self._on_classes, self._on_no_classes)

    @Slot(object)
    def _on_classes(self, classes: Sequence[LayerClass]) -> None:
        self.classes = {one.name: one for one in classes}
        self.classes_known.emit()

    @Slot(object)
    def _on_no_classes(self, error: SutureError) -> None:
        self._classes_asked = False
        self._own(error)

    # presets

    def check(self, recipes: Sequence[Recipe]) -> None:
        """`checks_known` follows with a `RecipeCheck` for each recipe."""
        if self._check_id is not None:
            self._engine.drop(self._check_id)
        body = CheckRecipes(recipes=tuple(recipes))
        self._check_id = self._engine.ask(body, self._on_checks, self._on_no_checks)

    @Slot(object)
    def _on_checks(self, checks: Sequence[RecipeCheck]) -> None:
        self._check_id = None
        self.checks_known.emit(tuple(checks))

    @Slot(object)
    def _on_no_checks(self, error: SutureError) -> None:
        self._check_id = None
        self._own(error)

    # weights of another file

    def match(self, file: str, match: Any, pairs: tuple[tuple[str, str], ...]) -> None:
        """`matching_known` or `matching_failed` follows; only the latest question is answered."""
        if self._match_id is not None:
            self._engine.drop(self._match_id)
        body = MatchWeights(recipe=self._session.applicable, file=file, match=match, pairs=pairs)
        known, failed = self._settle(self.matching_known), self._settle(self.matching_failed)
        self._match_id = self._engine.ask(body, known, failed)

    def _settle(self, signal: Any) -> Callable[[Any], None]:
        def arrived(value: Any) -> None:
            self._match_id = None
            signal.emit(value)

        return arrived
