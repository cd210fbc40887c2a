"""Weights looked at as tables and saved as files, from the inspector, the menu of a layer and the menu bar."""

from functools import cached_property, partial

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QMenu, QWidget

from core.model.graph import Graph, Layer
from gui.controllers.layer_menu import add, find
from gui.dialogs.save_arrays import SaveArraysSheet, Wish
from gui.dialogs.values import ValuesSheet
from gui.document.settings import Settings
from gui.document.work import Work
from gui.panels.weights import WeightRow, rows_of
from gui.widgets.parts import Look


class WeightFiles(QObject):
    """Owned by the page."""

    def __init__(self, window: QWidget, work: Work, settings: Settings, look: Look) -> None:
        super().__init__(window)
        self._window, self._work, self._settings, self._look = window, work, settings, look
        self._session = work.session

    @cached_property
    def sheet(self) -> SaveArraysSheet:
        """The sheet that saves, made when first needed."""
        return SaveArraysSheet(self._work, self._window)

    @cached_property
    def values(self) -> ValuesSheet:
        """The table of values, made when first needed."""
        return ValuesSheet(self._work, self._look, self._window)

    @Slot(object, str)
    def extend_menu(self, menu: QMenu, path: str) -> None:
        """The entries of a layer's menu."""
        if find(self._session.after_graph, path) is not None:
            add(menu, "Save weights\u2026", partial(self.save, path), self._has(path))

    @Slot(object)
    def show_values(self, row: WeightRow) -> None:
        """The values of one weight as a table."""
        self.values.begin(row)

    def show_selected(self, row: WeightRow | None) -> None:
        """The values of the weight that is chosen in the inspector, else of the selected layer's first."""
        session = self._session
        layer = session.layer(session.selection)
        if row is None and layer is not None:
            plan = session.plan if session.view != "before" else None
            row = next(iter(rows_of(session.selection, layer, plan)), None)
        if row is None:
            session.problem.emit("Select a layer that has weights; its values are then shown as a table.", "")
        else:
            self.values.begin(row)

    @Slot(object)
    def save_row(self, row: WeightRow) -> None:
        """Ask where to save one weight, or more of what it belongs to."""
        self.save(self._session.selection, row)

    def save(self, path: str = "", row: WeightRow | None = None) -> None:
        """Ask what to save, beginning with the weight, the layer, or the whole model where neither is given."""
        session = self._session
        layer = session.layer(path) if path else None
        wishes = []
        if row is not None:
            wishes.append(self._array(row))
        if layer is not None and self._has(path):
            wishes.append(self._layer(path, layer))
        wishes.append(Wish("model", "The whole model", "", ""))
        plan = session.plan
        edited = bool(session.recipe.active()) and session.view != "before"
        free = plan is not None and plan.ok
        self.sheet.begin(
            tuple(wishes), result=edited and free and wishes[0].there("result"), free=free, folder=self._settings.folder
        )

    def _has(self, path: str) -> bool:
        """Whether a layer, or one inside it, has arrays in the result or in the file."""
        plan = self._session.plan
        if plan is not None and any(fate.weight.startswith(path + "/") for fate in plan.fates):
            return True
        layer = self._session.layer(path)
        return layer is not None and has_weights(layer)

    def _array(self, row: WeightRow) -> Wish:
        plan = self._session.plan
        fate = next((one for one in plan.fates if one.weight == row.path), None) if plan is not None else None
        stored = self._stored(row.path)
        if fate is None:
            return Wish("array", f"This array \u00b7 {row.name}", None, stored)
        return Wish("array", f"This array \u00b7 {row.name}", row.path, fate.source or stored)

    def _stored(self, weight: str) -> str | None:
        """The path if the source has an array there."""
        source = self._session.source
        path, _, _ = weight.rpartition("/")
        while source is not None and path:
            layer = find(source.graph, path)
            if layer is not None:
                name = weight[len(path) + 1 :]
                return weight if any(one.name == name for one in layer.weights) else None
            path = path.rpartition("/")[0]
        return None

    def _layer(self, path: str, layer: Layer) -> Wish:
        after, source = self._session.after_graph, self._session.source
        plan = self._session.plan
        fates = plan.fates if plan is not None else ()
        there = find(after, path) is not None and any(one.weight.startswith(path + "/") for one in fates)
        now = path if there else None
        was = layer.origin or path
        old = find(source.graph, was) if source is not None else None
        return Wish("layer", f"This layer \u00b7 {path}", now, was if old is not None and has_weights(old) else None)


def has_weights(layer: Layer) -> bool:
    """Whether a layer, or one inside it, has arrays of a file."""
    inner: Graph | None = layer.inner
    return bool(layer.weights) or (inner is not None and any(map(has_weights, inner.layers)))
