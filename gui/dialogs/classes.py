"""The sheet that changes the number of classes of every head at once: detectors, models of several tasks."""

from PySide6.QtWidgets import QWidget
from typing_extensions import override

from core.recipes import gestures
from gui.document.session import Session
from gui.panels.keep import parsed
from gui.widgets.cells import Field
from gui.widgets.sheet import FormSheet

FIELDS = (
    Field("old_classes", "Classes now", "whole", key="classesNow"),
    Field("classes", "New number", "whole", spoken="New number of classes", key="classesWanted"),
    Field(
        "keep", "Keep", "text",
        spoken="Old classes to keep",
        help="Indices of old classes, counted from 0; they come first, in this order",
        hint="the first ones, or e.g. 0, 3, 7-9",
        read=lambda text: parsed(text, ()) if text else None,
        key="classesKept",
    ),
)  # fmt: skip


class ClassesSheet(FormSheet):
    """`change_classes`: how many classes there are, how many there will be, and which stay."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        text = "For detectors and models with several heads. Boxes and other outputs stay unchanged."
        super().__init__(parent, "classes", "Classes of every head", 400, "Change classes", FIELDS, text)
        self._session = session
        self.now, self.wanted = self.form.number("old_classes"), self.form.number("classes")
        self.kept = self.form.line("keep")
        self.check()

    def begin(self) -> None:
        """Ask."""
        self.check()
        self.open(self.now)

    @override
    def trouble(self) -> str:
        said = self.form.says()
        now, wanted, keep = said["old_classes"], said["classes"], said["keep"] or []
        if now is not None and any(isinstance(one, int) and one >= now for one in keep):
            return f"The model has classes 0 to {now - 1}."
        if wanted is not None and len(keep) > wanted:
            return f"Cannot keep {len(keep)} classes: there will be only {wanted}."
        return ""

    @override
    def ready(self) -> bool:
        return self.now.value is not None and self.wanted.value is not None

    @override
    def finish(self) -> bool:
        edit = gestures.make_edit("change_classes", **self.form.values())
        text = f"{self.now.value} classes become {self.wanted.value} in every head"
        self._session.end_burst()
        self._session.gesture(lambda recipe: recipe.plus(edit), text)
        return True
