"""Findings and recipe below the graph: a line with counts while they have nothing to say, else both side by side."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from gui.document.session import Session
from gui.widgets.parts import IconButton, Look, label, named, restyle

HEIGHT = 38


class StripBar(QFrame):
    """The closed strip: what each of the two would show, in numbers. A click opens it there."""

    findings_wanted = Signal()
    recipe_wanted = Signal()

    def __init__(self, session: Session, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.setAccessibleName("Findings and recipe")
        self.setFixedHeight(HEIGHT)
        self._session = session
        row = QHBoxLayout(self)
        row.setContentsMargins(7, 0, 8, 0)
        row.setSpacing(4)
        self.findings = named(QPushButton("FINDINGS"), "stripTitle")
        self.findings.clicked.connect(self.findings_wanted)
        self._found = named(QLabel(), "cardCount")
        self._calm = label("", "small")
        self.recipe = named(QPushButton("RECIPE"), "stripTitle")
        self.recipe.clicked.connect(self.recipe_wanted)
        self._steps = named(QLabel(), "cardCount")
        self._none = label("", "small")
        for widget in (self.findings, self._found, self._calm):
            row.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addSpacing(24)
        for widget in (self.recipe, self._steps, self._none):
            row.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addStretch(1)
        self.opener = IconButton(look, "panel-bottom", "Show findings and recipe")
        self.opener.clicked.connect(self.findings_wanted)
        row.addWidget(self.opener)
        session.plan_changed.connect(self.refresh)
        session.source_changed.connect(self.refresh)
        session.recipe_changed.connect(self.refresh)
        self.refresh()

    @property
    def busy(self) -> bool:
        """Whether there is anything that the open strip would show."""
        return bool(self._session.findings or self._session.recipe.edits)

    @Slot()
    def refresh(self) -> None:
        """Count again."""
        findings, steps = self._session.findings, len(self._session.recipe.edits)
        worst = next((one for one in ("error", "warning") if any(each.severity == one for each in findings)), "")
        words = counted(findings)
        self._found.setText(words)
        self._found.setVisible(bool(words))
        if self._found.property("severity") != worst:
            self._found.setProperty("severity", worst)
            restyle(self._found)
        self._calm.setText("" if findings else "every weight fits" if self._session.plan else "none yet")
        self._calm.setVisible(not findings)
        self._steps.setText(str(steps))
        self._steps.setVisible(bool(steps))
        self._none.setText("no steps yet")
        self._none.setVisible(not steps)
        self.findings.setAccessibleName(f"Findings: {words or 'none'}")
        self.recipe.setAccessibleName(f"Recipe: {steps or 'no'} {'step' if steps == 1 else 'steps'}")
        for button, what in ((self.findings, "findings"), (self.recipe, "the recipe")):
            button.setToolTip(f"Show {what}")


def counted(findings: object) -> str:
    """`1 error · 2 warnings`, or how many there are if all are for information."""
    listed = list(findings) if isinstance(findings, (list, tuple)) else []
    parts = []
    for severity in ("error", "warning"):
        number = sum(each.severity == severity for each in listed)
        if number:
            parts.append(f"{number} {severity}{'s' if number > 1 else ''}")
    return " \u00b7 ".join(parts) or (str(len(listed)) if listed else "")
