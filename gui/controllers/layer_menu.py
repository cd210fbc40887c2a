"""What can be done with one layer: the entries of a menu for the tree, the canvas and the menu bar alike."""

from functools import cached_property
from glob import escape
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QPoint, Qt, Signal, Slot
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QMenu, QWidget

from core.edits.fold_weights import foldable
from core.edits.set_dtype import POLICIES
from core.layers.table import tracks_batches
from core.model.graph import Graph, Layer
from core.recipes import gestures, steps
from core.surgery.folding import norms
from core.surgery.quantized import MODES, parts, policy_name
from core.surgery.words import LOOKUPS
from gui.controllers.choosing import fill_freezing
from gui.dialogs.layer_form import LayerForm
from gui.dialogs.rename import RenameSheet
from gui.dialogs.words import WordsSheet
from gui.document.work import Work
from gui.models.digest import can_freeze, frozen_layers

if TYPE_CHECKING:
    from gui.panels.front import FrontForm

FOLD = "Fold into a neighbouring layer"
PLAIN = "Convert to a plain kernel"
START = "Start the model here (after this layer)"


class LayerMenu(QObject):
    """Owned by the window. Every entry is a gesture on the recipe, or opens the form that makes one.

    `filled` carries a menu and a layer's path, for whoever has more to offer.
    """

    filled = Signal(object, str)

    def __init__(self, work: Work, window: QWidget) -> None:
        super().__init__(window)
        self._work, self._session, self._window = work, work.session, window
        self.menu = QMenu("Layer", window)
        """The menu of the selected layer, for the menu bar."""
        self.menu.aboutToShow.connect(self._fill_menu)

    @cached_property
    def form(self) -> LayerForm:
        """The sheet that makes a layer, made when first needed."""
        return LayerForm(self._work, self._window)

    @cached_property
    def rename_sheet(self) -> RenameSheet:
        """The sheet that asks for a name, made when first needed."""
        return RenameSheet(self._session, self._window)

    @cached_property
    def words_sheet(self) -> WordsSheet:
        """The sheet that asks for a vocabulary, made when first needed."""
        return WordsSheet(self._session, self._window)

    def popup(self, path: str, place: QPoint) -> QMenu | None:
        """Show the menu of a layer at a place on the screen."""
        if find(self._session.shown_graph, path) is None:
            return None
        self._session.choose(self._session.chosen if path in self._session.chosen else (path,), path)
        menu = QMenu(self._window)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setAccessibleName(f"Layer {path}")
        self.fill(menu, path)
        menu.popup(place)
        return menu

    @Slot()
    def _fill_menu(self) -> None:
        self.menu.clear()
        self.fill(self.menu, self._session.selection)

    def fill(self, menu: QMenu, path: str) -> None:
        """Put everything that can be done with a layer into a menu."""
        graph = self._session.after_graph
        layer = find(graph, path)
        if graph is None or layer is None:
            menu.addAction("Select a layer of the edited model").setEnabled(False)
            return
        heading = menu.addAction(f"{layer.class_name}  \u00b7  {path}")
        heading.setEnabled(False)
        menu.addSeparator()
        single = not (layer.is_input or layer.is_operation or layer.inner is not None)
        frozen = path in frozen_layers(graph)
        add(menu, "Unfreeze" if frozen else "Freeze", lambda: self.freeze(path, not frozen), can_freeze(layer))
        fill_freezing(menu, self._session)
        menu.addSeparator()
        chosen = steps.outputs(self._session.recipe)
        if path in chosen:
            add(menu, "No longer an output", lambda: self.outputs([one for one in chosen if one != path]))
        else:
            add(menu, "Outputs here", lambda: self.outputs([path]), not layer.is_input)
            if chosen:
                add(menu, "Output here too", lambda: self.outputs([*chosen, path]), not layer.is_input)
        tail = add(menu, START, lambda: self.start(path), not layer.is_input and "/" not in path)
        tail.setToolTip("The output of this layer becomes an input; what comes before is removed")
        menu.setToolTipsVisible(True)
        menu.addSeparator()
        feeder = single_feeder(graph, path)
        add(menu, "Insert before\u2026", lambda: self.insert(feeder or "", before=path), feeder is not None)
        add(menu, "Insert after\u2026", lambda: self.insert(path))
        add(menu, "Replace\u2026", lambda: self.replace(path), single)
        add(menu, "Rename\u2026", lambda: self.rename(path))
        if layer.class_name in LOOKUPS and not layer.opaque:
            add(menu, "Vocabulary\u2026", lambda: self.words(path))
        add(menu, "Remove", lambda: self.remove(path), feeder is not None)
        self._fill_folding(menu, path, graph)
        if single:
            self._fill_policies(menu.addMenu("Dtype policy"), path, layer)
        menu.addSeparator()
        add(menu, "Copy path", lambda: QGuiApplication.clipboard().setText(path))
        self.filled.emit(menu, path)

    def _fill_folding(self, menu: QMenu, path: str, graph: Graph) -> None:
        """What makes a layer part of its neighbours, or its kernel a plain one, for layers that this can be said of."""
        if path in norms(graph):
            text = f"Fold {path}"
            entry = add(menu, FOLD, lambda: self._add("fold_batch_norm", text, layers=[escape(path)]))
            entry.setToolTip("The outputs stay the same; the layer is removed")
        if path in foldable(graph):
            plain = f"{path}: a plain kernel"
            entry = add(menu, PLAIN, lambda: self._add("fold_weights", plain, layers=[escape(path)]))
            entry.setToolTip("The outputs stay the same; the kernel is stored as one array")

    def _fill_policies(self, menu: QMenu, path: str, layer: Layer) -> None:
        """Float policies, which dequantize what is quantized; for layers that Keras quantizes its modes too."""
        current = policy_of(layer)
        quantizable = parts(layer)
        back = " (dequantize)" if any(part.mode for part in quantizable) else ""
        modes = MODES if quantizable else ()
        for policy in (*POLICIES, *modes):
            if policy == MODES[0]:
                menu.addSeparator()
            text = f"{policy} (quantize)" if policy in MODES else policy + back
            entry = add(menu, text, lambda policy=policy: self.dtype(path, policy))
            entry.setCheckable(True)
            entry.setChecked(current.partition("/")[0] == policy)

    # what the entries do

    def freeze(self, path: str, frozen: bool) -> None:
        """Freeze or unfreeze the layer and what is inside it."""
        layer = self._session.layer(path)
        alone = layer is not None and tracks_batches(layer)
        verb = "Freeze" if frozen else "Unfreeze"
        self._session.gesture(
            lambda recipe: gestures.toggle_frozen(recipe, path, frozen, is_batch_norm=alone), f"{verb} {path}"
        )

    def outputs(self, paths: list[str]) -> None:
        """Make these layers the model's outputs."""
        text = f"Outputs at {', '.join(paths)}" if paths else "Original outputs"
        self._session.gesture(lambda recipe: steps.set_outputs(recipe, paths), text)

    def start(self, path: str) -> None:
        """Keep only what comes after the layer; what it gives becomes an input."""
        self._session.end_burst()
        self._session.gesture(lambda recipe: steps.start_at(recipe, path), f"Start after {path}")

    def remove(self, path: str) -> None:
        """Take the layer out; what fed it feeds what it fed."""
        self._add("remove_layer", f"Remove {path}", layer=path)

    def dtype(self, path: str, policy: str) -> None:
        """Another dtype policy for the layer."""
        self._add("set_dtype", f"{path}: {policy}", layers=[escape(path)], policy=policy)

    def rename(self, path: str) -> None:
        """Ask for another name."""
        self.rename_sheet.begin(path)

    @Slot()
    def rename_selected(self) -> None:
        """Ask for another name of the selected layer."""
        if self._session.selection and self._session.after_graph is not None:
            self.rename(self._session.selection)

    @Slot(object, int)
    def ask_front_layer(self, front: "FrontForm", number: int) -> None:
        """The form for one layer of a new front, `-1` for one more."""
        entry: dict[str, Any] = front.entries[number] if number >= 0 else {}
        self.form.begin(
            "Edit a layer of the front" if entry else "Add a layer to the front",
            "Change" if entry else "Add",
            lambda made: front.put(number, made),
            class_name=str(entry.get("class_name", "")),
            config=entry.get("config"),
        )

    def words(self, path: str) -> None:
        """Ask for another vocabulary of a lookup."""
        layer = find(self._session.after_graph, path)
        if layer is not None:
            self.words_sheet.begin(path, layer)

    def insert(self, path: str, before: str = "") -> None:
        """Ask for a layer and put it behind the one at `path` (which feeds `before`)."""
        where = f"before {before}" if before else f"after {path}"

        def take(config: dict[str, Any]) -> None:
            alone = {"before": before} if before and takers(self._session.after_graph, path) > 1 else {}
            self._add("insert_layer", f"Insert {config['class_name']} {where}", layer=path, config=config, **alone)

        self.form.begin(f"Insert a layer {where}", "Insert", take)
        self.form.about_layer = before or path

    def replace(self, path: str) -> None:
        """Ask for another layer, beginning with this one's class and arguments."""
        layer = find(self._session.after_graph, path)
        if layer is None:
            return
        was = {key: value for key, value in layer.config.items() if key != "name"}

        def take(entry: dict[str, Any]) -> None:
            config = entry
            if entry["class_name"] == layer.class_name:
                config = {key: value for key, value in entry["config"].items() if was.get(key) != value}
            if config:
                self._add("replace_layer", f"Replace {path}", layer=path, config=config)

        self.form.begin(f"Replace {path}", "Replace", take, class_name=layer.class_name, config=was, name=False)
        self.form.about_layer = path

    def _add(self, do: str, text: str, **fields: Any) -> None:
        self._session.end_burst()
        self._session.gesture(lambda recipe: recipe.plus(gestures.make_edit(do, **fields)), text)


def add(menu: QMenu, text: str, command: Any, enabled: bool = True) -> QAction:
    """An entry of a menu."""
    action = menu.addAction(text)
    action.triggered.connect(lambda _=False: command())
    action.setEnabled(enabled)
    return action


def find(graph: Graph | None, path: str) -> Layer | None:
    """The layer at a path, if there is one."""
    if graph is None or not path:
        return None
    try:
        return graph.find(path)
    except KeyError:
        return None


def single_feeder(graph: Graph, path: str) -> str | None:
    """The path of the one layer that feeds the layer at `path`; `None` for inputs and where several do."""
    prefix, _, name = path.rpartition("/")
    inner = graph.find(prefix).inner if prefix else graph
    if inner is None:
        return None
    feeders = {ref.layer for call in inner.layer(name).calls for ref in call.inputs()}
    count = {len(call.inputs()) for call in inner.layer(name).calls}
    if len(feeders) != 1 or count != {1}:
        return None
    feeder = feeders.pop()
    return f"{prefix}/{feeder}" if prefix else feeder


def takers(graph: Graph | None, path: str) -> int:
    """How many calls of other layers, and outputs of the model, take what a layer gives."""
    prefix, _, name = path.rpartition("/")
    level = graph.find(prefix).inner if graph is not None and prefix else graph
    if level is None:
        return 0
    nodes = sum(len(nodes) for ref, nodes in level.consumers().items() if ref.layer == name)
    return nodes + sum(ref.layer == name for ref in level.output_refs())


def policy_of(layer: Layer) -> str:
    """The name of a layer's dtype policy, or how it or the layer that it wraps is quantized (`int8`, `int4/128`)."""
    inside = next((policy_name(part.config) for part in parts(layer) if part.mode), "")
    return inside or policy_name(layer.config)
