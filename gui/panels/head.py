"""Edit the head: keep it, take it off, or put a new one in its place."""

from typing import Any

import msgspec
from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QGridLayout,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from core.recipes import gestures
from gui.dialogs.classes import ClassesSheet
from gui.panels.keep import KeepForm
from gui.panels.outputs import OutputsForm
from gui.session import Session
from gui.widgets.fields import Choice, Debounce, NumberField
from gui.widgets.parts import Look, Sentence, divider, label, named, restyle

POOLING = (
    ("avg", "Average pooling", "One number per channel: the mean over the map."),
    ("max", "Max pooling", "One number per channel: the largest in the map."),
    ("none", "No pooling", "The whole last map."),
)
ACTIVATIONS = (
    ("softmax", "softmax", "One class of several: the numbers add up to one."),
    ("sigmoid", "sigmoid", "Any number of labels, each for itself."),
    ("linear", "linear", "Plain numbers: regression, or a loss from logits."),
)


class HeadPanel(QWidget):
    """`remove_head` and `attach_head`."""

    def __init__(self, session: Session, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("headPanel")
        self._session = session
        self._attached: Any = None
        self._classes: ClassesSheet | None = None
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
        self.output = named(Choice("Output", ()), "headOutput")
        self.output.setToolTip("The output whose head changes; the others stay as they are")
        self.output.picked.connect(self._on_choice)
        self.output.hide()
        column.addWidget(self.output)
        self.form = QWidget()
        grid = QGridLayout(self.form)
        grid.setContentsMargins(0, 6, 0, 0)
        grid.setColumnStretch(1, 1)
        grid.setVerticalSpacing(7)
        self.pooling = named(Choice("Pooling", POOLING), "headPooling")
        self.classes = named(NumberField("Classes"), "headClasses")
        self.classes.setAlignment(Qt.AlignmentFlag.AlignLeft)
        self.hidden = named(QLineEdit(), "headHidden")
        self.hidden.setAccessibleName("Hidden layers")
        self.hidden.setToolTip("Units of each hidden Dense layer, such as 256, 128; empty for none")
        self.dropout = named(QLineEdit(), "headDropout")
        self.dropout.setAccessibleName("Dropout")
        self.activation = named(Choice("Activation", ACTIVATIONS), "headActivation")
        self._only_new: list[QWidget] = []
        self._not_kept: list[QWidget] = []
        rows: tuple[tuple[str, QWidget], ...] = (
            ("Pooling", self.pooling),
            ("Classes", self.classes),
            ("Hidden", self.hidden),
            ("Dropout", self.dropout),
            ("Activation", self.activation),
        )
        for number, (text, widget) in enumerate(rows):
            caption = label(text, "fieldLabel")
            grid.addWidget(caption, number, 0)
            grid.addWidget(widget, number, 1)
            if widget is not self.pooling:
                self._only_new += [caption, widget]
            if widget in (self.pooling, self.hidden, self.dropout):
                self._not_kept += [caption, widget]
        column.addWidget(self.form)
        self.dense = named(QCheckBox("Output for each position of the map"), "headDense")
        self.dense.setToolTip(
            "For segmentation: 1\N{MULTIPLICATION SIGN}1 convolutions instead of pooling and Dense layers"
        )
        self.dense.clicked.connect(self._on_choice)
        column.addWidget(self.dense)
        self.kept = KeepForm()
        self.kept.changed.connect(self._on_choice)
        column.addWidget(self.kept)
        self.problem = Sentence()
        column.addWidget(self.problem)
        self.explanation = Sentence("small")
        column.addWidget(self.explanation)
        self.every = named(QPushButton("Classes of every head\u2026"), "headEvery")
        self.every.setToolTip("Change the number of classes of a detector, or of several heads at once")
        self.every.clicked.connect(self._on_every)
        column.addWidget(self.every, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(divider())
        self.outputs = OutputsForm(session, look)
        column.addWidget(self.outputs)
        column.addStretch(1)
        self._debounce = Debounce(self)
        self._debounce.fired.connect(self.apply)
        for field in (self.classes, self.hidden, self.dropout):
            field.textEdited.connect(self._debounce.poke)
            field.editingFinished.connect(self._debounce.flush)
            field.editingFinished.connect(session.end_burst)
        for choice in (self.pooling, self.activation):
            choice.picked.connect(self._on_choice)
        session.source_changed.connect(self.refresh)
        session.recipe_changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show what the recipe says of the head."""
        steps = gestures.steps_of(self._session.recipe, "remove_head", "attach_head")
        opened = self._session.source is not None
        for button in (self.keep, self.remove, self.attach, self.every):
            button.setEnabled(opened)
        self._show_outputs()
        attached = next((edit for edit in steps if gestures.tag(edit) == "attach_head"), None)
        removed = next((edit for edit in steps if gestures.tag(edit) == "remove_head"), None)
        self._attached = attached
        chosen = next((edit.output for edit in steps if isinstance(edit.output, int)), None)
        if chosen is not None:
            self.output.show_key(str(chosen))
        self.dense.setChecked(attached is not None and attached.dense)
        (self.attach if attached else self.remove if removed else self.keep).setChecked(True)
        if removed is not None and not (attached is not None and attached.dense):
            self.pooling.show_key(removed.pooling)
        if not self.problem.text():
            self.classes.show_value(attached.classes if attached else self.classes.value or 10)
            self._show(self.hidden, ", ".join(map(str, attached.hidden if attached else (128,))))
            self._show(self.dropout, f"{attached.dropout if attached else 0.5:g}")
        if attached is not None:
            self.activation.show_key(attached.activation)
            self.kept.show_step(attached.keep, attached.labels)
        elif not self.kept.problem.text():
            self.kept.show_step(None, ())
        self._show_form()

    def _show_outputs(self) -> None:
        graph = self._session.before_graph
        names = [ref.layer for ref in graph.output_refs()] if graph is not None else []
        self.output.set_options((str(at), f"Output {name}", "") for at, name in enumerate(names))
        self.output.setVisible(len(names) > 1 and not self.keep.isChecked())

    def _output(self) -> int | None:
        """The number of the chosen output; `None` where there is only one."""
        return int(self.output.key) if self.output.count() > 1 else None

    @Slot()
    def _on_every(self) -> None:
        if self._classes is None:
            self._classes = ClassesSheet(self._session, self.window())
        self._classes.begin()

    @staticmethod
    def _show(field: QLineEdit, text: str) -> None:
        if not field.hasFocus():
            field.setText(text)

    def _show_form(self) -> None:
        self.form.setVisible(not self.keep.isChecked())
        self.output.setVisible(self.output.count() > 1 and not self.keep.isChecked())
        keeping = self.kept.on.isChecked()
        for widget in self._not_kept:
            widget.show()
        for widget in self._only_new:
            widget.setVisible(self.attach.isChecked())
        for widget in self._not_kept if self.attach.isChecked() and keeping else ():
            widget.hide()
        self.kept.setVisible(self.attach.isChecked())
        self.dense.setVisible(self.attach.isChecked() and not keeping)
        self.pooling.setEnabled(not (self.dense.isVisibleTo(self) and self.dense.isChecked()))
        quiet = self.keep.isChecked() or (self.attach.isChecked() and keeping)
        self.explanation.say("" if quiet else self.pooling.tip)

    @Slot()
    def _on_choice(self) -> None:
        self._session.end_burst()
        self._show_form()
        self.apply()
        self._session.end_burst()

    @Slot()
    def apply(self) -> None:
        """Make the recipe say what the form says."""
        problem, hidden, dropout = self._check()
        self.problem.say(problem if self.attach.isChecked() else "")
        if self._session.source is None or (problem and self.attach.isChecked()):
            return
        edits: list[Any] = []
        text = "Keep the head"
        kept_classes: dict[str, Any] = {}
        if self.attach.isChecked():
            try:
                kept_classes = self.kept.fields()
            except ValueError:
                return
            if kept_classes["keep"] is not None:
                hidden = []
        if not self.keep.isChecked() and kept_classes.get("keep") is None:
            dense = self.attach.isChecked() and self.dense.isChecked()
            pooling = "none" if dense else self.pooling.key
            edits.append(gestures.make_edit("remove_head", pooling=pooling, output=self._output()))
            text = "Remove the head"
        if self.attach.isChecked():
            kept = {} if self._attached is None else msgspec.to_builtins(self._attached)
            kept.pop("do", None)
            new = {"classes": self.classes.value, "hidden": hidden, "dropout": dropout, "output": self._output()}
            new["dense"] = self.dense.isChecked() and kept_classes["keep"] is None
            edits.append(
                gestures.make_edit("attach_head", **{**kept, **new, **kept_classes, "activation": self.activation.key})
            )
            text = f"New head, {self.classes.value} classes"
        self._session.gesture(lambda recipe: gestures.set_head(recipe, edits), text, burst="head")

    def _check(self) -> tuple[str, list[int], float]:
        """What is wrong with the form (`""`: nothing), the hidden units and the dropout."""
        problem = self.classes.problem or ("Say how many classes the new head has." if self.classes.blank else "")
        hidden: list[int] = []
        dropout = 0.0
        wrong: set[QLineEdit] = set()
        words = self.hidden.text().replace(",", " ").split()
        if all(word.isdecimal() and int(word) > 0 for word in words):
            hidden = [int(word) for word in words]
        else:
            wrong.add(self.hidden)
            problem = problem or "Hidden layers are whole numbers from 1, such as 256, 128; empty for none."
        try:
            dropout = float(self.dropout.text().strip() or 0)
        except ValueError:
            dropout = -1.0
        if not 0 <= dropout < 1:
            wrong.add(self.dropout)
            problem = problem or "Dropout is a number from 0 up to, not including, 1."
        for field in (self.hidden, self.dropout):
            field.setProperty("bad", field in wrong)
            restyle(field)
        return problem, hidden, dropout
