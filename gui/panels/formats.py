"""What changes every layer of a model at once: its data format, one more axis, and another model joined to it."""

from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.model.graph import Graph, Layer
from core.phrases import DYNAMIC
from core.recipes import gestures
from core.surgery.anatomy import channel_axis
from core.surgery.layout_walk import format_of
from gui.document.session import Session
from gui.widgets.cells import Field
from gui.widgets.form import Form
from gui.widgets.parts import Sentence, label, named

HOWS = (
    ("centre", "in the middle", "Kernels are centred on the new axis: each frame is processed separately, exactly"),
    ("mean", "averaged", "Kernels are repeated along the new axis and divided: frames are averaged from the start"),
)
FIELDS = (
    Field("frames", "Frames", "whole", hint=DYNAMIC, help="Frames: a whole number, or empty for any size",
          key="inflateFrames"),
    Field("depth", "Taps", "whole", hint="as others", key="inflateDepth",
          help="Kernel size along the new axis; leave empty to use the same as along the others"),
    Field("how", "Kernels", "choice", spoken="How kernels get the new axis", options=HOWS, key="inflateHow"),
    Field("along", "apply strides and pooling along it too", "flag", key="inflateAlong", above=True,
          help="Otherwise all frames are kept through the whole model"),
)  # fmt: skip
_FORMATS = {"channels_last": "last", "channels_first": "first"}


class FormatsForm(QWidget):
    """Each button adds one step. `join_wanted` asks for the sheet that joins another model."""

    join_wanted = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._to = "channels_last"
        self._input: Layer | None = None
        self._axis: int | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self.format, self.turn = self._section(column, "Data format", "Turn", "turnFormat", self.turn_format)
        self.turn.setToolTip("Converts layers, axes and weights; inputs and outputs that are maps are transposed")
        self.joined, self.join = self._section(
            column, "Another model", "Join\u2026", "joinModel", self.join_wanted.emit
        )
        self.join.setToolTip("Add the model of another file after this one, or in parallel")
        self.joined.say("After this one, or in parallel.")
        self.grown, self.inflate = self._section(column, "One more axis", "Inflate", "inflate", self.inflate_model)
        self.form = Form(FIELDS)
        self.form.entered.connect(self.inflate_model)
        column.addWidget(self.form)
        self.offer(None)

    def _section(
        self, column: QVBoxLayout, title: str, verb: str, name: str, action: Any
    ) -> tuple[Sentence, QPushButton]:
        row = QHBoxLayout()
        words = QVBoxLayout()
        words.setSpacing(1)
        words.addWidget(label(title, "fieldTitle"))
        said = Sentence("small")
        words.addWidget(said)
        row.addLayout(words, 1)
        button = named(QPushButton(verb), name)
        button.setAccessibleName(f"{verb.rstrip(chr(0x2026))}: {title}")
        button.clicked.connect(action)
        row.addWidget(button)
        column.addLayout(row)
        column.addSpacing(3)
        return said, button

    def offer(self, graph: Graph | None) -> None:
        """Show what there is to do with this model."""
        known = graph is not None and not graph.opaque
        formats = [format_of(layer) for _, layer in graph.walk()] if known and graph is not None else []
        last, first = formats.count("channels_last"), formats.count("channels_first")
        self._to = "channels_last" if first else "channels_first"
        mixed = f" in {first} layers, last in {last}" if first and last else ""
        here = "first" if first else "last"
        self.format.say(f"Channels come {here}{mixed}." if first or last else "No layer of this model has one.")
        self.turn.setText(f"Convert to channels {_FORMATS[self._to]}")
        self.turn.setEnabled(bool(first or last))
        self.join.setEnabled(known and bool(graph and graph.input_refs()))
        inputs = graph.input_layers() if known and graph is not None else ()
        found = [one for one in inputs if len(one.config.get("batch_shape") or ()) in (3, 4)]
        self._input = found[0] if found else None
        self._axis = channel_axis(graph, found[0].name) if found and graph is not None else None
        for widget in (self.form, self.inflate):
            widget.setEnabled(self._input is not None)
        if self._input is None:
            self.grown.say("This model has no input for signals or images.")
            return
        image = len(self._input.config["batch_shape"]) == 4
        words = (
            ("Images become clips or volumes", "2-D layers 3-D")
            if image
            else ("Signals become images", "1-D layers 2-D")
        )
        self.grown.say(f"{words[0]}: {words[1]}, with the same weights ({self._input.name}).")

    @Slot()
    def turn_format(self) -> None:
        """The whole model in the other format."""
        self._add(f"Channels {_FORMATS[self._to]}", "data_format", to=self._to)

    @Slot()
    def inflate_model(self) -> None:
        """One more axis, of as many frames as are typed."""
        if self._input is None or not self.form.check():
            return
        said = self.form.says()
        shape = list(self._input.config["batch_shape"][1:])
        shape.insert(1 if self._axis == 1 else 0, said["frames"])
        fields: dict[str, Any] = {"shape": shape, "how": said["how"], "input": self._input.name}
        if said["depth"] is not None:
            fields["depth"] = said["depth"]
        if said["along"]:
            fields |= {"stride": "same", "pool": "same"}
        self._add("Inflate", "inflate", **fields)

    def _add(self, text: str, do: str, **fields: Any) -> None:
        self._session.end_burst()
        self._session.gesture(lambda recipe: recipe.plus(gestures.make_edit(do, **fields)), text)
