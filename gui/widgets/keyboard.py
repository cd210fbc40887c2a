"""The window by keyboard: Tab in the order in which things are seen, and the keys that ask for a menu."""

from PySide6.QtCore import QCoreApplication, QEvent, QPoint, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QScrollArea, QStackedWidget, QTabWidget, QWidget


def asks_for_menu(event: QKeyEvent) -> bool:
    """Whether a key asks for the context menu: the menu key, or Shift+F10."""
    shifted = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
    return event.key() == Qt.Key.Key_Menu or (event.key() == Qt.Key.Key_F10 and bool(shifted))


def stops(area: QWidget) -> list[QWidget]:
    """What Tab stops at inside a widget, row by row as it is seen.

    Qt's own order is that of making, so what a panel makes later, such as the fields of another input or the buttons
    of a finding, would come after everything else in the window.
    """
    found: list[QWidget] = []
    for child in _in_reading_order(area):
        if child.focusPolicy() & Qt.FocusPolicy.TabFocus and child.isEnabled() and child.focusProxy() is None:
            found.append(child)
        found += stops(child)
    return found


def _in_reading_order(area: QWidget) -> list[QWidget]:
    """The visible children of a widget from top to bottom; those beside each other from left to right."""
    children = [
        child for child in area.children() if isinstance(child, QWidget) and not child.isWindow() and child.isVisible()
    ]
    if isinstance(area, QTabWidget):
        # the tabs, what they show, then the corner: it belongs to the whole
        rank = {area.tabBar(): 0, area.cornerWidget(): 2}
        return sorted(children, key=lambda child: rank.get(child, 1))
    if isinstance(area, QStackedWidget):
        return [child for child in children if child is area.currentWidget()]
    children.sort(key=lambda child: (child.y(), child.x()))
    rows: list[list[QWidget]] = []
    bottom = -1
    for child in children:
        middle = child.y() + child.height() / 2
        if not rows or middle > bottom:
            rows.append([])
            bottom = child.y() + child.height()
        rows[-1].append(child)
    return [child for row in rows for child in sorted(row, key=lambda child: child.x())]


def move_focus(area: QWidget, *, forward: bool) -> bool:
    """Give the keyboard to the next (or previous) stop in an area; whether there is one."""
    # what was shown just now, by the key before this one, has no place yet: lay it out first
    QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)
    order = stops(area)
    if not order:
        return False
    here: QWidget | None = area.window().focusWidget()
    if here in order:
        place = order.index(here) + (1 if forward else -1)
    else:
        place = _after(area, order, here) if forward else _after(area, order, here) - 1
    target = order[place % len(order)]
    reason = Qt.FocusReason.TabFocusReason if forward else Qt.FocusReason.BacktabFocusReason
    target.setFocus(reason)
    _bring_into_sight(target)
    return True


def _after(area: QWidget, order: list[QWidget], here: QWidget | None) -> int:
    """Where a widget that is no stop itself stands among the stops: before the first of those below it."""
    if here is None or not area.isAncestorOf(here):
        return 0
    inside = [number for number, stop in enumerate(order) if here.isAncestorOf(stop)]
    if inside:
        return inside[0]
    around = here.parentWidget()
    while around is not None and around is not area:
        inside = [number for number, stop in enumerate(order) if around.isAncestorOf(stop)]
        if inside:
            top = here.mapTo(around, QPoint()).y()
            return next((n for n in inside if order[n].mapTo(around, QPoint()).y() > top), inside[-1] + 1)
        around = around.parentWidget()
    return 0


def _bring_into_sight(widget: QWidget) -> None:
    """Scroll what lies around a widget so that it is seen."""
    around = widget.parentWidget()
    while around is not None:
        if isinstance(around, QScrollArea):
            around.ensureWidgetVisible(widget, 0, 12)
        elif isinstance(around, QAbstractItemView):
            index = around.indexAt(widget.mapTo(around.viewport(), widget.rect().center()))
            if index.isValid():
                around.scrollTo(index)
        around = around.parentWidget()
