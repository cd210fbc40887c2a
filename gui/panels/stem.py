"""Edit the first convolution: filters, kernel, strides, padding, activation, bias, BatchNormalization after it."""

from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.errors import EditError
from core.layers.leaves import leaf
from core.model.graph import Graph, Layer
from core.phrases import shape_words
from core.recipes import gestures
from core.surgery.anatomy import first_convs
from gui.session import Session
from gui.widgets.fields import Choice, Debounce, NumberField, first_problem
from gui.widgets.parts import IconButton, Look, Sentence, label, named

ACTIVATIONS = ("linear", "relu", "relu6", "elu", "selu", "gelu", "silu", "hard_silu", "leaky_relu", "tanh", "sigmoid")
AS_IT_WAS = ("", "As it was", "Keeps what the source has.")
KERNEL_RULES = (
    ("auto", "Automatic", "Pads with zeros around the kernel where that is exact, and crops to shrink."),
    ("center", "Center", "Zero-pads or crops around the middle. Growing is exact under \u201csame\u201d padding."),
    ("resize", "Resize", "Resamples the kernel like a picture, keeping its total."),
    ("initialize", "Initialize", "Starts with new random numbers."),
)
FILTER_RULES = (
    (
        "auto",
        "Automatic",
        "Adds a 1\u00d71 convolution back to the old width, so that later layers keep their weights.",
    ),
    (
        "project",
        "Project",
        "A 1\u00d71 convolution after it leads back to the old width; later layers stay as they are.",
    ),
    ("slice", "Slice", "Keeps the first filters; later layers see a changed width."),
    ("initialize", "Initialize", "Starts with new random filters."),
)


class StemPanel(QWidget):
    """The form for `replace_first_conv`. An empty field keeps what the source has."""

    def __init__(self, session: Session, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("stemPanel")
        self._session = session
        self._path = ""
        self._rank = 2
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(8)
        self.found = named(QPushButton("Open a model first."), "link")
        self.found.setAccessibleName("Go to the first convolution")
        self.found.clicked.connect(lambda: session.select(self._path))
        self.reset = IconButton(look, "reset", "Back to the source\u2019s first convolution")
        self.reset.clicked.connect(self._on_reset)
        heading = QHBoxLayout()
        heading.addWidget(self.found, 1)
        heading.addWidget(self.reset)
        column.addLayout(heading)
        self.shape_line = label("", "small", wrap=True)
        column.addWidget(self.shape_line)
        self.filters = NumberField("Filters", high=65536)
        self.kernel = [NumberField(name, high=255) for name in ("Kernel height", "Kernel width", "Kernel depth")]
        self.strides = [NumberField(name, high=255) for name in ("Stride down", "Stride across", "Stride deep")]
        self.padding = Choice(
            "Padding",
            (AS_IT_WAS, ("same", "same", "Pads so that the size is kept."), ("valid", "valid", "No padding.")),
        )
        self.activation = Choice("Activation", (AS_IT_WAS, *((name, name, "") for name in ACTIVATIONS)))
        self.bias = Choice("Bias", (AS_IT_WAS, ("yes", "with bias", ""), ("no", "without bias", "")))
        self.batch_norm = QCheckBox("BatchNormalization after it")
        self.kernel_rule = Choice("Kernel rule", KERNEL_RULES)
        self.filters_rule = Choice("Filters rule", FILTER_RULES)
        self.form = QWidget()
        self._lay_out(column)
        column.addWidget(self.form)
        self.problem = Sentence()
        column.addWidget(self.problem)
        self.explanation = Sentence("small")
        column.addWidget(self.explanation)
        column.addStretch(1)
        self._debounce = Debounce(self)
        self._debounce.fired.connect(self.apply)
        for field in self.numbers:
            field.setPlaceholderText("\u2013")
            field.textEdited.connect(self._on_typed)
            field.editingFinished.connect(self._debounce.flush)
            field.left.connect(session.end_burst)
        for choice in self.choices:
            choice.picked.connect(self._on_picked)
        self.batch_norm.clicked.connect(self._on_picked)
        session.source_changed.connect(self.refresh)
        session.plan_changed.connect(self._refresh_found)
        session.recipe_changed.connect(self.refresh)
        self.refresh()

    @property
    def numbers(self) -> list[NumberField]:
        """All fields for numbers."""
        return [self.filters, *self.kernel, *self.strides]

    @property
    def choices(self) -> list[Choice]:
        """All combo boxes."""
        return [self.padding, self.activation, self.bias, self.kernel_rule, self.filters_rule]

    def _lay_out(self, column: QVBoxLayout) -> None:
        grid = QGridLayout(self.form)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(7)
        grid.setColumnStretch(1, 1)
        rows: list[tuple[str, list[QWidget]]] = [
            ("Filters", [self.filters]),
            ("Kernel", list(self.kernel)),
            ("Strides", list(self.strides)),
            ("Padding", [self.padding]),
            ("Activation", [self.activation]),
            ("Bias", [self.bias]),
            ("", [self.batch_norm]),
            ("Kernel by", [self.kernel_rule]),
            ("Filters by", [self.filters_rule]),
        ]
        for number, (text, widgets) in enumerate(rows):
            grid.addWidget(label(text, "fieldLabel"), number, 0)
            holder = QHBoxLayout()
            holder.setSpacing(5)
            for widget in widgets:
                holder.addWidget(widget, 1)
            grid.addLayout(holder, number, 1)
        self.filters.setObjectName("stemFilters")
        for prefix, fields in (("Kernel", self.kernel), ("Stride", self.strides)):
            for number, field in enumerate(fields):
                field.setObjectName(f"stem{prefix}{number}")
        self.batch_norm.setObjectName("stemBatchNorm")

    @Slot()
    def refresh(self) -> None:
        """Show the source's first convolution and what the recipe says of it."""
        self._refresh_found()
        steps = gestures.steps_of(self._session.recipe, "replace_first_conv")
        step = steps[-1] if steps else None
        self._show(self.filters, getattr(step, "filters", None))
        for fields, name in ((self.kernel, "kernel_size"), (self.strides, "strides")):
            values = getattr(step, name, None)
            sizes = (values,) * len(fields) if isinstance(values, int) else tuple(values or ())
            for number, field in enumerate(fields):
                self._show(field, sizes[number] if number < len(sizes) else None)
        self.padding.show_key(getattr(step, "padding", None) or "")
        self.activation.show_key(getattr(step, "activation", None) or "")
        bias = getattr(step, "use_bias", None)
        self.bias.show_key("" if bias is None else "yes" if bias else "no")
        self.batch_norm.setChecked(bool(getattr(step, "batch_norm", False)))
        for choice, name in ((self.kernel_rule, "kernel_rule"), (self.filters_rule, "filters_rule")):
            rule = getattr(step, name, None)
            choice.show_key(rule if isinstance(rule, str) else "auto")
        self.reset.setEnabled(step is not None)
        self.problem.say(first_problem(self.numbers))
        self._explain()

    @staticmethod
    def _show(field: NumberField, value: int | None) -> None:
        if not (field.problem and field.hasFocus()):
            field.show_value(value)

    @Slot()
    def _refresh_found(self) -> None:
        graph = self._session.before_graph
        path = find_first(graph) if graph is not None else ""
        layer = leaf(graph.find(path)) if graph is not None and path else None
        self._path = path
        self.form.setVisible(layer is not None)
        self.found.setEnabled(layer is not None)
        if layer is None:
            self.found.setText("No first convolution was found." if graph is not None else "Open a model first.")
            self.shape_line.hide()
            return
        self.found.setText(path)
        kernel = next((weight.shape for weight in layer.weights if "kernel" in weight.name), None)
        words = f" \u00b7 kernel {shape_words(kernel)}" if kernel else ""
        self.shape_line.setText(f"{layer.class_name}{words}")
        self.shape_line.show()
        self._show_originals(layer)

    def _show_originals(self, layer: Layer) -> None:
        config = layer.config
        sizes = as_sizes(config.get("kernel_size"))
        self._rank = len(sizes) or 2
        depthwise = layer.class_name.startswith("Depthwise")
        self.filters.setEnabled(not depthwise)
        self.filters.setPlaceholderText(str(config.get("filters", "\u2013")))
        strides = as_sizes(config.get("strides"))
        for fields, values in ((self.kernel, sizes), (self.strides, strides)):
            for number, field in enumerate(fields):
                field.setVisible(number < self._rank)
                field.setPlaceholderText(str(values[number]) if number < len(values) else "\u2013")
        activation = config.get("activation")
        words = {
            self.padding: str(config.get("padding", "")),
            self.activation: activation if isinstance(activation, str) else "",
            self.bias: "with bias" if config.get("use_bias", True) else "without bias",
        }
        for choice, word in words.items():
            choice.setItemText(0, f"{word} (as it was)" if word else "as it was")

    @Slot()
    def _on_typed(self) -> None:
        self.problem.say(first_problem(self.numbers))
        self._debounce.poke()

    @Slot()
    def _on_picked(self) -> None:
        self._session.end_burst()
        self.apply()
        self._session.end_burst()

    @Slot()
    def apply(self) -> None:
        """Make the recipe say what the form says."""
        if first_problem(self.numbers) or not self._path:
            return
        fields = self.fields()
        self._session.gesture(
            lambda recipe: gestures.set_stem(recipe, self._path, fields),
            f"First convolution {self._path}",
            burst="stem",
        )
        self._explain()

    def fields(self) -> dict[str, Any]:
        """The fields of `replace_first_conv` that differ from the source."""
        found: dict[str, Any] = {}
        if not self.filters.blank:
            found["filters"] = self.filters.value
        for name, fields in (("kernel_size", self.kernel), ("strides", self.strides)):
            shown = fields[: self._rank]
            if not all(field.blank for field in shown):
                found[name] = [
                    field.value if field.value is not None else int(field.placeholderText()) for field in shown
                ]
        if self.padding.key:
            found["padding"] = self.padding.key
        if self.activation.key:
            found["activation"] = self.activation.key
        if self.bias.key:
            found["use_bias"] = self.bias.key == "yes"
        if self.batch_norm.isChecked():
            found["batch_norm"] = True
        if found:
            if self.kernel_rule.key != "auto":
                found["kernel_rule"] = self.kernel_rule.key
            if self.filters_rule.key != "auto":
                found["filters_rule"] = self.filters_rule.key
        return found

    def _explain(self) -> None:
        fields = self.fields() if not first_problem(self.numbers) else {}
        self.kernel_rule.setEnabled("kernel_size" in fields)
        self.filters_rule.setEnabled("filters" in fields)
        lines = [self.kernel_rule.tip] if "kernel_size" in fields else []
        lines += [self.filters_rule.tip] if "filters" in fields else []
        self.explanation.say("\n".join(lines))

    @Slot()
    def _on_reset(self) -> None:
        self._debounce.cancel()
        self._session.gesture(
            lambda recipe: gestures.take_all(recipe, "replace_first_conv"), "First convolution as it was"
        )
        for field in self.numbers:
            field.setText("")
        self.refresh()


def find_first(graph: Graph) -> str:
    """The path of the first convolution behind any input, `""` if there is none."""
    try:
        return next(iter(first_convs(graph)), "")
    except (EditError, KeyError):
        return ""


def as_sizes(value: Any) -> tuple[int, ...]:
    """A config's size as numbers, one per axis."""
    if isinstance(value, int):
        return (value,)
    return tuple(value) if isinstance(value, (list, tuple)) else ()
