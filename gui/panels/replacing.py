"""One replacement for many layers: what the model has that can be replaced, and by what."""

from collections import Counter
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from core.layers.alike import activation_name, as_activation
from core.layers.instances import instance_kind
from core.layers.table import CARRIERS, classes
from core.model.graph import Graph
from gui.widgets.cells import Field
from gui.widgets.form import Form
from gui.widgets.parts import named

Match = dict[str, Any]
ACTIVATIONS = ("relu", "silu", "gelu", "elu", "leaky_relu", "hard_silu", "mish", "tanh", "sigmoid", "linear")
_RATES = classes(kind="dropout")
_NOTHING = "nothing to replace"


class Target:
    """What can be replaced: a text with its count, what it matches, and which control says by what."""

    def __init__(self, text: str, match: Match, control: str, fixed: Match | None = None) -> None:
        self.text, self.match, self.control, self.fixed = text, match, control, fixed or {}


def targets(graph: Graph) -> list[Target]:
    """Activations, dropouts by rate, and classes without code that Keras has its own for; the most frequent first."""
    activations: Counter[str] = Counter()
    rates: Counter[tuple[str, float]] = Counter()
    classes: Counter[tuple[str, str]] = Counter()
    for _, layer in graph.walk():
        alone = as_activation(layer)
        if alone is not None:
            activations[alone] += 1
        for class_name, config in _entries(layer.class_name, layer.config):
            name = activation_name(config.get("activation"))
            if "activation" in config and name not in (None, "linear", "softmax"):
                activations[str(name)] += 1
            if class_name in _RATES and isinstance(config.get("rate"), (int, float)):
                rates[class_name, float(config["rate"])] += 1
            if class_name.rpartition(">")[2] == "FixedDropout":
                classes[class_name.rpartition(">")[2], "Dropout"] += 1
            if instance_kind(class_name, config):
                classes["InstanceNormalization", "GroupNormalization"] += 1
    found = [
        Target(f"{old} ({count})", {"class_name": old}, "class", {"class_name": new})
        for (old, new), count in classes.most_common()
    ]
    found += [
        Target(f"activation {name} ({count})", {"activation": name}, "activation")
        for name, count in activations.most_common()
    ]
    return found + [
        Target(f"{name}, rate {rate:g} ({count})", {"class_name": name, "rate": rate}, "rate")
        for (name, rate), count in rates.most_common()
    ]


def _entries(class_name: str, config: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Class and config of a layer and of those that it carries."""
    found = [(class_name, config)]
    for carrier in CARRIERS:
        inside = config.get(carrier)
        if isinstance(inside, dict) and isinstance(inside.get("config"), dict):
            found += _entries(str(inside.get("class_name")), inside["config"])
    return found


FIELDS = (
    Field("what", "", "choice", spoken="Replace every", key="replaceWhat"),
    Field("activation", "by", "choice", spoken="With the activation", key="replaceActivation",
          options=tuple((one, one, "") for one in ACTIVATIONS), shown=lambda said: said.get("control") == "activation"),
    Field("rate", "by", "spin", spoken="With the rate", key="replaceRate", low=0, high=0.99, decimals=2, default=-1,
          shown=lambda said: said.get("control") == "rate"),
    Field("class_name", "by", "choice", spoken="With the class",
          shown=lambda said: said.get("control") == "class"),
)  # fmt: skip


class ReplaceForm(QWidget):
    """Every ... becomes ...; `wanted` carries what to match and what to put there."""

    wanted = Signal(object, object, str)

    def __init__(self) -> None:
        super().__init__()
        self._targets: list[Target] = []
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self.form = Form(FIELDS)
        self.form.edited.connect(self._on_edited)
        row.addWidget(self.form, 1)
        self.button = named(QPushButton("Replace"), "replaceAll")
        self.button.setAccessibleName("Replace every one")
        self.button.setToolTip("Nested models included; findings say how many changed and whether outputs change")
        self.button.clicked.connect(self.replace)
        row.addWidget(self.button, 0, Qt.AlignmentFlag.AlignBottom)

    def offer(self, graph: Graph | None) -> None:
        """Offer what this model has."""
        what = self.form.choice("what")
        key = what.key
        self._targets = targets(graph) if graph is not None else []
        what.set_options([(str(at), one.text, "") for at, one in enumerate(self._targets)] or [("", _NOTHING, "")])
        for widget in (self.form, self.button):
            widget.setEnabled(bool(self._targets))
        what.show_key(key if key.isdecimal() and int(key) < len(self._targets) else "0" if self._targets else "")
        self._on_edited()

    def target(self) -> Target | None:
        """What is chosen."""
        key = self.form.choice("what").key
        return self._targets[int(key)] if key.isdecimal() and int(key) < len(self._targets) else None

    @Slot()
    def _on_edited(self) -> None:
        target = self.target()
        self.form.set_context(control=target.control if target is not None else "")
        if target is None:
            return
        if target.control == "class":
            name = str(target.fixed["class_name"])
            classes = self.form.choice("class_name")
            classes.clear()
            classes.set_options([(name, name, "")])
        if target.control == "activation" and self.form.choice("activation").key == target.match["activation"]:
            other = next(one for one in ACTIVATIONS if one != target.match["activation"])
            self.form.show_values({"activation": other})

    @Slot()
    def replace(self) -> None:
        """Say what is wanted."""
        target = self.target()
        if target is not None:
            by = self.form.values()
            del by["what"]
            self.wanted.emit(target.match, by, f"Replace every {target.text.rpartition(' (')[0]}")
