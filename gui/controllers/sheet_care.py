"""Sheets go with what they speak of: the model that was closed, the layer that is no longer there."""

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtWidgets import QWidget

from core.model.graph import Graph
from gui.dialogs.export import ExportSheet
from gui.document.work import Work
from gui.widgets.sheet import Sheet


class SheetCare(QObject):
    """Owned by the page. What is under way stays: its end is told, whatever is open by then."""

    def __init__(self, page: QWidget, work: Work) -> None:
        super().__init__(page)
        self._page, self._work = page, work
        work.session.source_changed.connect(self._on_source)
        work.session.plan_changed.connect(self._on_plan)

    def _open(self) -> list[Sheet]:
        option = Qt.FindChildOption.FindDirectChildrenOnly
        return [sheet for sheet in self._page.findChildren(Sheet, options=option) if sheet.isVisible()]

    @Slot()
    def _on_source(self) -> None:
        for sheet in self._open():
            if sheet.of_model and not (isinstance(sheet, ExportSheet) and self._work.busy):
                sheet.leave()

    @Slot()
    def _on_plan(self) -> None:
        graph = self._work.session.after_graph
        for sheet in self._open():
            if sheet.about_layer and (graph is None or not _has(graph, sheet.about_layer)):
                sheet.leave()


def _has(graph: Graph, path: str) -> bool:
    try:
        graph.find(path)
    except KeyError:
        return False
    return True
