"""Preferences: the few there are, in effect at once."""

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QPushButton, QWidget

from gui.document.settings import Settings
from gui.panels.made_models import MadeModels
from gui.panels.trusted import TrustedFiles
from gui.widgets.fields import Choice
from gui.widgets.parts import label, named
from gui.widgets.sheet import Sheet

THEMES = (
    ("auto", "Follow the desktop", "Follows the desktop\u2019s light or dark mode."),
    ("light", "Light", ""),
    ("dark", "Dark", ""),
)


class Preferences(Sheet):
    """Non-modal; what is picked is remembered at once."""

    of_model = False

    theme_chosen = Signal(str)

    def __init__(self, settings: Settings, parent: QWidget) -> None:
        super().__init__(parent, "preferences", "Preferences", 380)
        self._settings = settings
        column = self.column
        column.setSpacing(14)
        column.addWidget(label("Preferences", "heading"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(10)
        grid.setColumnStretch(1, 1)
        grid.addWidget(label("Theme", "fieldLabel"), 0, 0)
        self.theme = named(Choice("Theme", THEMES), "themeChoice")
        self.theme.show_key(settings.theme)
        self.theme.picked.connect(self._on_theme)
        grid.addWidget(self.theme, 0, 1)
        self.verify = QCheckBox("Verify every file right after it is written")
        self.verify.setChecked(settings.verify_after_export)
        self.verify.toggled.connect(self._on_verify)
        grid.addWidget(self.verify, 1, 0, 1, 2)
        column.addLayout(grid)
        self.trusted = TrustedFiles()
        self.trusted.refresh()
        column.addWidget(self.trusted)
        self.made = MadeModels(settings)
        self.made.refresh()
        column.addWidget(self.made)
        row = QHBoxLayout()
        self.forget = QPushButton("Forget recent files")
        self.forget.setEnabled(bool(settings.recent))
        self.forget.clicked.connect(self._on_forget)
        row.addWidget(self.forget)
        row.addStretch(1)
        close = named(QPushButton("Close"), "primary")
        close.clicked.connect(self.leave)
        row.addWidget(close)
        column.addStretch(1)
        column.addLayout(row)

    def begin(self) -> None:
        """Show the preferences as they are now."""
        self.trusted.refresh()
        self.made.refresh()
        self.theme.show_key(self._settings.theme)
        self.verify.setChecked(self._settings.verify_after_export)
        self.forget.setEnabled(bool(self._settings.recent))
        self.open(self.theme)

    @Slot(str)
    def _on_theme(self, key: str) -> None:
        self._settings.theme = key
        self.theme_chosen.emit(key)

    @Slot(bool)
    def _on_verify(self, on: bool) -> None:
        self._settings.verify_after_export = on

    @Slot()
    def _on_forget(self) -> None:
        self._settings.clear_recent()
        self.forget.setEnabled(False)
