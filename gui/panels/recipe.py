"""The recipe: its steps with checkboxes, in their order; saved and loaded as JSON."""

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QSize, Qt, Signal, Slot
from PySide6.QtGui import QCursor, QHelpEvent, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStackedLayout,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
    QWidget,
)
from typing_extensions import override

from core.recipes import gestures
from gui.document.session import Session
from gui.models.recipe import RecipeModel, step_words
from gui.widgets import theme as themes
from gui.widgets.parts import Card, IconButton, Look, label, named
from gui.widgets.theme import Theme


class StepList(QListView):
    """Delete removes the current step, Alt+Up and Alt+Down move it."""

    remove_pressed = Signal()
    move_pressed = Signal(int)
    rested = Signal(int)
    """The mouse rests on a row, whose tip is wanted."""

    @override
    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            self.rested.emit(self.indexAt(event.pos()).row())
        return super().viewportEvent(event)

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        alt = event.modifiers() == Qt.KeyboardModifier.AltModifier
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.remove_pressed.emit()
        elif alt and event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.move_pressed.emit(-1 if event.key() == Qt.Key.Key_Up else 1)
        else:
            super().keyPressEvent(event)


class StepDelegate(QStyledItemDelegate):
    """Rows tall enough to be clicked without aiming."""

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        hint = super().sizeHint(option, index)
        return QSize(hint.width(), hint.height() + 10)


class RecipePanel(Card):
    """The list of steps with its controls."""

    save_wanted = Signal()
    effect_wanted = Signal(int)
    edit_wanted = Signal(int)
    load_wanted = Signal()
    presets_wanted = Signal()

    def __init__(self, session: Session, look: Look, parent: QWidget | None = None) -> None:
        super().__init__("Recipe", parent)
        self._session = session
        self.model = RecipeModel(self)
        self.model.toggled.connect(self.toggle)
        self.model.moved.connect(self.move_step)
        self.view = named(StepList(), "recipeList")
        self.view.setAccessibleName("Recipe steps")
        self.view.setModel(self.model)
        self.view.setWordWrap(True)
        self.view.setSpacing(0)
        self.view.setResizeMode(QListView.ResizeMode.Adjust)
        self.view.setItemDelegate(StepDelegate(self.view))
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.view.rested.connect(self.effect_wanted)
        self.view.remove_pressed.connect(self.remove)
        self.view.move_pressed.connect(self.move_current)
        self.calm = label("No steps yet. Every change you make becomes a step.", "muted", wrap=True)
        self.calm.setAlignment(Qt.AlignmentFlag.AlignCenter)
        holder = QWidget()
        self._stack = QStackedLayout(holder)
        self._stack.addWidget(self.view)
        self._stack.addWidget(self.calm)
        self.body.addWidget(holder, 1)
        self.presets = IconButton(look, "spark", "Add a preset")
        self.presets.clicked.connect(self.presets_wanted)
        self.pencil = IconButton(look, "pencil", "Edit step")
        self.pencil.clicked.connect(self.edit)
        self.view.activated.connect(self.edit)
        self.up = IconButton(look, "up", "Move step up")
        self.down = IconButton(look, "down", "Move step down")
        self.trash = IconButton(look, "trash", "Remove step")
        self.load = IconButton(look, "open", "Load recipe")
        self.save = IconButton(look, "save", "Save recipe")
        self.up.clicked.connect(lambda: self.move_current(-1))
        self.down.clicked.connect(lambda: self.move_current(1))
        self.trash.clicked.connect(self.remove)
        self.load.clicked.connect(self.load_wanted)
        self.save.clicked.connect(self.save_wanted)
        self.header.setSpacing(2)
        self.header.insertSpacing(1, 6)
        for button in (self.presets, self.pencil, self.up, self.down, self.trash, self.load, self.save):
            self.header.addWidget(button)
        self.view.selectionModel().currentChanged.connect(self._refresh_buttons)
        session.recipe_changed.connect(self.refresh)
        session.source_changed.connect(self.refresh)
        session.plan_changed.connect(self._mark)
        look.changed.connect(self._on_theme)
        self._on_theme(look.theme)
        self.refresh()

    @Slot(object)
    def _on_theme(self, theme: Theme) -> None:
        self.model.set_mark(themes.icon(themes.SEVERITY_ICONS["error"], theme, "error"))

    @Slot()
    def _mark(self) -> None:
        """Mark the steps that the plan leaves out."""
        left_out = self._session.left_out
        self.model.set_left_out(left_out)
        count = self.model.rowCount()
        words = f"{count} \u00b7 {len(left_out)} left out" if left_out else str(count)
        self.set_count(words if count else "")

    def show_effect(self, row: int, lines: tuple[str, ...]) -> None:
        """What would change if a step were switched the other way; told at once if the mouse still rests on it."""
        self.model.set_effect(row, lines)
        viewport = self.view.viewport()
        place = viewport.mapFromGlobal(QCursor.pos())
        if QToolTip.isVisible() and self.view.indexAt(place).row() == row:
            index = self.model.index(row)
            QToolTip.showText(QCursor.pos(), index.data(Qt.ItemDataRole.ToolTipRole), viewport)

    @Slot()
    def edit(self) -> None:
        """Open the current step in a form."""
        row = self.view.currentIndex().row()
        if row >= 0:
            self.edit_wanted.emit(row)

    @Slot()
    def refresh(self) -> None:
        """Show the session's recipe."""
        row = self.view.currentIndex().row()
        self.model.set_recipe(self._session.recipe)
        count = self.model.rowCount()
        self._mark()
        self._stack.setCurrentIndex(0 if count else 1)
        if count and row >= 0:
            self.view.setCurrentIndex(self.model.index(min(row, count - 1)))
        self._refresh_buttons()

    @Slot()
    def _refresh_buttons(self) -> None:
        row, count = self.view.currentIndex().row(), self.model.rowCount()
        self.up.setEnabled(row > 0)
        self.down.setEnabled(0 <= row < count - 1)
        self.trash.setEnabled(row >= 0)
        self.pencil.setEnabled(row >= 0)
        self.presets.setEnabled(self._session.source is not None)
        self.load.setEnabled(self._session.source is not None)
        self.save.setEnabled(count > 0)

    @Slot(int, bool)
    def toggle(self, row: int, enabled: bool) -> None:
        """Switch a step on or off."""
        verb = "Switch on" if enabled else "Switch off"
        words = step_words(self.model.recipe.edits[row])
        self._session.gesture(lambda recipe: gestures.toggle_step(recipe, row, enabled), f"{verb}: {words}")

    @Slot(int, int)
    def move_step(self, row: int, to: int) -> None:
        """Move a step to another place."""
        if 0 <= to < self.model.rowCount():
            self._session.gesture(lambda recipe: gestures.move_step(recipe, row, to), "Move step")
            self.view.setCurrentIndex(self.model.index(to))

    @Slot(int)
    def move_current(self, by: int) -> None:
        """Move the current step up or down."""
        row = self.view.currentIndex().row()
        if row >= 0:
            self.move_step(row, row + by)

    @Slot()
    def remove(self) -> None:
        """Take out the current step."""
        row = self.view.currentIndex().row()
        if row >= 0:
            words = step_words(self.model.recipe.edits[row])
            self._session.gesture(lambda recipe: gestures.remove_step(recipe, row), f"Remove: {words}")
