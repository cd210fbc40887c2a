"""Edit the head: keep it, take it off, or put a new one in its place."""

from typing import Any

import msgspec
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QButtonGroup, QPushButton, QRadioButton, QVBoxLayout, QWidget

from core.recipes import gestures
from gui.document.session import Session
from gui.panels.keep import KeepForm
from gui.panels.outputs import OutputsForm
from gui.widgets.cells import Field, Values
from gui.widgets.form import Form
from gui.widgets.parts import Look, Sentence, divider, named

POOLING = (
    ("avg", "Average pooling", "One number per channel: the mean over the map."),
    ("max", "Max pooling", "One number per channel: the largest in the map."),
    ("none", "No pooling", "The whole last map."),
)
ACTIVATIONS = (
    ("softmax", "softmax", "One class out of several; the outputs sum to 1."),
    ("sigmoid", "sigmoid", "Any number of labels, each independent."),
    ("linear", "linear", "Plain numbers: regression, or a loss from logits."),
)


def units(text: str) -> list[int]:
    """Units of hidden layers. Raises `ValueError` with a sentence."""
    words = text.replace(",", " ").split()
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ValueError("Hidden layers must be whole numbers of at least 1, such as 256, 128; leave empty for none.")
    return [int(word) for word in words]


def fraction(text: str) -> float:
    """A dropout. Raises `ValueError` with a sentence."""
    try:
        found = float(text or 0)
    except ValueError:
        found = -1.0
    if not 0 <= found < 1:
        raise ValueError("Dropout must be at least 0 and less than 1.")
    return found


def new_head(said: Values) -> bool:
    """Whether the model gets another head."""
    return bool(said.get("way") == "attach")


def pooled(said: Values) -> bool:
    """Whether the old head goes, so that what it saw is pooled."""
    return said.get("way") == "remove" or (new_head(said) and not said.get("keeping"))


def hidden_too(said: Values) -> bool:
    """Whether there may be layers before the last one: not where old classes stay."""
    return new_head(said) and not said.get("keeping")


FIELDS = (
    Field("output", "Output", "choice", key="headOutput", above=True,
          help="The output whose head changes; the others stay unchanged",
          shown=lambda said: said.get("outputs", 0) > 1 and said.get("way") != "keep"),
    Field("pooling", "Pooling", "choice", options=POOLING, key="headPooling", shown=pooled, explained=pooled,
          usable=lambda said: not (hidden_too(said) and said["dense"])),
    Field("classes", "Classes", "whole", key="headClasses", shown=new_head),
    Field("hidden", "Hidden", "text", spoken="Hidden layers", key="headHidden", shown=hidden_too, read=units,
          write=lambda value: ", ".join(map(str, value)),
          help="Units of each hidden Dense layer, such as 256, 128; empty for none"),
    Field("dropout", "Dropout", "text", key="headDropout", shown=hidden_too, read=fraction,
          write=lambda value: f"{value:g}"),
    Field("activation", "Activation", "choice", options=ACTIVATIONS, key="headActivation", shown=new_head),
    Field("dense", "Output for each position of the map", "flag", default=False, key="headDense", above=True,
          help="For segmentation: 1\N{MULTIPLICATION SIGN}1 convolutions instead of pooling and Dense layers",
          shown=hidden_too),
)  # fmt: skip


class HeadPanel(QWidget):
    """`remove_head` and `attach_head`. `classes_wanted` asks for the sheet that changes every head at once."""

    classes_wanted = Signal()

    def __init__(self, session: Session, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("headPanel")
        self._session = session
        self._attached: Any = None
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(8)
        self._group = QButtonGroup(self)
        self.keep = named(QRadioButton("Keep the head"), "headKeep")
        self.remove = named(QRadioButton("Remove it: a feature extractor"), "headRemove")
        self.attach = named(QRadioButton("New head for another task"), "headAttach")
        for button in (self.keep, self.remove, self.attach):
            self._group.addButton(button)
            button.clicked.connect(self._on_choice)
            column.addWidget(button)
        self.replaced = Sentence("small")
        column.addWidget(self.replaced)
        self.form = Form(FIELDS)
        self.form.number("classes").setAlignment(Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.form)
        self.kept = KeepForm()
        self.kept.changed.connect(self._on_choice)
        column.addWidget(self.kept)
        self.every = named(QPushButton("Classes of every head\u2026"), "headEvery")
        self.every.setToolTip("Change the number of classes of a detector, or of several heads at once")
        self.every.clicked.connect(self.classes_wanted)
        column.addWidget(self.every, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(divider())
        self.outputs = OutputsForm(session, look)
        column.addWidget(self.outputs)
        column.addStretch(1)
        self.form.changed.connect(self.apply)
        self.form.step.connect(session.end_burst)
        session.source_changed.connect(self.refresh)
        session.recipe_changed.connect(self.refresh)
        session.plan_changed.connect(self._show_replaced)
        self.refresh()

    @property
    def way(self) -> str:
        """What becomes of the head: `keep`, `remove` or `attach`."""
        return "attach" if self.attach.isChecked() else "remove" if self.remove.isChecked() else "keep"

    @Slot()
    def refresh(self) -> None:
        """Show what the recipe says of the head."""
        steps = gestures.steps_of(self._session.recipe, "remove_head", "attach_head")
        opened = self._session.source is not None
        for button in (self.keep, self.remove, self.attach, self.every):
            button.setEnabled(opened)
        graph = self._session.before_graph
        names = [ref.layer for ref in graph.output_refs()] if graph is not None else []
        self.form.choice("output").set_options((str(at), f"Output {name}", "") for at, name in enumerate(names))
        attached = next((edit for edit in steps if gestures.tag(edit) == "attach_head"), None)
        removed = next((edit for edit in steps if gestures.tag(edit) == "remove_head"), None)
        self._attached = attached
        (self.attach if attached else self.remove if removed else self.keep).setChecked(True)
        self._show_replaced()
        dense = attached is not None and attached.dense
        values: dict[str, Any] = {"dense": dense}
        chosen = next((edit.output for edit in steps if isinstance(edit.output, int)), None)
        if chosen is not None:
            values["output"] = str(chosen)
        if removed is not None and not dense:
            values["pooling"] = removed.pooling
        if attached is not None:
            values |= {name: getattr(attached, name) for name in ("classes", "hidden", "dropout", "activation")}
        elif not self.form.problem.text():
            classes = self.form.number("classes").value or 10
            values |= {"classes": classes, "hidden": (128,), "dropout": 0.5}
        if attached is not None:
            self.kept.show_step(attached.keep, attached.labels)
        elif not self.kept.problem.text():
            self.kept.show_step(None, ())
        self._show_way()
        self.form.show_values(values)

    @Slot()
    def _show_replaced(self) -> None:
        """A head that outputs at inner layers replace is not kept, whatever else the recipe says of it."""
        gone = self.outputs.replacing is not None
        if self.way == "keep":
            self._group.setExclusive(False)
            self.keep.setChecked(not gone)
            self._group.setExclusive(True)
        words = "The outputs at inner layers replace the head. \u201cKeep the head\u201d keeps both."
        self.replaced.say(words if gone else "")

    def _show_way(self) -> None:
        count = self.form.choice("output").count()
        self.form.set_context(way=self.way, keeping=self.kept.on.isChecked(), outputs=count)
        self.form.setVisible(self.way != "keep")
        self.kept.setVisible(self.way == "attach")

    @Slot()
    def _on_choice(self) -> None:
        self._session.end_burst()
        if self.keep.isChecked():
            self.outputs.keep_head()
        self._show_way()
        self.apply()
        self._session.end_burst()

    @Slot()
    def apply(self) -> None:
        """Make the recipe say what the form says."""
        if self._session.source is None or not self.form.check():
            return
        said, way = self.form.says(), self.way
        if way == "attach" and said["classes"] is None:
            self.form.problem.say("Enter the number of classes.")
            return
        kept: dict[str, Any] = {"keep": None, "labels": []}
        if way == "attach":
            try:
                kept = self.kept.fields()
            except ValueError:
                return
        whole = kept["keep"] is None
        output = int(said["output"]) if self.form.choice("output").count() > 1 else None
        dense = way == "attach" and said["dense"]
        edits: list[Any] = []
        if way != "keep" and whole:
            pooling = "none" if dense else said["pooling"]
            edits.append(gestures.make_edit("remove_head", pooling=pooling, output=output))
        if way == "attach":
            fields = {} if self._attached is None else msgspec.to_builtins(self._attached)
            fields.pop("do", None)
            fields |= {name: said[name] for name in ("classes", "dropout", "activation")}
            fields |= {"hidden": said["hidden"] if whole else [], "dense": dense and whole, "output": output}
            edits.append(gestures.make_edit("attach_head", **{**fields, **kept}))
        texts = {"keep": "Keep the head", "remove": "Remove the head", "attach": f"New head, {said['classes']} classes"}
        self._session.gesture(lambda recipe: gestures.set_head(recipe, edits), texts[way], burst="head")
