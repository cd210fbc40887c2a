"""Edit the model's inputs: sizes, channels, and how channels are adapted. One row of fields per input."""

from functools import partial

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.edits import ChangeInput
from core.errors import EditError
from core.model.graph import Graph, Layer, Shape
from core.phrases import shape_words
from core.recipes import gestures
from core.surgery.anatomy import channel_axis
from gui.document.work import Work
from gui.models.digest import output_shape
from gui.panels.adapt import AdaptForm
from gui.panels.channels import ChannelsForm
from gui.panels.front import FrontForm
from gui.panels.legal import LegalLine
from gui.panels.outputs import StartsForm
from gui.widgets.cells import Field
from gui.widgets.form import Form
from gui.widgets.parts import IconButton, Look, Segments, clear_layout, divider, label, named

WAYS = (
    ("change", "Change model", "The model itself takes a new shape"),
    ("adapt", "Adapt input", "The model stays unchanged; an adapter before it makes your data fit"),
    ("front", "New front", "New trainable layers before the model"),
)
COMMON_SIZES = (64, 96, 128, 160, 224, 299, 384)
COMMON_CHANNELS = (("Gray", 1), ("RGB", 3), ("4 bands", 4), ("13 bands", 13))


class InputRow(QWidget):
    """One input: a field per dimension and the rule for channels. `compare_wanted` carries a step's number, from 1."""

    compare_wanted = Signal(int)
    layer_wanted = Signal(object, int)

    def __init__(self, work: Work, look: Look, layer: Layer, shape: Shape, axis: int | None, many: bool) -> None:
        super().__init__()
        self._session = session = work.session
        self.layer_name = layer.name
        self.original = shape[1:]
        self._channel = None if axis is None else axis - 1
        self._address = layer.name if many else None
        names = dim_names(len(self.original), self._channel)
        self.form = Form([Field("shape", "", "shape", parts=tuple(names), key=f"input_{layer.name}")])
        self.form.show_originals({"shape": self.original})
        self.fields = self.form.numbers("shape")
        self._spatial = [place for place in range(len(self.original)) if place != self._channel]
        self._last: list[int | None] = list(self.original)
        self._ratio: list[int | None] = list(self.original)
        self.lock = named(QCheckBox("Keep proportions"), f"lock_{layer.name}")
        self.lock.setToolTip("A size that you type changes the others in proportion")
        self.lock.setAccessibleName(f"Keep the proportions of {layer.name}")
        self.lock.toggled.connect(self._on_lock)
        self._used: dict[str, bool] = {}
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(8)
        whole.addLayout(self._heading(look, layer))
        self.ways = Segments(WAYS)
        self.ways.setProperty("tight", True)
        for key, text, _tip in WAYS:
            self.ways.button(key).setMinimumWidth(self.ways.fontMetrics().horizontalAdvance(text) + 20)
        self.ways.chosen.connect(self.show_way)
        whole.addWidget(self.ways)
        changing = QWidget()
        self.adapt = AdaptForm(session, layer.name, self.original, self._channel, self._address, names)
        self.front = FrontForm(session, look, layer.name, self.original, self._channel, names, self._address)
        self.front.layer_wanted.connect(self.layer_wanted)
        self._pages: dict[str, QWidget] = {"change": changing, "adapt": self.adapt, "front": self.front}
        for page in self._pages.values():
            whole.addWidget(page)
        column = QVBoxLayout(changing)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.form)
        column.addWidget(self.lock)
        self.lock.setVisible(self._channel is not None and len(self._spatial) > 1)
        self.chips: dict[QPushButton, dict[int, int]] = {}
        for chips in self._suggestions():
            column.addLayout(self._chip_row(chips))
        self.legal = LegalLine(work, layer.name, self.original, self._channel, self._address)
        column.addWidget(self.legal)
        self.channels = ChannelsForm(layer.name, self._old_channels())
        self.channels.setVisible(self._channel is not None)
        self.channels.compare_wanted.connect(self._on_compare)
        column.addWidget(self.channels)
        self.form.edited.connect(self._on_edited)
        self.form.changed.connect(self.apply)
        self.form.step.connect(session.end_burst)
        self.channels.changed.connect(self._on_rule)
        self.show_way("change")

    @Slot(str)
    def show_way(self, way: str) -> None:
        """Change the model, adapt what arrives, or build a front."""
        self.way = way
        self.ways.set_current(way)
        for key, page in self._pages.items():
            page.setVisible(key == way)

    def _show_ways(self) -> None:
        """Mark the ways that the recipe takes; go to the one it takes alone."""
        used = {"change": False, "adapt": self.adapt.used, "front": self.front.used}
        for key, text, tip in WAYS:
            self.ways.button(key).setText(f"{text} \u2022" if used[key] else text)
            self.ways.button(key).setAccessibleDescription("in use" if used[key] else "")
            self.ways.button(key).setToolTip(f"{tip} (in use)" if used[key] else tip)
        if used != self._used and any(used.values()):
            newly = [key for key, on in used.items() if on and not self._used.get(key)]
            self.show_way(newly[0] if newly else self.way)
        self._used = used

    def _heading(self, look: Look, layer: Layer) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(label(layer.name), 1)
        words = shape_words(self.original)
        row.addWidget(label(f"was {words}", "small"))
        self.reset = IconButton(look, "reset", f"Back to {words}")
        self.reset.clicked.connect(self._on_reset)
        row.addWidget(self.reset)
        return row

    def _suggestions(self) -> list[dict[str, dict[int, int]]]:
        """Common sizes and channel counts, by the text of their button: which fields get which number."""
        spatial = [number for number in range(len(self.original)) if number != self._channel]
        rows: list[dict[str, dict[int, int]]] = []
        if self._channel is not None and len(spatial) == 2:
            rows.append({str(size): dict.fromkeys(spatial, size) for size in COMMON_SIZES})
            rows.append({text: {self._channel: count} for text, count in COMMON_CHANNELS})
        return rows

    def _chip_row(self, chips: dict[str, dict[int, int]]) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        for text, values in chips.items():
            button = named(QPushButton(text), "chip")
            button.setCheckable(True)
            words = ", ".join(f"{self.fields[number].name} {value}" for number, value in values.items())
            button.setToolTip(words)
            button.setAccessibleName(words)
            button.clicked.connect(lambda _=False, values=values: self._on_chip(values))
            self.chips[button] = values
            row.addWidget(button)
        row.addStretch(1)
        return row

    def show_recipe(self) -> None:
        """Show what the recipe says of this input; text being typed that makes no sense stays."""
        step = next(
            (
                edit
                for edit in gestures.steps_of(self._session.recipe, "change_input")
                if edit.input in (None, self.layer_name)
            ),
            None,
        )
        shape = tuple(step.shape) if step is not None else self.original
        if len(shape) != len(self.fields):
            shape = self.original
        self.form.show_values({"shape": shape})
        self._last = list(shape)
        if self._channel is not None:
            self.channels.show_rule(step.channels if step is not None else "auto", shape[self._channel])
        self.reset.setEnabled(step is not None)
        for button, values in self.chips.items():
            button.setChecked(all(shape[number] == value for number, value in values.items()))
        self.legal.show_wanted(shape)
        self.adapt.show_recipe()
        self.front.show_recipe()
        self._show_ways()

    def _old_channels(self) -> int:
        return (self.original[self._channel] if self._channel is not None else None) or 1

    @Slot()
    def _on_lock(self) -> None:
        """The proportions that are kept are those of now."""
        self._ratio = list(self._last)

    @Slot()
    def _on_edited(self) -> None:
        """While proportions are kept, the one size that is typed takes the others along."""
        values = [field.value for field in self.fields]
        typed = [place for place in self._spatial if values[place] != self._last[place]]
        if self.lock.isChecked() and len(typed) == 1 and not self.form.wrong():
            (place,) = typed
            size, before = values[place], self._ratio[place]
            for other in self._spatial:
                ratio = self._ratio[other]
                if other != place and size and before and ratio:
                    values[other] = max(1, round(size * ratio / before))
                    self.fields[other].show_value(values[other])
        self._last = values

    @Slot()
    def apply(self) -> None:
        """Make the recipe say what the fields say."""
        if not self.form.check():
            return
        shape = self.form.says()["shape"]
        channels = "auto" if self._channel is None else self.channels.channels(shape[self._channel])
        if channels is None:
            return
        change = partial(gestures.set_input, name=self._address, shape=shape, channels=channels, original=self.original)
        text = f"Change input {self.layer_name} to {shape_words(shape)}"
        self._session.gesture(change, text, burst=f"input {self.layer_name}")

    @Slot()
    def _on_rule(self) -> None:
        self._session.end_burst()
        self.apply()
        self._session.end_burst()

    @Slot()
    def _on_compare(self) -> None:
        for number, edit in enumerate(self._session.recipe.edits, 1):
            if isinstance(edit, ChangeInput) and edit.input in (None, self.layer_name) and edit.enabled:
                self.compare_wanted.emit(number)
                return

    def _on_chip(self, values: dict[int, int]) -> None:
        shape = list(self.form.says()["shape"] or self.original)
        for number, value in values.items():
            shape[number] = value
        self.form.force({"shape": shape})
        self._on_rule()
        self.show_recipe()

    @Slot()
    def _on_reset(self) -> None:
        self.form.force({"shape": self.original})
        self.channels.rule.show_key("auto")
        self._session.end_burst()
        self.apply()


class InputPanel(QWidget):
    """All inputs of the opened model."""

    compare_wanted = Signal(int)
    layer_wanted = Signal(object, int)

    def __init__(self, work: Work, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("inputPanel")
        self._work, self._look = work, look
        self._session = session = work.session
        self.rows: list[InputRow] = []
        self.starts: StartsForm | None = None
        self._shown: object = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(14, 12, 14, 12)
        self._column.setSpacing(10)
        session.source_changed.connect(self.rebuild)
        session.plan_changed.connect(self.rebuild)
        session.recipe_changed.connect(self.refresh)
        self.rebuild()

    @Slot()
    def rebuild(self) -> None:
        """One row per input of the source; only when the source's inputs are others than those shown."""
        graph = self._session.before_graph
        inputs = input_shapes(graph) if graph is not None else []
        seen = (self._session.source and self._session.source.path, [(layer.name, shape) for layer, shape in inputs])
        if seen == self._shown:
            return
        self._shown = seen
        clear_layout(self._column)
        self.rows = []
        if graph is None or not inputs:
            text = "The file names no inputs, so there is nothing to change here." if graph else "Open a model first."
            self._column.addWidget(label(text, "muted", wrap=True))
        for layer, shape in inputs:
            if self.rows:
                self._column.addWidget(divider())
            assert graph is not None
            row = InputRow(self._work, self._look, layer, shape, axis_of(graph, layer.name, shape), len(inputs) > 1)
            row.compare_wanted.connect(self.compare_wanted)
            row.layer_wanted.connect(self.layer_wanted)
            self.rows.append(row)
            self._column.addWidget(row)
        if graph is not None and inputs:
            self._column.addWidget(divider())
            self.starts = StartsForm(self._session, self._look)
            self._column.addWidget(self.starts)
        self._column.addStretch(1)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the recipe in the fields."""
        for row in self.rows:
            row.show_recipe()


def input_shapes(graph: Graph) -> list[tuple[Layer, Shape]]:
    """The InputLayers of a model with their shapes, those without a known shape left out."""
    try:
        layers = graph.input_layers()
    except KeyError:
        return []
    found = []
    for layer in layers:
        declared = layer.config.get("batch_shape")
        shape = output_shape(layer) or (tuple(declared) if declared else None)
        if shape is not None and len(shape) > 1:
            found.append((layer, shape))
    return found


def axis_of(graph: Graph, name: str, shape: Shape) -> int | None:
    """The channel axis of an input, batch counted; `None` where there is none."""
    try:
        axis = channel_axis(graph, name)
    except (EditError, KeyError):
        return None
    return None if axis is None else axis % len(shape)


def dim_names(rank: int, channel: int | None) -> list[str]:
    """What people call the dimensions of an input, batch left out."""
    if channel is None:
        return ["Length"] if rank == 1 else [f"Size {number + 1}" for number in range(rank)]
    spatial = {0: [], 1: ["Steps"], 2: ["Height", "Width"], 3: ["Depth", "Height", "Width"]}.get(
        rank - 1, [f"Size {number + 1}" for number in range(rank - 1)]
    )
    return [*spatial[:channel], "Channels" if rank > 1 else "Features", *spatial[channel:]]
