"""The small buttons over the canvas."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QWidget

from gui.widgets.theme import LIGHT, Theme, icon


class Controls(QFrame):
    """Small buttons over the canvas: zoom, fit, fold."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("sheet")
        row = QHBoxLayout(self)
        row.setContentsMargins(2, 1, 2, 1)
        row.setSpacing(1)
        self._opened = True
        self._theme = LIGHT
        self.far = self._button("Zoom out", "-")
        self.percent = self._button("Show at full size", "")
        self.near = self._button("Zoom in", "+")
        self.whole = self._button("Fit the whole graph", "Ctrl+0")
        self.folder = self._button("Fold everything", "Ctrl+[")
        self.colour = self._button("Colour by", "")
        self.colour.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        for button in (self.far, self.percent, self.near, self.whole, self.folder, self.colour):
            row.addWidget(button)
        self.percent.setText("100 %")
        self.percent.setMinimumWidth(48)

    def _button(self, name: str, keys: str) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName("icon")
        button.setAccessibleName(name)
        button.setToolTip(f"{name} ({keys})" if keys else name)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def set_theme(self, theme: Theme) -> None:
        """Icons in the theme's colours."""
        self._theme = theme
        self.far.setIcon(icon("zoom-out", theme, "muted"))
        self.near.setIcon(icon("zoom-in", theme, "muted"))
        self.whole.setIcon(icon("fit", theme, "muted"))
        self.colour.setIcon(icon("palette", theme, "muted"))
        self.folder.setIcon(icon("fold" if self._opened else "unfold", theme, "muted"))

    def show_fold(self, *, opened: bool) -> None:
        """Whether the last button folds or unfolds."""
        if opened != self._opened:
            self._opened = opened
            name = "Fold everything" if opened else "Unfold everything"
            self.folder.setAccessibleName(name)
            self.folder.setToolTip(f"{name} ({'Ctrl+[' if opened else 'Ctrl+]'})")
            self.folder.setIcon(icon("fold" if opened else "unfold", self._theme, "muted"))
