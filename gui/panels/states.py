"""The three things that freezing is: weights that stay, statistics that stay, the mode that layers are called in."""

from msgspec import Struct
from PySide6.QtCore import Slot
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from core.layers.table import tracks_batches
from core.model.graph import Graph, Layer
from gui.document.session import Session
from gui.models.digest import can_freeze, frozen_layers
from gui.widgets.parts import IconLabel, Look, label

ROWS = (
    ("lock", "Weights", "The optimizer does not change the weights of a frozen layer (trainable = False)."),
    (
        "layers",
        "Statistics",
        "A frozen BatchNormalization also keeps its moving mean and variance, and uses them while training. "
        "If it is not frozen, they move towards your data.",
    ),
    (
        "gear",
        "Call mode",
        "Layers called with training=False inside the model never apply dropout or update statistics; the others "
        "follow fit() and predict().",
    ),
)


class States(Struct, frozen=True):
    """How many layers hold weights, how many of them are frozen; the same for statistics; calls with a fixed mode."""

    layers: int
    frozen: int
    norms: int
    norms_frozen: int
    inference: int
    training: int

    def words(self) -> tuple[str, str, str]:
        """A line for each of the three."""
        weights = f"{self.frozen} of {self.layers} layers frozen" if self.layers else "no layer has weights"
        norms = f"{self.norms_frozen} of {self.norms} BatchNormalization frozen" if self.norms else "none in this model"
        fixed = [f"{self.inference} fixed to inference"] if self.inference else []
        fixed += [f"{self.training} fixed to training"] if self.training else []
        return weights, norms, " \u00b7 ".join(fixed) if fixed else "all follow fit() and predict()"


def states(graph: Graph) -> States:
    """The three things, counted over the leaves of a model."""
    frozen = frozen_layers(graph)
    leaves: list[tuple[str, Layer]] = [
        (path, layer) for path, layer in graph.walk() if layer.inner is None and can_freeze(layer)
    ]
    norms = [path for path, layer in leaves if tracks_batches(layer)]
    modes = [
        call.kwargs["training"]
        for _, layer in graph.walk()
        for call in layer.calls
        if isinstance(call.kwargs.get("training"), bool)
    ]
    return States(
        len(leaves),
        sum(path in frozen for path, _ in leaves),
        len(norms),
        sum(path in frozen for path in norms),
        modes.count(False),
        modes.count(True),
    )


class ThreeStates(QWidget):
    """Shows them for the planned model."""

    def __init__(self, session: Session, look: Look) -> None:
        super().__init__()
        self._session = session
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 2, 0, 2)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(2, 1)
        self.lines: list[QLabel] = []
        for row, (icon, title, tip) in enumerate(ROWS):
            line = label("", "small", wrap=True)
            name = label(title)
            for column, widget in enumerate((IconLabel(look, icon, "muted"), name, line)):
                widget.setToolTip(tip)
                grid.addWidget(widget, row, column)
            self.lines.append(line)
        session.plan_changed.connect(self.refresh)
        session.source_changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Count again."""
        graph = self._session.after_graph
        self.setVisible(graph is not None)
        if graph is not None:
            for line, text in zip(self.lines, states(graph).words(), strict=True):
                line.setText(text)
