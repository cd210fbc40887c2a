"""Where a layer's tensors come from and where they go, for each of its calls; every name leads there."""

from collections.abc import Mapping

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from core.model.graph import Graph, Layer, Node, TensorRef, TensorSpec
from core.phrases import sample_words
from gui.widgets.parts import clear_layout, label, named


def level_of(graph: Graph, path: str) -> Graph | None:
    """The graph that holds the layer at `path`, or `None`."""
    try:
        return graph.around(path)
    except KeyError:
        return None


class Connections(QWidget):
    """Links to the layers before and after. Emits `layer_selected(path)`."""

    layer_selected = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: tuple[str, Layer, Graph | None] | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(14, 8, 10, 8)
        self._column.setSpacing(1)
        self.links: list[QPushButton] = []

    def show_layer(self, path: str, layer: Layer, graph: Graph | None) -> None:
        """Show the calls of the layer at `path` of `graph`."""
        shown = self._shown
        if shown is not None and shown[0] == path and shown[1] is layer and shown[2] is graph:
            return
        self._shown = (path, layer, graph)
        clear_layout(self._column)
        self.links = []
        level = level_of(graph, path) if graph is not None else None
        prefix = path[: -len(layer.name)] if path.endswith(layer.name) else ""
        if not layer.calls:
            self._column.addWidget(label("The connections of this layer are unknown.", "small", wrap=True))
        users = level.consumers() if level is not None else {}
        for number, call in enumerate(layer.calls):
            if len(layer.calls) > 1:
                title = label(f"Call {number + 1} of {len(layer.calls)}", "heading")
                title.setContentsMargins(0, 8 if number else 0, 0, 2)
                self._column.addWidget(title)
            self._column.addWidget(label("from", "fieldLabel"))
            sources = call.inputs()
            for ref in sources:
                spec = level.spec(ref) if level is not None else TensorSpec(None)
                self._link(prefix + ref.layer, ref, spec)
            if not sources:
                self._column.addWidget(label("the model\u2019s input" if layer.is_input else "nothing", "small"))
            self._column.addWidget(label("to", "fieldLabel"))
            self._targets(layer, number, users, level, prefix)
        self._column.addStretch(1)

    def _targets(
        self,
        layer: Layer,
        number: int,
        users: Mapping[TensorRef, tuple[Node, ...]],
        level: Graph | None,
        prefix: str,
    ) -> None:
        found = False
        # how many outputs a call has is not always known
        outputs = range(len(layer.calls[number].outputs or ()))
        own = [TensorRef(layer.name, number, output) for output in outputs] or [
            ref for ref in users if ref.layer == layer.name and ref.call == number
        ]
        for ref in own:
            targets = users.get(ref, ())
            spec = level.spec(ref) if level is not None else TensorSpec(None)
            for name, call in dict.fromkeys(targets):
                found = True
                self._link(prefix + name, TensorRef(name, call, ref.output), spec)
        ends = level.output_refs() if level is not None else ()
        if any(ref.layer == layer.name and ref.call == number for ref in ends):
            self._column.addWidget(label("the model\u2019s output", "small"))
        elif not found:
            self._column.addWidget(label("nothing", "small"))

    def _link(self, path: str, ref: TensorRef, spec: TensorSpec) -> None:
        """A button that selects a layer."""
        name = path.rpartition("/")[2]
        parts = [name]
        if ref.call:
            parts.append(f"call {ref.call + 1}")
        if ref.output:
            parts.append(f"output {ref.output + 1}")
        if spec.shape is not None:
            parts.append(sample_words(spec.shape))
        button = named(QPushButton("  \u00b7  ".join(parts)), "link")
        button.setAccessibleName(f"Select {name}")
        button.setToolTip(path)
        button.clicked.connect(lambda _=False, path=path: self.layer_selected.emit(path))
        self.links.append(button)
        self._column.addWidget(button)
