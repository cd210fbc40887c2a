"""Small widgets that every panel is made of: cards, icon buttons, the segmented switch, fields with their sentence."""

from collections.abc import Iterable
from typing import TypeVar

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QAction, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid
from typing_extensions import override

from gui.widgets import theme as themes
from gui.widgets.theme import Theme

HEADER_HEIGHT = 30

W = TypeVar("W", bound=QWidget)


class Look(QObject):
    """Who wants to know when the theme changes: one object, handed to every widget that paints or tints."""

    changed = Signal(object)

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.theme = theme

    def set_theme(self, theme: Theme) -> None:
        """Use another theme from now on."""
        self.theme = theme
        self.changed.emit(theme)


class IconButton(QToolButton):
    """A button with nothing but an icon; its name is spoken and shown as its tip."""

    def __init__(self, look: Look, icon: str, name: str, parent: QWidget | None = None, *, role: str = "muted") -> None:
        super().__init__(parent)
        self.setObjectName("icon")
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setAutoRaise(True)
        self.setIconSize(QSize(16, 16))
        self._icon, self._role = icon, role
        self._action: QAction | None = None
        look.changed.connect(self._tint)
        self._tint(look.theme)

    def use(self, action: QAction) -> "IconButton":
        """Follow an action: its state, its shortcut in the tip, its trigger; the icon stays ours."""
        self._action = action
        self._say_action()
        action.changed.connect(self._say_action)
        self.setEnabled(action.isEnabled())
        action.enabledChanged.connect(self.setEnabled)
        self.clicked.connect(action.trigger)
        return self

    @Slot()
    def _say_action(self) -> None:
        action, name = self._action, self.accessibleName()
        if action is None or not isValid(action):
            return  # an action says that it changes while its window is taken apart, too
        keys = action.shortcut().toString()
        # an action may say more by and by: what would be undone
        words = action.text() if action.text().startswith(name) else name
        words = words.rstrip("\N{HORIZONTAL ELLIPSIS}")
        self.setToolTip(f"{words}  ({keys})" if keys else words)

    @Slot(object)
    def _tint(self, theme: Theme) -> None:
        self.setIcon(themes.icon(self._icon, theme, self._role))


class IconLabel(QLabel):
    """An icon that stands beside text."""

    def __init__(self, look: Look, icon: str, role: str = "muted", size: int = 16) -> None:
        super().__init__()
        self._look, self._icon, self._role, self._size = look, icon, role, size
        self.setFixedSize(size, size)
        look.changed.connect(self._tint)
        self._tint(look.theme)

    def set_icon(self, icon: str, role: str) -> None:
        """Show another icon."""
        self._icon, self._role = icon, role
        self._tint(self._look.theme)

    @Slot(object)
    def _tint(self, theme: Theme) -> None:
        colour = getattr(theme, self._role)
        ink = colour.ink if isinstance(colour, themes.Tone) else colour
        self.setPixmap(themes.pixmap(self._icon, ink, self._size, self.devicePixelRatioF()))


class Card(QFrame):
    """A panel with a title, an optional count beside it, and room for controls at the right of its header."""

    def __init__(self, title: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(1, 1, 1, 1)
        self.body.setSpacing(0)
        self.header = QHBoxLayout()
        self.header.setContentsMargins(14, 6, 8, 4)
        self.header.setSpacing(8)
        self._count = named(QLabel(), "cardCount")
        self._count.hide()
        if title:
            heading = named(QLabel(title.upper()), "cardTitle")
            self.header.addWidget(heading)
            self.header.addWidget(self._count, 0, Qt.AlignmentFlag.AlignVCenter)
            self.header.addStretch(1)
            self.header.addSpacing(1)
            self.header.addStrut(HEADER_HEIGHT)
            self.body.addLayout(self.header)
            self.setAccessibleName(title)

    def set_count(self, text: str) -> None:
        """The number beside the title; `""` hides it."""
        self._count.setText(text)
        self._count.setVisible(bool(text))


class Segments(QWidget):
    """A switch of a few named positions."""

    chosen = Signal(str)

    def __init__(self, options: Iterable[tuple[str, str, str]], parent: QWidget | None = None) -> None:
        """Options are (key, text, tip)."""
        super().__init__(parent)
        self.setObjectName("segments")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        row = QHBoxLayout(self)
        row.setContentsMargins(2, 2, 2, 2)
        row.setSpacing(2)
        self._group = QButtonGroup(self)
        self._buttons: dict[str, QPushButton] = {}
        for key, text, tip in options:
            button = QPushButton(text)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.setAccessibleName(text)
            button.setMinimumWidth(button.fontMetrics().horizontalAdvance(text) + 40)
            button.clicked.connect(lambda _=False, key=key: self.chosen.emit(key))
            self._group.addButton(button)
            self._buttons[key] = button
            row.addWidget(button)

    def set_current(self, key: str) -> None:
        """Show a position as the current one. Tab stops there; arrow keys go to the others."""
        self._buttons[key].setChecked(True)
        for name, button in self._buttons.items():
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus if name == key else Qt.FocusPolicy.ClickFocus)

    def button(self, key: str) -> QPushButton:
        """The button of a position."""
        return self._buttons[key]


class ElidedLabel(QLabel):
    """A line that gives way in the middle when there is not enough room; the whole text is its tip."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setMinimumWidth(40)

    @override
    def setText(self, text: str) -> None:
        super().setText(text)
        self.setToolTip(text)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        metrics = QFontMetrics(self.font())
        text = metrics.elidedText(self.text(), Qt.TextElideMode.ElideMiddle, self.width())
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.contentsRect(), int(self.alignment() | Qt.AlignmentFlag.AlignVCenter), text)


class Sentence(QLabel):
    """A wrapped line below a field, hidden while there is nothing to say."""

    def __init__(self, name: str = "fieldError", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setWordWrap(True)
        self.hide()

    def say(self, text: str) -> None:
        """Show a sentence; `""` hides the line."""
        self.setText(text)
        self.setVisible(bool(text))


def named(widget: W, name: str) -> W:
    """The widget with an object name, which the style sheet and tests know it by."""
    widget.setObjectName(name)
    return widget


def label(text: str, name: str = "", *, wrap: bool = False) -> QLabel:
    """A label in one of the style sheet's kinds: `fieldLabel`, `small`, `muted`, `heading`, `hero`, `mono`."""
    made = QLabel(text)
    made.setWordWrap(wrap)
    if name:
        made.setObjectName(name)
    return made


def divider() -> QFrame:
    """A hairline."""
    line = QFrame()
    line.setObjectName("divider")
    line.setFixedHeight(1)
    return line


class UpAndDown(QScrollArea):
    """Scrolls up and down only, so it is never narrower than what its content needs beside the bar."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QFrame.Shape.NoFrame)
        # Tab goes to what is inside, which is scrolled into sight
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(content)

    @override
    def minimumSizeHint(self) -> QSize:
        hint = super().minimumSizeHint()
        content = self.widget()
        if content is None:
            return hint
        wanted = content.minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
        return QSize(max(hint.width(), wanted), hint.height())

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # the area looks at its content for the bar's sake; who lays out the area has to know as well
        if event.type() == QEvent.Type.LayoutRequest and watched is self.widget():
            self.updateGeometry()
        return super().eventFilter(watched, event)


def scrolling(content: QWidget) -> QScrollArea:
    """The content in an area that scrolls up and down only."""
    return UpAndDown(content)


def reveal(widget: QWidget) -> None:
    """Scroll so that a widget that just appeared is seen."""
    area = widget.parentWidget()
    while area is not None and not isinstance(area, QScrollArea):
        area = area.parentWidget()
    if isinstance(area, QScrollArea):
        place = area
        QTimer.singleShot(0, widget, lambda: place.ensureWidgetVisible(widget, 0, 12))


def clear_layout(layout: QLayout) -> None:
    """Take everything out of a layout and delete it."""
    while (item := layout.takeAt(0)) is not None:
        if (inner := item.layout()) is not None:
            clear_layout(inner)
        if (widget := item.widget()) is not None:
            widget.hide()
            widget.setParent(None)
            widget.deleteLater()


def restyle(widget: QWidget) -> None:
    """Let the style sheet look at a widget's properties again."""
    widget.style().unpolish(widget)
    widget.style().polish(widget)
