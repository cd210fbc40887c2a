"""The sheet that changes the number of classes of every head at once: detectors, models of several tasks."""

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFormLayout, QHBoxLayout, QLineEdit, QPushButton, QWidget

from core.recipes import gestures
from gui.panels.keep import parsed
from gui.session import Session
from gui.widgets.fields import NumberField
from gui.widgets.parts import Sentence, label, named
from gui.widgets.sheet import Sheet


class ClassesSheet(Sheet):
    """`change_classes`: how many classes there are, how many there will be, and which stay."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent, "classes", "Classes of every head", 400)
        self._session = session
        self.column.addWidget(label("Classes of every head", "heading"))
        text = "For detectors and models with several heads. Boxes and other outputs stay unchanged."
        self.column.addWidget(label(text, wrap=True))
        form = QFormLayout()
        self.now = named(NumberField("Classes now"), "classesNow")
        self.wanted = named(NumberField("New number of classes"), "classesWanted")
        self.kept = named(QLineEdit(), "classesKept")
        self.kept.setAccessibleName("Old classes to keep")
        self.kept.setPlaceholderText("the first ones, or e.g. 0, 3, 7-9")
        self.kept.setToolTip("Indices of old classes, counted from 0; they come first, in this order")
        for caption, field in (("Classes now", self.now), ("New number", self.wanted), ("Keep", self.kept)):
            form.addRow(caption, field)
            field.textChanged.connect(self._check)
            field.returnPressed.connect(self._on_apply)
        self.column.addLayout(form)
        self.problem = Sentence()
        self.column.addWidget(self.problem)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        cancel = QPushButton("Cancel")
        cancel.clicked.connect(self.leave)
        buttons.addWidget(cancel)
        self.apply = named(QPushButton("Change classes"), "primary")
        self.apply.clicked.connect(self._on_apply)
        buttons.addWidget(self.apply)
        self.column.addLayout(buttons)
        self._check()

    def begin(self) -> None:
        """Ask."""
        self._check()
        self.open(self.now)

    def _keep(self) -> list[int | str] | None:
        return parsed(self.kept.text(), ()) if self.kept.text().strip() else None

    def _problem(self) -> str:
        for field in (self.now, self.wanted):
            if field.problem:
                return field.problem
        try:
            keep = self._keep() or []
        except ValueError as error:
            return str(error)
        if self.now.value is not None and any(isinstance(one, int) and one >= self.now.value for one in keep):
            return f"The model has classes 0 to {self.now.value - 1}."
        if self.wanted.value is not None and len(keep) > self.wanted.value:
            return f"Cannot keep {len(keep)} classes: there will be only {self.wanted.value}."
        return ""

    @Slot()
    def _check(self) -> None:
        problem = self._problem()
        self.problem.say(problem)
        self.apply.setEnabled(not problem and self.now.value is not None and self.wanted.value is not None)

    @Slot()
    def _on_apply(self) -> None:
        if not self.apply.isEnabled():
            return
        now, wanted = self.now.value, self.wanted.value
        edit = gestures.make_edit("change_classes", classes=wanted, old_classes=now, keep=self._keep())
        self._session.end_burst()
        self._session.gesture(lambda recipe: recipe.plus(edit), f"{now} classes become {wanted} in every head")
        self.leave()
