"""Findings: one row each, with a button for every action; choosing one goes to its layer."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QListView,
    QPushButton,
    QSizePolicy,
    QStackedLayout,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from core.findings import Action, Finding, Fix
from core.recipes import gestures
from core.recipes.words import action_words
from gui.document.session import Session
from gui.models.findings import FindingRole, FindingsModel
from gui.widgets import theme as themes
from gui.widgets.parts import Card, Look, label, named

Index = QModelIndex | QPersistentModelIndex

PAD = 8
BUTTONS = 28
BUTTON_PADDING = 24
BUTTON_GAP = 6
TEXT_LEFT = 34
FIX_ROWS = 200
"""Rows beyond this one keep their text but get no buttons; nobody clicks the 201st."""


class FindingDelegate(QStyledItemDelegate):
    """Icon, sentence over up to three lines, and the layer in small type."""

    def __init__(self, look: Look, view: QListView) -> None:
        super().__init__(view)
        self._look = look
        self._view = view

    def _metrics(self) -> tuple[QFontMetrics, QFontMetrics]:
        theme = self._look.theme
        return QFontMetrics(themes.font(theme)), QFontMetrics(themes.font(theme, theme.size_small))

    def text_height(self, message: str, width: int) -> int:
        """Height of the wrapped sentence."""
        body, _ = self._metrics()
        bounds = body.boundingRect(QRect(0, 0, width, 10_000), int(Qt.TextFlag.TextWordWrap), message)
        return min(bounds.height(), body.lineSpacing() * 3)

    def button_rows(self, finding: Finding) -> list[list[Action]]:
        """The actions as rows of buttons that fit into the view's width."""
        metrics = QFontMetrics(themes.font(self._look.theme, self._look.theme.size_small, bold=True))
        room = self._view.viewport().width() - TEXT_LEFT - PAD
        rows: list[list[Action]] = []
        left = 0
        for action in finding.actions:
            width = metrics.horizontalAdvance(action.title) + BUTTON_PADDING + BUTTON_GAP
            if not rows or width > left:
                rows.append([])
                left = room
            rows[-1].append(action)
            left -= width
        return rows

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        finding = index.data(FindingRole)
        width = self._view.viewport().width()
        height = PAD + self.text_height(finding.message, width - TEXT_LEFT - PAD) + PAD
        if finding.layer:
            height += self._metrics()[1].lineSpacing() + 1
        if finding.actions and index.row() < FIX_ROWS:
            height += BUTTONS * len(self.button_rows(finding)) + 4
        return QSize(width, height)

    @override
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = self._look.theme
        finding = index.data(FindingRole)
        rect: QRect = option.rect
        self._view.style().drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, self._view)
        icon = themes.icon(themes.SEVERITY_ICONS[finding.severity], theme, finding.severity)
        icon.paint(painter, QRect(rect.left() + 10, rect.top() + PAD, 16, 16))
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        left, width = rect.left() + TEXT_LEFT, rect.width() - TEXT_LEFT - PAD
        height = self.text_height(finding.message, width)
        painter.setFont(themes.font(theme))
        painter.setPen(QColor(theme.selection_text if selected else theme.text))
        painter.drawText(QRect(left, rect.top() + PAD, width, height), int(Qt.TextFlag.TextWordWrap), finding.message)
        if finding.layer:
            painter.setFont(themes.font(theme, theme.size_small))
            painter.setPen(QColor(theme.selection_text if selected else theme.muted))
            line = QRect(left, rect.top() + PAD + height + 1, width, self._metrics()[1].lineSpacing())
            painter.drawText(line, int(Qt.AlignmentFlag.AlignVCenter), f"{finding.layer}  \u00b7  {finding.code}")


class FindingsPanel(Card):
    """The findings of the current plan. A fix becomes steps of the recipe here; `wanted` carries any other action."""

    wanted = Signal(object)

    def __init__(self, session: Session, look: Look, parent: QWidget | None = None) -> None:
        super().__init__("Findings", parent)
        self._session = session
        self.model = FindingsModel(self)
        self.view = named(QListView(), "findingsList")
        self.view.setAccessibleName("Findings")
        self.view.setModel(self.model)
        self._delegate = FindingDelegate(look, self.view)
        self.view.setItemDelegate(self._delegate)
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setResizeMode(QListView.ResizeMode.Adjust)
        self.view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.view.selectionModel().currentChanged.connect(self._on_current)
        self.view.clicked.connect(self._go)
        self.view.activated.connect(self._go)
        self.calm = label("", "muted", wrap=True)
        self.calm.setAlignment(Qt.AlignmentFlag.AlignCenter)
        holder = QWidget()
        self._stack = QStackedLayout(holder)
        self._stack.addWidget(self.view)
        self._stack.addWidget(self.calm)
        self.body.addWidget(holder, 1)
        self.buttons: list[QPushButton] = []
        session.plan_changed.connect(self.refresh)
        session.source_changed.connect(self.refresh)
        look.changed.connect(self.view.viewport().update)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the session's findings."""
        if self.model.set_findings(self._session.findings):
            self._place_buttons()
        counts = [(self.model.count(severity), word) for severity, word in (("error", "error"), ("warning", "warning"))]
        words = [f"{number} {word}{'s' if number > 1 else ''}" for number, word in counts if number]
        self.set_count(" \u00b7 ".join(words) or (str(len(self.model.findings)) if self.model.findings else ""))
        self._stack.setCurrentIndex(0 if self.model.findings else 1)
        source = self._session.source
        self.calm.setText("No findings: every weight fits." if source else "Findings appear here.")

    def _place_buttons(self) -> None:
        self.buttons = []
        for row, finding in enumerate(self.model.findings[:FIX_ROWS]):
            if finding.actions:
                self.view.setIndexWidget(self.model.index(row), self._fix_row(finding))

    def _fix_row(self, finding: Finding) -> QWidget:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(TEXT_LEFT, 0, PAD, 4)
        column.setSpacing(0)
        column.addStretch(1)
        for actions in self._delegate.button_rows(finding):
            line = QWidget()
            line.setFixedHeight(BUTTONS)
            row = QHBoxLayout(line)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(BUTTON_GAP)
            for action in actions:
                row.addWidget(self._button(finding, action))
            row.addStretch(1)
            column.addWidget(line)
        return holder

    def _button(self, finding: Finding, action: Action) -> QPushButton:
        button = named(QPushButton(action.title), "fix" if isinstance(action, Fix) else "link")
        button.setAccessibleName(f"{action.title}, fixes: {finding.message}")
        button.setToolTip(action_words(action))
        button.setAccessibleDescription(button.toolTip())
        if not isinstance(action, Fix):
            button.clicked.connect(lambda _=False: self.wanted.emit(action))
            return button
        button.clicked.connect(lambda _=False: self.take(action))
        button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        button.setMinimumWidth(40)
        self.buttons.append(button)
        return button

    def step(self, by: int) -> None:
        """Make the next (or previous) finding the current one and go to its layer."""
        count = len(self.model.findings)
        if count:
            row = self.view.currentIndex().row()
            row = (row + by) % count if row >= 0 else (0 if by > 0 else count - 1)
            self.view.setCurrentIndex(self.model.index(row))
            self._go(self.model.index(row))

    def take(self, fix: Fix) -> None:
        """Apply a fix: its edits become steps of the recipe."""
        if fix.step and not self._session.planned:
            return  # its number is one of an older recipe
        self._session.gesture(lambda recipe: gestures.apply_fix(recipe, fix.edits, fix.step), fix.title)

    @Slot(QModelIndex, QModelIndex)
    def _on_current(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if current.isValid() and self.view.hasFocus():
            self._go(current)

    @Slot(QModelIndex)
    def _go(self, index: QModelIndex) -> None:
        finding = index.data(FindingRole)
        if isinstance(finding, Finding) and finding.layer:
            self._session.select(finding.layer)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._place_buttons()
        self.view.scheduleDelayedItemsLayout()
