"""A card that floats over the window: what other programs put into a dialog, without covering or blocking the work."""

from collections.abc import Callable, Sequence
from typing import TypeGuard

from PySide6.QtCore import QEvent, QObject, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget
from typing_extensions import override

from gui.widgets.cells import Field
from gui.widgets.form import Form
from gui.widgets.holding import Hold
from gui.widgets.parts import label

MARGIN = 14
TOP = 54


class Sheet(QFrame):
    """Lies over its parent, below the top bar at the right. Escape closes it and gives the focus back."""

    closed = Signal()
    asks = False
    """Whether it holds everything behind it until it is answered."""
    tells = False
    """Whether it tells a result, so that Enter closes it too."""
    of_model = True
    """Whether it speaks of the open model, and so goes with it."""

    def __init__(self, parent: QWidget, name: str, title: str, width: int) -> None:
        super().__init__(parent)
        self.setObjectName("sheet")
        self.setProperty("sheet", name)
        self.setAccessibleName(title)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._width = width
        self._area = parent
        self._before: QWidget | None = None
        self._hold = Hold(self, parent) if self.asks else None
        self.about_layer = ""
        """The path of the layer that it speaks of, without which it goes."""
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(22, 18, 22, 16)
        self.column.setSpacing(10)
        parent.installEventFilter(self)
        self.hide()

    def add_buttons(
        self,
        verb: str = "",
        action: Callable[[], object] | None = None,
        *,
        leave: str = "Cancel",
        left: QWidget | None = None,
    ) -> tuple[QPushButton, QPushButton]:
        """The last row: what leaves the sheet, then what it is for. Without a `verb` there is only the first."""
        row = QHBoxLayout()
        row.setSpacing(8)
        if left is not None:
            row.addWidget(left)
        row.addStretch(1)
        leaving, doing = QPushButton(leave), QPushButton(verb)
        leaving.clicked.connect(self.leave)
        row.addWidget(leaving)
        if action is not None:
            doing.setObjectName("primary")
            doing.clicked.connect(action)
            row.addWidget(doing)
        self.column.addLayout(row)
        return leaving, doing

    def open(self, focus: QWidget | None = None) -> None:
        """Show the sheet above everything; `focus` gets the keyboard."""
        if not self.isVisible():
            window = self.window()
            self._before = window.focusWidget()
        asking = self._asking()
        if asking is not None and asking._hold is not None:
            asking._hold.also.add(self)
        self.show()
        if self._hold is not None:
            self._hold.begin()
        self.settle()
        ready = focus is not None and focus.isEnabled()
        (focus if focus is not None and ready else self).setFocus(Qt.FocusReason.PopupFocusReason)

    def _asking(self) -> "Sheet | None":
        """Another sheet that holds what this one lies over."""
        for one in self._area.findChildren(Sheet, options=Qt.FindChildOption.FindDirectChildrenOnly):
            if one is not self and one.asks and one.isVisible():
                return one
        return None

    def come_back(self, focus: QWidget) -> None:
        """Show the sheet with news of its own, after a sheet that asks has its answer.

        Somebody who is typing elsewhere goes on typing there.
        """
        asking = self._asking()
        if asking is not None:
            asking.closed.connect(lambda: self.come_back(focus), Qt.ConnectionType.SingleShotConnection)
            return
        at: QWidget | None = self.window().focusWidget()
        if writes_text(at) and not self.isAncestorOf(at):
            self.show()
            self.settle()
        else:
            self.open(focus)

    def settle(self) -> None:
        """Find size and place again after the content has changed."""
        area = self._area
        width = min(self._width, area.width() - 2 * MARGIN)
        self.column.activate()
        height = self.column.totalHeightForWidth(width) if self.column.hasHeightForWidth() else -1
        height = max(height, self.column.totalSizeHint().height() if height < 0 else height)
        self.resize(width, min(height, area.height() - TOP - MARGIN))
        self.move(area.width() - width - MARGIN, TOP)
        if self._hold is not None:
            self._hold.cover()
        self.raise_()

    def leave(self) -> None:
        """Close the sheet."""
        if self.isVisible():
            self.hide()
            if self._hold is not None:
                self._hold.end()
            if self._before is not None and self._before.isVisible():
                self._before.setFocus()
            self._before = None
            self.closed.emit()

    @override
    def event(self, event: QEvent) -> bool:
        handled = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest and self.isVisible():
            self.settle()
        return handled

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        at: QWidget | None = self.window().focusWidget()
        if event.key() == Qt.Key.Key_Escape:
            self.leave()
        elif enter and isinstance(at, QPushButton) and self.isAncestorOf(at):
            at.click()
        elif enter and self.tells:
            self.leave()
        else:
            super().keyPressEvent(event)

    @override
    def focusNextPrevChild(self, forward: bool) -> bool:
        """Where the sheet asks, Tab stays in it."""
        if not self.asks:
            return super().focusNextPrevChild(forward)
        found: QWidget | None = self.window().focusWidget()
        at = one = found if found is not None else self
        while True:
            after = one.nextInFocusChain() if forward else one.previousInFocusChain()
            if after is None or after is at:
                return True
            one = after
            if self.isAncestorOf(one) and takes_tab(one):
                one.setFocus(Qt.FocusReason.TabFocusReason if forward else Qt.FocusReason.BacktabFocusReason)
                return True

    @override
    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self.settle()
        return False


def writes_text(widget: QWidget | None) -> TypeGuard[QWidget]:
    """Whether somebody may be typing in a widget."""
    return widget is not None and widget.isVisible() and bool(widget.inputMethodQuery(Qt.InputMethodQuery.ImEnabled))


def takes_tab(widget: QWidget) -> bool:
    """Whether Tab stops at a widget."""
    policy = bool(widget.focusPolicy().value & Qt.FocusPolicy.TabFocus.value)
    return policy and widget.isVisible() and widget.isEnabled() and widget.focusProxy() is None


class FormSheet(Sheet):
    """A sheet that asks for the fields of one step. What makes no sense is one sentence, and then it cannot be done."""

    asks = True

    def __init__(
        self,
        parent: QWidget,
        name: str,
        title: str,
        width: int,
        verb: str,
        fields: Sequence[Field],
        text: str = "",
    ) -> None:
        super().__init__(parent, name, title, width)
        self.title = label(title, "heading", wrap=True)
        self.column.addWidget(self.title)
        if text:
            self.column.addWidget(label(text, wrap=True))
        self.form = Form(fields)
        self.column.addWidget(self.form)
        self.problem = self.form.problem
        self.cancel, self.apply = self.add_buttons(verb, self.take)
        self.form.edited.connect(self.check)
        self.form.entered.connect(self.take)

    def trouble(self) -> str:
        """What is wrong with fields that make sense alone."""
        return ""

    def ready(self) -> bool:
        """Whether what is said is something to do."""
        return True

    def finish(self) -> bool:
        """Do it; `False` leaves the sheet open."""
        raise NotImplementedError

    @Slot()
    def check(self) -> None:
        """Say what is wrong; offer to do what is not."""
        problem = self.form.wrong() or self.trouble()
        self.problem.say(problem)
        self.apply.setEnabled(not problem and self.ready())

    @Slot()
    def take(self) -> None:
        """Do what is said and close."""
        self.check()
        if self.apply.isEnabled() and self.finish():
            self.leave()
