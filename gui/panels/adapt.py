"""Adapt what arrives at an input and leave the model as it is."""

from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.edits import InsertAdapter
from core.model.graph import Shape
from core.phrases import TIMES, shape_words
from core.recipes import steps
from gui.session import Session
from gui.widgets.fields import Choice, NumberField, first_problem
from gui.widgets.parts import Sentence, label, named

FITS = (
    ("resize", "Resize", "Images of any size are resized to the model\u2019s; the aspect ratio may change."),
    ("letterbox", "Letterbox", "Resized with the aspect ratio kept; zeros fill the rest."),
    ("pad", "Pad", "Zeros around smaller images."),
    ("crop", "Crop", "The middle of larger images."),
    ("project", "Project channels", "A trainable 1\u00d71 convolution from your channels to the model\u2019s."),
    ("repeat", "Repeat gray", "One channel goes to every channel of the model."),
)
INTERPOLATIONS = tuple((name, name, "") for name in ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5"))


class ShapeFields(QWidget):
    """A field for each dimension, in a row. `fields` are in the order of the shape."""

    def __init__(self, names: list[str], prefix: str, *, nullable: bool = True) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(3)
        self.fields = [NumberField(name, nullable=nullable) for name in names]
        for number, (name, field) in enumerate(zip(names, self.fields, strict=True)):
            field.setObjectName(f"{prefix}_{number}")
            grid.addWidget(label(name, "fieldLabel"), 0, 2 * number)
            grid.addWidget(field, 1, 2 * number)
            grid.setColumnStretch(2 * number, 1)
            if number < len(names) - 1:
                times = label(TIMES, "faint")
                times.setAlignment(Qt.AlignmentFlag.AlignCenter)
                grid.addWidget(times, 1, 2 * number + 1)

    @property
    def shape(self) -> Shape | None:
        """What the fields say; `None` while one makes no sense."""
        return None if first_problem(self.fields) else tuple(field.value for field in self.fields)

    def show_shape(self, shape: Shape) -> None:
        """Show a shape."""
        for field, value in zip(self.fields, shape, strict=True):
            if not field.hasFocus():
                field.show_value(value)


class AdaptForm(QWidget):
    """`insert_adapter` for one input."""

    def __init__(
        self, session: Session, name: str, original: Shape, channel: int | None, address: str | None, names: list[str]
    ) -> None:
        super().__init__()
        self._session, self._name, self._address = session, name, address
        self._original, self._channel = original, channel
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(label("Your data arrives as", "fieldLabel"))
        self.shape = ShapeFields(names, f"adapt_{name}")
        column.addWidget(self.shape)
        column.addWidget(label("It is made to fit by", "fieldLabel"))
        self.fit = named(Choice("How it is made to fit", FITS), "adaptFit")
        column.addWidget(self.fit)
        self.tip = Sentence("small")
        column.addWidget(self.tip)
        self.interpolation = named(Choice("Interpolation", INTERPOLATIONS), "adaptInterpolation")
        column.addWidget(self.interpolation)
        line = QHBoxLayout()
        self.padded = named(QCheckBox("to a multiple of"), "adaptMultiple")
        self.multiple = NumberField("Multiple", high=1024)
        self.multiple.setObjectName("adaptMultipleOf")
        self.multiple.setText("32")
        line.addWidget(self.padded)
        line.addWidget(self.multiple)
        line.addStretch(1)
        self.padding = QWidget()
        inside = QVBoxLayout(self.padding)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addLayout(line)
        self.crop_back = named(QCheckBox("Crop the outputs back"), "adaptCropBack")
        self.crop_back.setChecked(True)
        inside.addWidget(self.crop_back)
        column.addWidget(self.padding)
        self.problem = Sentence()
        column.addWidget(self.problem)
        buttons = QHBoxLayout()
        self.apply = named(QPushButton("Put it in front"), "adaptApply")
        self.remove = named(QPushButton("Take it out"), "link")
        buttons.addWidget(self.apply)
        buttons.addWidget(self.remove)
        buttons.addStretch(1)
        column.addLayout(buttons)
        self.fit.picked.connect(self._on_fit)
        self.padded.toggled.connect(self._show_fields)
        self.apply.clicked.connect(self.on_apply)
        self.remove.clicked.connect(self._on_remove)
        for field in self.shape.fields:
            field.returnPressed.connect(self.on_apply)
            field.textEdited.connect(self._check)
        self._show_fields()
        self.show_recipe()

    @property
    def used(self) -> bool:
        """Whether the recipe has an adapter in front of this input."""
        return bool(steps.adapters(self._session.recipe, self._name))

    def show_recipe(self) -> None:
        """Show the recipe's adapter, or a beginning for one."""
        found = steps.adapters(self._session.recipe, self._name)
        step = found[-1] if found else None
        self.remove.setVisible(step is not None)
        self.apply.setText("Change it" if step is not None else "Put it in front")
        if step is None:
            if not any(field.text() for field in self.shape.fields):
                self.shape.show_shape(self._original)
            return
        if len(step.shape) == len(self._original):
            self.shape.show_shape(step.shape)
        self.fit.show_key(step.fit)
        self.interpolation.show_key(step.interpolation)
        self.padded.setChecked(step.multiple is not None)
        if step.multiple is not None:
            self.multiple.show_value(step.multiple)
        self.crop_back.setChecked(step.crop_back)
        self._show_fields()

    @Slot()
    def _show_fields(self) -> None:
        fit = self.fit.key
        self.tip.say(self.fit.tip)
        self.interpolation.setVisible(fit in ("resize", "letterbox"))
        self.padding.setVisible(fit == "pad")
        self.multiple.setEnabled(self.padded.isChecked())
        self.crop_back.setVisible(self.padded.isChecked())

    @Slot()
    def _on_fit(self) -> None:
        if self.fit.key == "repeat" and self._channel is not None:
            self.shape.fields[self._channel].show_value(1)
        self._show_fields()
        self._check()

    @Slot()
    def _check(self) -> bool:
        problem = first_problem([*self.shape.fields, *([self.multiple] if self.padded.isChecked() else [])])
        self.problem.say(problem)
        return not problem

    @Slot()
    def on_apply(self) -> None:
        """Put the adapter in front of the input, in the place of an earlier one of its kind."""
        shape = self.shape.shape
        if shape is None or not self._check():
            return
        fields: dict[str, Any] = {}
        if self.fit.key in ("resize", "letterbox"):
            fields["interpolation"] = self.interpolation.key
        if self.fit.key == "pad" and self.padded.isChecked():
            fields |= {"multiple": self.multiple.value, "crop_back": self.crop_back.isChecked()}
        edit = InsertAdapter(shape=shape, fit=self.fit.key, input=self._address, **fields)  # type: ignore[arg-type]
        self._session.end_burst()
        self._session.gesture(
            lambda recipe: steps.put_adapter(recipe, self._name, edit),
            f"{self.fit.currentText()} {shape_words(shape)} for the model",
        )

    @Slot()
    def _on_remove(self) -> None:
        self._session.gesture(lambda recipe: steps.take_adapters(recipe, self._name), "Take the adapter out")
