"""Hands and eyes for the canvas's tests."""

from collections.abc import Callable

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QImage, QPainter, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from core.model.graph import Graph
from gui.canvas import GraphView
from gui.canvas.flow import Node

Shower = Callable[[Graph], GraphView]


def node(view: GraphView, path: str) -> Node:
    return view.scene.nodes_of(path)[0]


def place(view: GraphView, path: str, dx: float = 40, dy: float = 10) -> QPoint:
    found = node(view, path)
    return view.view.mapFromScene(QPointF(found.x + dx, found.y + dy))


def click(view: GraphView, path: str) -> None:
    QTest.mouseClick(view.view.viewport(), Qt.MouseButton.LeftButton, pos=place(view, path))


def wheel(
    view: GraphView, at: QPoint, turn: int, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
) -> None:
    viewport = view.view.viewport()
    event = QWheelEvent(
        QPointF(at), QPointF(viewport.mapToGlobal(at)), QPoint(), QPoint(0, turn), Qt.MouseButton.NoButton, modifiers,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(viewport, event)


def close_to(one: QPointF, other: QPointF, tolerance: float = 2.0) -> bool:
    return (one - other).manhattanLength() <= tolerance


def hovered(view: GraphView) -> Node | None:
    return view.view.hovered


def ring(view: GraphView) -> QRectF:
    marked = view.scene._ring
    assert marked is not None
    return marked.path.boundingRect()


def pixel(view: GraphView, path: str, dx: float, dy: float) -> int:
    picture = QImage(view.view.viewport().size(), QImage.Format.Format_ARGB32_Premultiplied)
    painter = QPainter(picture)
    view.view.render(painter)
    painter.end()
    return picture.pixel(place(view, path, dx, dy))
