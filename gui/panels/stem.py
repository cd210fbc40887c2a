"""Edit the first convolution: filters, kernel, strides, padding, activation, bias, BatchNormalization after it."""

from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.errors import EditError
from core.layers.leaves import leaf
from core.model.graph import Graph
from core.phrases import shape_words
from core.recipes import gestures
from core.rules.words import EFFECTS, rule_words
from core.surgery.anatomy import first_convs
from gui.document.session import Session
from gui.widgets.cells import Field, Values
from gui.widgets.form import Form
from gui.widgets.parts import IconButton, Look, label, named

ACTIVATIONS = ("linear", "relu", "relu6", "elu", "selu", "gelu", "silu", "hard_silu", "leaky_relu", "tanh", "sigmoid")
AS_IT_WAS = ("", "As it was", "Keeps what the source has.")
KERNEL_RULES = (
    ("", "Automatic", "Pads with zeros around the kernel where that is exact, and crops to shrink."),
    *((name, rule_words(name), EFFECTS[name]) for name in ("center", "resize")),
    ("initialize", rule_words("initialize"), "New random values."),
)
FILTER_RULES = (
    (
        "",
        "Automatic",
        "Adds a 1\u00d71 convolution back to the old width, so that later layers keep their weights.",
    ),
    (
        "project",
        rule_words("project"),
        "A 1\u00d71 convolution after it leads back to the old width; later layers stay unchanged.",
    ),
    ("slice", rule_words("slice"), "Keeps the first filters; later layers receive fewer channels."),
    ("initialize", rule_words("initialize"), "New random filters."),
)


def other_kernel(said: Values) -> bool:
    """Whether the kernel changes, so that a rule makes it."""
    return said["kernel_size"] is not None


def other_filters(said: Values) -> bool:
    """Whether the number of filters changes, so that a rule makes them."""
    return said["filters"] is not None


FIELDS = (
    Field("filters", "Filters", "whole", high=65536, hint="\u2013", key="stemFilters",
          usable=lambda said: said.get("has_filters", True)),
    Field("kernel_size", "Kernel", "wholes", parts=("Kernel height", "Kernel width", "Kernel depth"), high=255,
          hint="\u2013", key="stemKernel"),
    Field("strides", "Strides", "wholes", parts=("Stride down", "Stride across", "Stride deep"), high=255,
          hint="\u2013", key="stemStride"),
    Field("padding", "Padding", "choice",
          options=(AS_IT_WAS, ("same", "same", "Pads so that the size is kept."), ("valid", "valid", "No padding."))),
    Field("activation", "Activation", "choice", options=(AS_IT_WAS, *((name, name, "") for name in ACTIVATIONS))),
    Field("use_bias", "Bias", "choice", options=(AS_IT_WAS, ("yes", "with bias", ""), ("no", "without bias", ""))),
    Field("batch_norm", "BatchNormalization after it", "flag", default=False, key="stemBatchNorm"),
    Field("kernel_rule", "Kernel by", "choice", spoken="Kernel rule", options=KERNEL_RULES,
          usable=other_kernel, explained=other_kernel),
    Field("filters_rule", "Filters by", "choice", spoken="Filters rule", options=FILTER_RULES,
          usable=other_filters, explained=other_filters),
)  # fmt: skip
CHANGES = ("filters", "kernel_size", "strides", "padding", "activation", "use_bias", "batch_norm")
"""The fields that are a change by themselves; the rules only say how."""


class StemPanel(QWidget):
    """The form for `replace_first_conv`. An empty field keeps what the source has."""

    def __init__(self, session: Session, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("stemPanel")
        self._session = session
        self._path = ""
        self._many = False
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
        self.form = Form(FIELDS)
        column.addWidget(self.form)
        column.addStretch(1)
        self.form.changed.connect(self.apply)
        self.form.step.connect(session.end_burst)
        session.source_changed.connect(self.refresh)
        session.plan_changed.connect(self._refresh_found)
        session.recipe_changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the source's first convolution and what the recipe says of it."""
        self._refresh_found()
        steps = gestures.steps_of(self._session.recipe, "replace_first_conv")
        step = steps[-1] if steps else None
        values = {field.name: getattr(step, field.name, field.default) for field in FIELDS}
        bias = values["use_bias"]
        values["use_bias"] = None if bias is None else "yes" if bias else "no"
        for rule in ("kernel_rule", "filters_rule"):
            values[rule] = values[rule] if isinstance(values[rule], str) and values[rule] != "auto" else None
        self.form.show_values(values)
        self.reset.setEnabled(step is not None)

    @Slot()
    def _refresh_found(self) -> None:
        graph = self._session.before_graph
        path = find_first(graph) if graph is not None else ""
        layer = leaf(graph.find(path)) if graph is not None and path else None
        self._path = path
        self._many = graph is not None and bool(path) and len(first_convs(graph)) > 1
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
        config = layer.config
        activation = config.get("activation")
        self.form.set_context(has_filters=not layer.class_name.startswith("Depthwise"))
        self.form.show_originals(
            {
                "filters": config.get("filters"),
                "kernel_size": as_sizes(config.get("kernel_size")),
                "strides": as_sizes(config.get("strides")),
                "padding": str(config.get("padding", "")),
                "activation": activation if isinstance(activation, str) else "",
                "use_bias": "with bias" if config.get("use_bias", True) else "without bias",
            }
        )

    @Slot()
    def apply(self) -> None:
        """Make the recipe say what the form says."""
        if not self.form.check() or not self._path:
            return
        fields = self.fields()
        self._session.gesture(
            # "the first convolution" where there is one, so that the recipe carries over to other models
            lambda recipe: gestures.set_stem(recipe, self._path if self._many else None, fields, self._path),
            f"Change first convolution {self._path}",
            burst="stem",
        )

    def fields(self) -> dict[str, Any]:
        """The fields of `replace_first_conv` that differ from the source."""
        found = self.form.values()
        if "use_bias" in found:
            found["use_bias"] = found["use_bias"] == "yes"
        return found if any(name in found for name in CHANGES) else {}

    @Slot()
    def _on_reset(self) -> None:
        self.form.reset()
        self._session.gesture(
            lambda recipe: gestures.take_all(recipe, "replace_first_conv"), "First convolution as it was"
        )
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
