"""Where old and new part: the layers ranked by drift, each a way to go there."""

from collections.abc import Sequence

from PySide6.QtWidgets import QGridLayout, QPushButton, QWidget

from gui.dialogs.ranking import Bar, drift_number
from gui.document.session import Session
from gui.widgets.parts import Look, label, named

SHOWN = 8


class DriftByLayer(QWidget):
    """The layers that drift most, the largest first."""

    def __init__(self, session: Session, look: Look, drifts: Sequence[tuple[str, float]]) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 4, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        ranked = sorted(drifts, key=lambda one: -one[1])
        words = "Layers by drift, largest first" if len(ranked) <= SHOWN else f"The {SHOWN} layers that drift most"
        grid.addWidget(label(words, "fieldLabel"), 0, 0, 1, 3)
        self.buttons: list[QPushButton] = []
        for row, (path, drift) in enumerate(ranked[:SHOWN], 1):
            button = named(QPushButton(path.rpartition("/")[2]), "link")
            button.setAccessibleName(f"Go to {path}")
            button.setToolTip(path)
            button.setMaximumWidth(170)
            button.clicked.connect(lambda _=False, path=path: session.select(path))
            number = label(drift_number(drift), "small")
            grid.addWidget(button, row, 0)
            grid.addWidget(Bar(look, drift), row, 1)
            grid.addWidget(number, row, 2)
            self.buttons.append(button)
