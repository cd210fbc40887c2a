"""The bar at the top: open, undo, what is shown, finding a layer, verify, export, and the menu."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QWidget

from gui.panels.find_box import FindBox
from gui.widgets import theme as themes
from gui.widgets.actions import Actions
from gui.widgets.parts import IconButton, Look, Segments, named
from gui.widgets.theme import Theme

VIEWS = (
    ("before", "Before", "The model as it is in the file"),
    ("after", "After", "The model after the recipe"),
    ("difference", "Difference", "What the recipe changes"),
)


class TopBar(QWidget):
    """Buttons over the window's actions."""

    view_chosen = Signal(str)

    def __init__(self, actions: Actions, look: Look, open_menu: QMenu, main_menu: QMenu) -> None:
        super().__init__()
        self._look = look
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        self.open = self._menu_button(" Open", open_menu)
        self.open.clicked.connect(actions["open"].trigger)
        row.addWidget(self.open)
        row.addSpacing(4)
        row.addWidget(IconButton(look, "undo", "Undo", role="text").use(actions["undo"]))
        row.addWidget(IconButton(look, "redo", "Redo", role="text").use(actions["redo"]))
        row.addSpacing(4)
        self.views = Segments(VIEWS)
        self.views.chosen.connect(self.view_chosen)
        row.addWidget(self.views)
        row.addSpacing(4)
        self.finder = FindBox(look)
        row.addWidget(self.finder, 1)
        row.addStretch(1)
        self.verify = QToolButton()
        self.verify.setText(" Verify")
        self.verify.setAccessibleName("Verify")
        self.verify.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.verify.setToolTip(f"Verify an exported file  ({actions['verify'].shortcut().toString()})")
        self._follow(self.verify, actions, "verify")
        row.addWidget(self.verify)
        self.export = named(QToolButton(), "primary")
        self.export.setText(" Export")
        self.export.setAccessibleName("Export")
        self.export.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.export.setToolTip(f"Write the adapted model  ({actions['export'].shortcut().toString()})")
        self._follow(self.export, actions, "export")
        row.addWidget(self.export)
        self.menu = IconButton(look, "menu", "Menu", role="text")
        self.menu.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu.setMenu(main_menu)
        actions["menu"].triggered.connect(self.menu.showMenu)
        row.addWidget(self.menu)
        for widget in (self.open, self.verify, self.export, self.menu, self.finder):
            widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        look.changed.connect(self._tint)
        self._tint(look.theme)

    def _menu_button(self, text: str, menu: QMenu) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setAccessibleName("Open")
        button.setToolTip("Open a model file  (Ctrl+O)")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        button.setMenu(menu)
        return button

    @staticmethod
    def _follow(button: QToolButton, actions: Actions, name: str) -> None:
        action = actions[name]
        button.setEnabled(action.isEnabled())
        action.enabledChanged.connect(button.setEnabled)
        button.clicked.connect(action.trigger)

    @Slot(object)
    def _tint(self, theme: Theme) -> None:
        self.open.setIcon(themes.icon("open", theme))
        self.verify.setIcon(themes.icon("verify", theme))
        self.export.setIcon(themes.icon("export", theme, "on_accent"))
