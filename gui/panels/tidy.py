"""What is done to a whole model at once: folding, dropping what only training needs, replacing, formats, joining."""

from collections import Counter
from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget
from typing_extensions import override

from core.edits.drop_training_only import DEFAULT, KINDS
from core.edits.fold_weights import foldable
from core.model.graph import Graph, Layer
from core.phrases import DYNAMIC, shape_words
from core.recipes import gestures
from core.surgery.folding import norms
from core.surgery.linear import view
from gui.document.session import Session
from gui.panels.formats import FormatsForm
from gui.panels.replacing import ReplaceForm
from gui.widgets.cells import Field
from gui.widgets.form import Form
from gui.widgets.parts import Look, Sentence, divider, label, named

FIELDS = (
    Field("batch", "Batch size", "whole", hint=DYNAMIC, key="batchSize",
          help="Samples in a batch; leave empty for any. Stateful layers need a fixed one."),
)  # fmt: skip
_WORDS = {
    "losses": "added losses",
    "metrics": "added metrics",
    "regularization": "activity regularization",
    "noise": "noise",
    "dropout": "dropout",
    "augmentation": "augmentation",
}


class TidyPanel(QWidget):
    """Each button adds one step. Counts are made while the panel is seen, so that other panels do not wait for them."""

    def __init__(self, session: Session, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("tidyPanel")
        self._session = session
        self._counted: Graph | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 9, 14, 9)
        column.setSpacing(4)
        self.norms, self.fold = self._section(column, "BatchNormalization", "Fold", "foldNorms", self.fold_norms)
        self.fold.setToolTip("Folds each into its neighbouring layers, where that is exact; the outputs stay the same")
        self.kernels, self.plain = self._section(column, "Plain kernels", "Fold", "foldWeights", self.fold_weights)
        self.plain.setToolTip("WeightNormalization, SpectralNormalization and low-rank updates become plain kernels")
        self.training, self.drop = self._section(column, "Only for training", "Drop", "dropTraining", self.drop_kinds)
        self.drop.setToolTip("Removes the checked kinds, and what only they needed; the outputs stay the same")
        self.kinds: dict[str, QCheckBox] = {}
        for kind, words in _WORDS.items():
            box = named(QCheckBox(words), f"drop-{kind}")
            box.setChecked(kind in DEFAULT)
            box.toggled.connect(self._mark_drop)
            column.addWidget(box)
            self.kinds[kind] = box
        column.addWidget(divider())
        self.form = Form(FIELDS)
        self.batch = self.form.number("batch")
        self.form.entered.connect(self.set_batch)
        row = QHBoxLayout()
        row.addWidget(self.form, 1)
        self.set = named(QPushButton("Set"), "setBatch")
        self.set.setAccessibleName("Set the batch size")
        self.set.clicked.connect(self.set_batch)
        row.addWidget(self.set, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(row)
        column.addWidget(divider())
        column.addWidget(label("Replace every", "fieldTitle"))
        self.replacing = ReplaceForm()
        self.replacing.wanted.connect(self._on_replace)
        column.addWidget(self.replacing)
        column.addWidget(divider())
        self.formats = FormatsForm(session)
        column.addWidget(self.formats)
        column.addStretch(1)
        session.plan_changed.connect(self.refresh)
        session.source_changed.connect(self.refresh)
        self.refresh()

    def _section(
        self, column: QVBoxLayout, title: str, verb: str, name: str, action: Any
    ) -> tuple[Sentence, QPushButton]:
        """A title over a sentence, a button beside them."""
        row = QHBoxLayout()
        words = QVBoxLayout()
        words.setSpacing(1)
        words.addWidget(label(title, "fieldTitle"))
        said = Sentence("small")
        words.addWidget(said)
        row.addLayout(words, 1)
        button = named(QPushButton(verb), name)
        button.setAccessibleName(f"{verb}: {title}")
        button.clicked.connect(action)
        row.addWidget(button)
        column.addLayout(row)
        column.addSpacing(3)
        return said, button

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Counts of what there is to do, if anybody looks."""
        graph = self._session.after_graph
        if graph is not None and (graph is self._counted or not self.isVisible()):
            return
        self._counted = graph
        layers = graph.by_path() if graph is not None else {}
        count = len(norms(graph)) if graph is not None else 0
        self._count(self.norms, self.fold, count, "Folded into a neighbouring layer, where that is exact")
        count = len(foldable(graph)) if graph is not None else 0
        self._count(self.kernels, self.plain, count, "Kernels that are stored as several arrays")
        found = kinds_in(layers.values())
        for kind, box in self.kinds.items():
            box.setText(f"{_WORDS[kind]} ({found[kind]})")
            box.setVisible(bool(found[kind]))
        self.training.say("Layers to remove:" if found.total() else "None in this model.")
        self._mark_drop()
        sizes = {layer.config["batch_shape"][0] for layer in _inputs(graph) if layer.config.get("batch_shape")}
        if not self.batch.hasFocus():
            self.batch.show_value(next(iter(sizes)) if len(sizes) == 1 else None)
        for widget in (self.batch, self.set):
            widget.setEnabled(bool(sizes))
        self.replacing.offer(graph)
        self.formats.offer(graph)

    def _count(self, said: Sentence, button: QPushButton, count: int, what: str) -> None:
        said.say(f"{what}: {count} {'layer' if count == 1 else 'layers'}." if count else "None in this model.")
        button.setEnabled(bool(count))

    @Slot()
    def _mark_drop(self) -> None:
        self.drop.setEnabled(bool(self.checked()))

    def checked(self) -> list[str]:
        """The kinds to drop: checked, and in the model."""
        return [kind for kind, box in self.kinds.items() if box.isChecked() and not box.isHidden()]

    @Slot()
    def fold_norms(self) -> None:
        """Every BatchNormalization that can be folded."""
        self._add("Fold BatchNormalization", "fold_batch_norm")

    @Slot()
    def fold_weights(self) -> None:
        """Every kernel that is made of factors."""
        self._add("Fold weights into plain kernels", "fold_weights")

    @Slot()
    def drop_kinds(self) -> None:
        """The checked kinds."""
        kinds = self.checked()
        self._add(f"Drop {', '.join(_WORDS[kind] for kind in kinds)}", "drop_training_only", kinds=kinds)

    @Slot()
    def set_batch(self) -> None:
        """The typed batch size."""
        if self.form.check():
            size = self.batch.value
            self._add(f"Batch size {shape_words([size])}", "set_batch", batch=size)

    @Slot(object, object, str)
    def _on_replace(self, match: dict[str, Any], by: dict[str, Any], text: str) -> None:
        self._add(text, "replace_all", match=match, **{"with": by})

    def _add(self, text: str, do: str, **fields: Any) -> None:
        self._session.end_burst()
        self._session.gesture(lambda recipe: gestures.put(recipe, gestures.make_edit(do, **fields)), text)


def kinds_in(layers: Any) -> Counter[str]:
    """How many layers there are of each kind that only acts in training."""
    found: Counter[str] = Counter()
    for layer in layers:
        seen = view(layer)
        name = (seen.class_name if seen is not None else layer.class_name).rpartition(">")[2]
        for kind, classes in KINDS.items():
            found[kind] += name in classes
    return found


def _inputs(graph: Graph | None) -> tuple[Layer, ...]:
    return graph.input_layers() if graph is not None and not graph.opaque else ()
