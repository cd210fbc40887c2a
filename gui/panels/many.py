"""Several selected layers together: what they are, what they cost, and what can be done with all of them."""

from PySide6.QtCore import QTimer, Slot
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from core.analysis.sums import Sums, sums
from gui.document import freezing
from gui.document.session import Session
from gui.models.digest import count_words
from gui.widgets.parts import label, named, scrolling

MOST_CLASSES = 4
MOST_NAMES = 12
ROWS = ("Parameters", "Trained", "MACs", "Activations")


class ManySelected(QWidget):
    """Sums over the selection. There is something to see while more than one layer is selected."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setObjectName("manySelected")
        self.setAccessibleName("Selected layers")
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(14, 2, 14, 10)
        column.setSpacing(6)
        self.title = label("", "heading")
        self.classes = label("", "small", wrap=True)
        column.addWidget(self.title)
        column.addWidget(self.classes)
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        self.numbers: dict[str, QLabel] = {}
        for row, name in enumerate(ROWS):
            place = 2 * (row % 2)
            grid.addWidget(label(name, "small"), row // 2, place)
            self.numbers[name] = label("", "small")
            grid.addWidget(self.numbers[name], row // 2, place + 1)
        column.addLayout(grid)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        self.freeze = named(QPushButton("Freeze these"), "freezeSelected")
        self.freeze.clicked.connect(lambda: freezing.freeze(session, "these", True))
        self.unfreeze = named(QPushButton("Unfreeze these"), "unfreezeSelected")
        self.unfreeze.clicked.connect(lambda: freezing.freeze(session, "these", False))
        for button in (self.freeze, self.unfreeze):
            buttons.addWidget(button)
        buttons.addStretch(1)
        column.addLayout(buttons)
        self.names = label("", "small", wrap=True)
        column.addWidget(self.names)
        column.addStretch(1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        area = scrolling(inside)
        area.setAccessibleName("Selected layers")
        whole.addWidget(area)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self.refresh)
        for signal in (session.chosen_changed, session.plan_changed, session.view_changed, session.source_changed):
            signal.connect(self._soon.start)

    @property
    def several(self) -> bool:
        """Whether more than one layer is selected."""
        return len(self._session.chosen) > 1

    @Slot()
    def refresh(self) -> None:
        """Show what is selected now."""
        session, graph = self._session, self._session.shown_graph
        if not self.several or graph is None:
            return
        plan = session.plan if session.view != "before" else session.base
        found = sums(graph, plan, session.chosen)
        self.title.setText(f"{len(session.chosen):,} selected")
        self.classes.setText(class_words(found))
        self.numbers["Parameters"].setText(count_words(found.params))
        self.numbers["Parameters"].setToolTip(f"{found.params:,} parameters")
        self.numbers["Trained"].setText(trained_words(found))
        for name, number in (("MACs", found.macs), ("Activations", found.activations)):
            known = found.unknown < found.layers
            self.numbers[name].setText(count_words(number if known else None) + ("+" * (known and found.unknown > 0)))
            self.numbers[name].setToolTip(f"Not known of {found.unknown:,} of the layers" if found.unknown else "")
        some = freezing.any_of_these(session)
        self.freeze.setEnabled(some and found.frozen < found.layers)
        self.unfreeze.setEnabled(some and found.frozen > 0)
        names = session.chosen[:MOST_NAMES]
        rest = len(session.chosen) - len(names)
        self.names.setText("\n".join(names) + (f"\nand {rest:,} more" if rest else ""))


def class_words(found: Sums) -> str:
    """The classes by number: `3 Conv2D, 2 ReLU and 4 of other classes`."""
    shown = found.classes[:MOST_CLASSES]
    rest = sum(number for _, number in found.classes[MOST_CLASSES:])
    words = ", ".join(f"{number:,} {name}" for name, number in shown)
    return words + (f" and {rest:,} of other classes" if rest else "")


def trained_words(found: Sums) -> str:
    """How many parameters training changes, and how many of the layers are frozen."""
    return count_words(found.trainable_params) + (f" ({found.frozen:,} frozen)" if found.frozen else "")
