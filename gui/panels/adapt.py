"""Adapt what arrives at an input and leave the model as it is."""

from collections.abc import Sequence

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.edits import InsertAdapter
from core.edits.insert_adapter import possible_fits
from core.errors import EditError
from core.model.graph import Shape
from core.phrases import shape_words
from core.recipes import steps
from gui.document.session import Session
from gui.widgets.cells import Field
from gui.widgets.form import Form
from gui.widgets.parts import label, named

FITS = (
    ("resize", "Resize", "Images of any size are resized to the model\u2019s; the aspect ratio may change."),
    ("letterbox", "Letterbox", "Resized with the aspect ratio kept; the rest is filled with zeros."),
    ("pad", "Pad", "Adds zeros around smaller inputs."),
    ("crop", "Crop", "Keeps the middle of larger inputs."),
    ("project", "Project channels", "A trainable 1\u00d71 convolution from your channels to the model\u2019s."),
    ("repeat", "Repeat gray", "One channel is copied to every channel of the model."),
)
INTERPOLATIONS = tuple((name, name, "") for name in ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5"))
RESIZED = ("resize", "letterbox")


def fields(name: str, dims: tuple[str, ...], fits: Sequence[str]) -> tuple[Field, ...]:
    """What an adapter says of the input `name`, whose dimensions are called `dims`; `fits` are those that can work."""
    options = tuple(one for one in FITS if one[0] in fits)
    return (
        Field("shape", "Shape of your data", "shape", parts=dims, key=f"adapt_{name}", above=True),
        Field("fit", "Make it fit by", "choice", spoken="How to make it fit", options=options, key="adaptFit",
              above=True, explained=lambda _: True),
        Field("interpolation", "", "choice", spoken="Interpolation", options=INTERPOLATIONS, key="adaptInterpolation",
              shown=lambda said: said["fit"] in RESIZED),
        Field("multiple", "to a multiple of", "multiple", spoken="Multiple", high=1024, hint="32",
              key="adaptMultiple", above=True, shown=lambda said: said["fit"] == "pad"),
        Field("crop_back", "Crop the outputs back", "flag", default=True, key="adaptCropBack", above=True,
              shown=lambda said: said["fit"] == "pad" and said["multiple"] is not None),
    )  # fmt: skip


class AdaptForm(QWidget):
    """`insert_adapter` for one input."""

    def __init__(
        self, session: Session, name: str, original: Shape, channel: int | None, address: str | None, names: list[str]
    ) -> None:
        super().__init__()
        self._session, self._name, self._address = session, name, address
        self._channel = channel
        self._fit = ""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        fits = _fits(session, name)
        self.form = Form(fields(name, tuple(names), fits or [one[0] for one in FITS]))
        self.form.show_values({"shape": original, "crop_back": True})
        column.addWidget(self.form)
        self.buttons = PutOrTake()
        column.addLayout(self.buttons)
        if not fits:
            self.form.hide()
            self.buttons.put.hide()
            why = (
                "Adapters work on images, sequences and volumes with channels, and this input is none of those. "
                "New front puts layers of your choice before it."
            )
            column.insertWidget(0, label(why, "small", wrap=True))
        self.apply, self.remove = self.buttons.put, self.buttons.take
        self.form.edited.connect(self._on_edited)
        self.form.entered.connect(self.on_apply)
        self.apply.clicked.connect(self.on_apply)
        self.remove.clicked.connect(self._on_remove)
        self.show_recipe()

    @property
    def used(self) -> bool:
        """Whether the recipe has an adapter in front of this input."""
        return bool(steps.adapters(self._session.recipe, self._name))

    def show_recipe(self) -> None:
        """Show the recipe's adapter, or a beginning for one."""
        found = steps.adapters(self._session.recipe, self._name)
        self.buttons.show_used(bool(found))
        if found:
            step = found[-1]
            self.form.show_values({name: getattr(step, name) for name in self.form.cells})

    @Slot()
    def _on_edited(self) -> None:
        fit = self.form.says()["fit"]
        if fit == "repeat" and fit != self._fit and self._channel is not None:
            self.form.numbers("shape")[self._channel].show_value(1)
        self._fit = fit

    @Slot()
    def on_apply(self) -> None:
        """Put the adapter in front of the input, in the place of an earlier one of its kind."""
        if not self.form.check():
            return
        edit = InsertAdapter(input=self._address, **self.form.values())
        self._session.end_burst()
        self._session.gesture(
            lambda recipe: steps.put_adapter(recipe, self._name, edit),
            f"{self.form.choice('fit').currentText()} {shape_words(edit.shape)} for the model",
        )

    @Slot()
    def _on_remove(self) -> None:
        self._session.gesture(lambda recipe: steps.take_adapters(recipe, self._name), "Remove the adapter")


def _fits(session: Session, name: str) -> tuple[str, ...]:
    """The ways to adapt that can work for an input of the source; all of them where it is not known as one."""
    source = session.source
    try:
        return possible_fits(source.graph, name) if source is not None else ()
    except EditError:
        return tuple(one[0] for one in FITS)


class PutOrTake(QHBoxLayout):
    """Two buttons for what stands in front of an input: put it there or change it, and take it out."""

    def __init__(self) -> None:
        super().__init__()
        self.put = QPushButton()
        self.take = named(QPushButton("Remove it"), "link")
        self.addWidget(self.put)
        self.addWidget(self.take)
        self.addStretch(1)
        self.show_used(False)

    def show_used(self, used: bool) -> None:
        """Say what a click does now."""
        self.take.setVisible(used)
        self.put.setText("Change it" if used else "Add it")
