"""What the graph is coloured by and the layers are sorted by, and what was folded when a model was last seen."""

import msgspec
from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from core.model.plan import Cost, Verification, Written
from gui.canvas import GraphView
from gui.canvas.colouring import Colouring
from gui.canvas.folds import fold_key
from gui.canvas.plan_digest import digest_of
from gui.document.settings import Settings
from gui.document.work import Work
from gui.models.layer_tree import Column
from gui.models.measures import MEASURES, NUMERIC, Measure, layer_values
from gui.panels.layers import LayersPanel
from gui.widgets.actions import Actions

COLOURS = (
    "colour_class colour_fate colour_frozen - colour_params colour_macs colour_activations colour_drift "
    "- sort_model sort_name sort_number - picture copy_picture"
)


class ColourCommands(QObject):
    """Owned by the page; `attach` gives it the views."""

    def __init__(self, work: Work, settings: Settings, actions: Actions, parent: QWidget) -> None:
        super().__init__(parent)
        self._work, self._session, self._settings, self._actions = work, work.session, settings, actions
        self._menu = QMenu("Colour by", parent)
        actions.fill(self._menu, COLOURS.partition(" - sort")[0])
        self._canvas: GraphView | None = None
        self._layers: LayersPanel | None = None
        self.measure: Measure = "class"
        self.drift: tuple[tuple[str, float], ...] = ()
        """By layer, from the last verification of this model."""
        group = QActionGroup(self)
        for measure in MEASURES:
            action = actions[f"colour_{measure}"]
            group.addAction(action)
            action.triggered.connect(lambda _=False, measure=measure: self.colour_by(measure))
        actions["colour_class"].setChecked(True)
        for name, column in (("model", None), ("name", Column.NAME), ("number", Column.PARAMS)):
            actions[f"sort_{name}"].triggered.connect(lambda _=False, column=column: self._sort(column))

    def attach(self, canvas: GraphView, layers: LayersPanel) -> None:
        """Begin to colour these views."""
        self._canvas, self._layers = canvas, layers
        canvas.controls.colour.setMenu(self._menu)
        canvas.class_wanted.connect(self._on_class_wanted)
        canvas.folds_changed.connect(self._keep_folds)
        session, work = self._session, self._work
        session.source_changed.connect(self._on_source)
        for signal in (session.plan_changed, session.view_changed):
            signal.connect(self.refresh)
        work.exporting.finished.connect(self._on_checked)
        work.verifying.finished.connect(self._on_checked)

    def colour_by(self, measure: Measure) -> None:
        """Colour by something else, with a legend."""
        self.measure = measure
        self._actions[f"colour_{measure}"].setChecked(True)
        self.refresh()
        if measure == "class" and self._canvas is not None:
            self._canvas.set_colouring(Colouring())

    @Slot()
    def _keep_folds(self) -> None:
        source = self._session.source
        if self._canvas is not None and source is not None:
            self._settings.save_word(fold_key(source), msgspec.json.encode(self._canvas.folds).decode())

    @Slot()
    def _on_class_wanted(self) -> None:
        self.measure = "class"
        self._actions["colour_class"].setChecked(True)
        self.refresh()

    def _sort(self, column: Column | None) -> None:
        if self._layers is not None:
            self._layers.sort_by(column)

    @Slot()
    def _on_source(self) -> None:
        self.drift = ()
        if self.measure == "drift":
            self.colour_by("class")

    @Slot(object)
    def _on_checked(self, answer: object) -> None:
        checked = answer.verification if isinstance(answer, Written) else answer
        if isinstance(checked, Verification):
            self.drift = checked.drift_by_layer
            self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Colour what is shown now."""
        canvas, layers, session = self._canvas, self._layers, self._session
        if canvas is None or layers is None or session.source is None:
            return
        measure = self.measure
        if measure not in NUMERIC:
            layers.show_measure("params", {}, bars=False)
            canvas.set_colouring(Colouring(measure), explained=canvas.explained if measure == "class" else True)
            return
        plan = session.plan if session.view != "before" else session.base
        graph, before = session.shown_graph, session.before_graph
        if graph is None:
            return
        if session.view == "difference" and session.plan is not None and before is not None:
            graph = digest_of(session.plan, before).difference.graph
        costs: dict[str, Cost] = plan.costs if plan is not None else {}
        values = layer_values(measure, graph, costs, self.drift)
        layers.show_measure(measure, values, bars=True)
        canvas.set_colouring(Colouring(measure, values))
