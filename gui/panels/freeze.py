"""Freezing: by pattern, by preset, BatchNormalization's own say, and the totals that follow."""

from collections.abc import Callable

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QStringListModel, Qt, QTimer, Slot
from PySide6.QtWidgets import (
    QCompleter,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from core.edits.set_trainable import meant
from core.errors import EditError
from core.model.graph import Graph
from core.recipes import gestures
from core.recipes.recipe import Recipe
from gui.document.session import Session
from gui.models.digest import can_freeze, count_words
from gui.panels.freeze_selected import FreezeSelected
from gui.panels.states import ThreeStates
from gui.widgets.cells import Field
from gui.widgets.fields import PlainLine
from gui.widgets.form import Form
from gui.widgets.parts import Look, Sentence, divider, label, named

MODES = (
    ("with_layer", "goes with its layer", "BatchNormalization is frozen or trained like any other matching layer."),
    (
        "frozen",
        "always frozen",
        "BatchNormalization keeps its statistics and scale: the usual choice for small datasets.",
    ),
    ("trainable", "always trained", "BatchNormalization is trained even in frozen parts."),
)


FIELDS = (
    Field("batch_norm", "BatchNormalization", "choice", options=MODES, key="batchNormMode", above=True,
          usable=lambda said: bool(said.get("frozen")), explained=lambda said: bool(said.get("frozen"))),
)  # fmt: skip
PAUSE_MS = 80
"""So long nobody types before it is said what a pattern means."""


PATTERNS = (
    "<p>Layers by name or glob, separated by commas. <code>!head</code> takes layers away again, "
    "<code>..conv4</code> means conv4 and all that it depends on, <code>conv4..</code> conv4 and all that depends on "
    "it.</p>"
)


class TermCompleter(QCompleter):
    """Completes the last of several patterns."""

    @override
    def splitPath(self, path: str) -> list[str]:
        return [path.rpartition(",")[2].strip().lstrip("!.")]

    @override
    def pathFromIndex(self, index: QModelIndex | QPersistentModelIndex) -> str:
        field = self.widget()
        typed = field.text() if isinstance(field, QLineEdit) else ""
        before, comma, last = typed.rpartition(",")
        signs = last.strip()[: len(last.strip()) - len(last.strip().lstrip("!."))]
        return f"{before}{comma}{' ' if comma else ''}{signs}{super().pathFromIndex(index)}"


class FreezePanel(QWidget):
    """Patterns and presets become `set_trainable` steps."""

    def __init__(self, session: Session, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("freezePanel")
        self._session = session
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 14, 8)
        column.setSpacing(6)
        self.totals = label("Open a model first.", "heading")
        column.addWidget(self.totals)
        self.memory = label("", "small", wrap=True)
        column.addWidget(self.memory)
        self.states = ThreeStates(session, look)
        column.addWidget(self.states)
        column.addWidget(divider())
        column.addWidget(label("Layers by name or pattern", "fieldLabel"))
        self.pattern = named(PlainLine(), "freezePattern")
        self.pattern.setAccessibleName("Layers by name or pattern")
        self.pattern.setPlaceholderText("block2_*, !head  or  ..conv4")
        self._names = QStringListModel(self)
        self._paths: tuple[str, ...] = ()
        self.pattern.setToolTip(PATTERNS)
        completer = TermCompleter(self._names, self)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.pattern.setCompleter(completer)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self._say_matches)
        self.pattern.textChanged.connect(self._wait)
        column.addWidget(self.pattern)
        self.matches = Sentence("small")
        # one line that is always there: what it says must not move the buttons below from under the pointer
        self.matches.setWordWrap(False)
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        policy.setRetainSizeWhenHidden(True)
        self.matches.setSizePolicy(policy)
        column.addWidget(self.matches)
        row = QHBoxLayout()
        self.freeze = named(QPushButton("Freeze"), "freezeMatches")
        self.freeze.clicked.connect(lambda: self.by_pattern(True))
        self.unfreeze = named(QPushButton("Unfreeze"), "unfreezeMatches")
        self.unfreeze.clicked.connect(lambda: self.by_pattern(False))
        self.pattern.returnPressed.connect(lambda: self.by_pattern(True))
        row.addWidget(self.freeze)
        row.addWidget(self.unfreeze)
        row.addStretch(1)
        column.addLayout(row)
        column.addWidget(divider())
        self.selected = FreezeSelected(session)
        column.addWidget(self.selected)
        column.addWidget(divider())
        column.addWidget(label("Presets", "fieldLabel"))
        column.addLayout(self._presets())
        column.addWidget(divider())
        self.form = Form(FIELDS)
        self.mode = self.form.choice("batch_norm")
        self.mode.picked.connect(self._on_mode)
        column.addWidget(self.form)
        column.addStretch(1)
        session.plan_changed.connect(self.refresh)
        session.recipe_changed.connect(self.refresh)
        session.source_changed.connect(self.refresh)
        self.refresh()

    def _presets(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(6)
        self.buttons: list[QPushButton] = []
        presets: tuple[tuple[str, str, Callable[[], None], tuple[int, int, int]], ...] = (
            ("All but the head", "Freezes everything except the last layer with weights", self.all_but_head, (0, 0, 1)),
            ("Unfreeze all", "Every layer is trained", self.unfreeze_all, (0, 1, 1)),
            (
                "All but BatchNormalization",
                "Freezes everything except BatchNormalization",
                self.all_but_batch_norm,
                (1, 0, 2),
            ),
        )
        for text, tip, action, (row, place, span) in presets:
            button = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(action)
            grid.addWidget(button, row, place, 1, span)
            self.buttons.append(button)
        self.last = named(QPushButton("All but the last"), "freezeLast")
        self.last.setToolTip("Freezes everything except the last layers with weights")
        self.last.clicked.connect(self.all_but_last)
        self.count = named(QSpinBox(), "freezeLastCount")
        self.count.setAccessibleName("How many layers stay trained")
        self.count.setRange(1, 9999)
        self.count.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.count.setValue(3)
        self.count.setSuffix(" layers")
        grid.addWidget(self.last, 2, 0)
        grid.addWidget(self.count, 2, 1)
        self.buttons.append(self.last)
        return grid

    @Slot()
    def refresh(self) -> None:
        """Totals from the plan, the mode from the recipe, names for completion."""
        session = self._session
        graph, plan = session.after_graph, session.plan
        for widget in (self.freeze, self.unfreeze, self.pattern, self.count, *self.buttons):
            widget.setEnabled(graph is not None)
        steps = gestures.steps_of(session.recipe, "set_trainable")
        self.form.set_context(frozen=bool(steps))
        self.form.show_values({"batch_norm": steps[-1].batch_norm if steps else "with_layer"})
        if not steps:
            self.form.explanation.say("Takes effect once something is frozen or unfrozen.")
        if graph is not None:
            paths = tuple(graph.by_path())
            if paths != self._paths:
                self._paths = paths
                self._names.setStringList(paths)
        if plan is not None:
            trained, everything = plan.after.trainable_params, plan.after.params
            self.totals.setText(f"{count_words(trained)} of {count_words(everything)} trained")
            adam = count_words(trained * 8)
            rest = count_words(everything - trained)
            self.memory.setText(f"{rest} not trained \u00b7 Adam needs {adam}B for the rest")
        else:
            self.totals.setText("Open a model first." if session.source is None else "Waiting for the engine\u2026")
            self.memory.setText("")
        self._wait()

    @Slot()
    def _wait(self) -> None:
        """Look once nobody has typed for a moment."""
        self._pause.start()

    @Slot()
    def _say_matches(self) -> None:
        graph, pattern = self._session.after_graph, self.pattern.text().strip()
        if graph is None or not pattern:
            self._say("")
            return
        try:
            found = with_weights(graph, pattern)
        except EditError as error:
            self._say(error.message)
            return
        words = {0: "No layer with weights matches.", 1: f"Matches {found[0]}." if found else ""}
        self._say(words.get(len(found), f"Matches {len(found)} layers with weights."))

    def _say(self, words: str) -> None:
        self.matches.say(words)
        self.matches.setToolTip(words)

    def by_pattern(self, frozen: bool) -> None:
        """Freeze or unfreeze what the pattern names."""
        pattern = self.pattern.text().strip()
        graph = self._session.after_graph
        if not pattern or graph is None:
            return
        self._pause.stop()
        try:
            found = with_weights(graph, pattern)
        except EditError as error:
            self._say(error.message)
            return
        if not found:
            self._say(f"No layer with weights is called \u201c{pattern}\u201d; nothing was changed.")
            return
        verb = "Freeze" if frozen else "Unfreeze"
        self._change(lambda recipe: gestures.set_frozen(recipe, [pattern], frozen), f"{verb} {pattern}")

    @Slot()
    def all_but_head(self) -> None:
        """Everything frozen except the last layer with weights."""
        self._keep_last(1, "Freeze all but the head")

    @Slot()
    def all_but_last(self) -> None:
        """Everything frozen except the last few layers with weights."""
        self._keep_last(self.count.value(), f"Freeze all but the last {self.count.value()}")

    @Slot()
    def all_but_batch_norm(self) -> None:
        """Everything frozen except BatchNormalization."""

        def change(recipe: Recipe) -> Recipe:
            clean = gestures.take_all(recipe, "set_trainable")
            return clean.plus(
                gestures.make_edit("set_trainable", layers=["*"], trainable=False, batch_norm="trainable")
            )

        self._change(change, "Freeze all but BatchNormalization")

    @Slot()
    def unfreeze_all(self) -> None:
        """Every layer is trained."""
        self._change(lambda recipe: gestures.freeze_all(recipe, [], frozen=False), "Unfreeze all")

    def _keep_last(self, number: int, text: str) -> None:
        graph = self._session.after_graph
        if graph is not None:
            kept = last_layers(graph, number)
            self._change(lambda recipe: gestures.freeze_all(recipe, kept, frozen=True), text)

    @Slot(str)
    def _on_mode(self, mode: str) -> None:
        self._change(
            lambda recipe: gestures.set_batch_norm(recipe, mode), f"BatchNormalization {self.mode.currentText()}"
        )

    def _change(self, change: Callable[[Recipe], Recipe], text: str) -> None:
        self._session.gesture(change, text)


def last_layers(graph: Graph, number: int) -> list[str]:
    """The last layers that hold weights, in the order of the graph, leaves only."""
    found = [path for path, layer in graph.walk() if can_freeze(layer) and layer.inner is None]
    return found[-number:]


def with_weights(graph: Graph, pattern: str) -> list[str]:
    """The layers with weights that a pattern means, in the order of the graph."""
    found, _ = meant(graph, (pattern,))
    return [path for path, layer in graph.by_path().items() if path in found and can_freeze(layer)]
