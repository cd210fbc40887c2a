"""Layers put in from the palette, taken out with Delete, copied and pasted."""

import json
from typing import Any

from PySide6.QtCore import QByteArray, QMimeData, QObject, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from core.model.graph import Graph, Layer
from core.recipes.gestures import make_edit
from gui.canvas.dropping import Dropping, Place
from gui.controllers.layer_menu import LayerMenu, find, single_feeder, takers
from gui.document.trials import Trials
from gui.document.work import Work
from gui.models.addable import asks, guessed, place_words
from gui.panels.adding import AddPanel
from gui.widgets.actions import Actions
from gui.widgets.parts import Look

COPIED = "application/x-suture-layer-config"


class AddCommands(QObject):
    """Owned by the page. What would not work is said before it is done."""

    def __init__(self, window: QWidget, work: Work, look: Look, menu: LayerMenu, actions: Actions) -> None:
        super().__init__(window)
        self._actions = actions
        self._work, self._session, self._look, self._menu = work, work.session, look, menu
        self.trials = Trials(work.session, work.processes, self)
        self.trials.known.connect(self._on_known)
        self._panel: AddPanel | None = None
        self.dropping: Dropping | None = None

    def attach(self, panel: AddPanel, dropping: Dropping, *views: QWidget) -> None:
        """Work for this panel and this canvas; `views` are where Delete, Copy and Paste are about layers."""
        for view in views:
            view.addActions([self._actions[name] for name in ("remove_layers", "copy_layers", "paste_layers")])
        self._panel, self.dropping = panel, dropping
        panel.taken.connect(self.take)
        panel.chosen.connect(self._refresh)
        dropping.offered.connect(self._on_offered)
        dropping.dropped.connect(self._on_dropped)
        dropping.theme = self._look.theme
        self._look.changed.connect(self._on_theme)
        self._session.selection_changed.connect(self._refresh)
        self._session.plan_changed.connect(self._refresh)
        self._refresh()

    @Slot(object)
    def _on_theme(self, theme: Any) -> None:
        if self.dropping is not None:
            self.dropping.theme = theme

    # what would happen

    def edit_of(self, name: str, place: Place) -> Any | None:
        """The step that puts a class at a place with guessed arguments; `None` without a sensible guess."""
        kind = self._work.inquiries.classes.get(name)
        layer = find(self._session.after_graph, place.after)
        if kind is None or layer is None:
            return None
        outputs = layer.calls[0].outputs if layer.calls else None
        config = guessed(kind, outputs[0].shape if outputs else None)
        return None if config is None else self._insert(place, {"class_name": name, "config": config})

    def _insert(self, place: Place, config: dict[str, Any]) -> Any:
        fields: dict[str, Any] = {"layer": place.after, "config": config}
        if place.before and takers(self._session.after_graph, place.after) > 1:
            fields["before"] = place.before
        return make_edit("insert_layer", **fields)

    def verdict(self, name: str, place: Place) -> tuple[str, bool | None]:
        """What to say of a class at a place, and whether it works (`None`: not known yet, or up to the arguments)."""
        if place.why:
            return place.why, False
        graph = self._session.after_graph
        if find(graph, place.after) is None or (place.before and find(graph, place.before) is None):
            return f"{place.after} is not in the result; switch to After.", False
        words = f"Insert {name} {place_words(place.after, place.before)}"
        kind = self._work.inquiries.classes.get(name)
        edit = self.edit_of(name, place)
        if kind is not None and edit is None:
            return f"{words}: its arguments are asked for.", None
        check = self.trials.check(edit) if edit is not None else None
        if check is None or check.ok:
            return f"{words}.", True if check is not None else None
        if kind is not None and asks(kind):
            return f"{words}: with other arguments than the usual ones, since {check.reason}", None
        return f"{name} does not fit {place_words(place.after, place.before)}: {check.reason}", False

    @Slot(str, object)
    def _on_offered(self, name: str, place: Place) -> None:
        if self.dropping is not None:
            self.dropping.say(*self.verdict(name, place))

    @Slot()
    def _on_known(self) -> None:
        held = self.dropping.again() if self.dropping is not None else None
        if held is not None:
            self._on_offered(*held)
        self._refresh()

    @Slot()
    def _refresh(self) -> None:
        """Say in the panel where the chosen class would go."""
        panel = self._panel
        if panel is None:
            return
        kind = panel.layer_class(panel.tree.chosen)
        about = kind.text if kind is not None else ""
        selected = self._session.selection
        if not selected or find(self._session.after_graph, selected) is None:
            panel.say(about, "Drag a layer onto an edge of the graph, or select a layer and press Enter here.", "")
        elif kind is None or not panel.isVisible():
            panel.say(about, f"Enter inserts after {selected}, Shift+Enter before it.", "")
        else:
            words, good = self.verdict(kind.name, Place(after=selected))
            where = f"Enter inserts after {selected}, Shift+Enter before it."
            panel.say(about, where if good is not False else "", words if good is False else "")

    # what is done

    @Slot(str, object)
    def _on_dropped(self, name: str, place: Place) -> None:
        self.put(name, place)

    @Slot(str, bool)
    def take(self, name: str, before: bool) -> None:
        """Put a class after the selected layer, or before it."""
        selected, graph = self._session.selection, self._session.after_graph
        if graph is None or find(graph, selected) is None:
            self._say("Select the layer that the new one goes after, then press Enter.")
            return
        place = Place(after=selected)
        if before:
            feeder = single_feeder(graph, selected)
            if feeder is None:
                self._say(f"{selected} has no single layer before it; drag the new layer onto one of its edges.")
                return
            place = Place(after=feeder, before=selected)
        self.put(name, place)

    def put(self, name: str, place: Place) -> None:
        """Put a class at a place; where it needs arguments, ask for them first, with a guess filled in."""
        kind = self._work.inquiries.classes.get(name)
        if kind is None:
            return
        words, good = self.verdict(name, place)
        if good is False:
            self._say(words)
            return
        edit = self.edit_of(name, place)
        if asks(kind) or edit is None:
            where = place_words(place.after, place.before)
            config = dict(edit.config["config"]) if edit is not None else {}
            self._menu.form.begin(
                f"Insert a layer {where}",
                "Insert",
                lambda made: self._make(self._insert(place, made), f"Insert {made['class_name']} {where}"),
                class_name=name,
                config=config,
            )
        else:
            self._make(edit, f"Insert {name} {place_words(place.after, place.before)}")

    def _make(self, edit: Any, text: str) -> None:
        self._session.end_burst()
        self._session.gesture(lambda recipe: recipe.plus(edit), text)

    def selected(self) -> list[str]:
        """The layers that are selected, in the order of the model."""
        paths = self._session.chosen or (self._session.selection,)
        graph = self._session.after_graph
        there = [path for path in paths if find(graph, path) is not None]
        order = {path: number for number, (path, _) in enumerate(graph.walk())} if graph is not None else {}
        return sorted(there, key=lambda path: order.get(path, 0))

    @Slot()
    def remove(self) -> None:
        """Take the selected layers out, or say why one of them has to stay."""
        paths, graph = self.selected(), self._session.after_graph
        if graph is None or not paths:
            self._say("Select a layer of the edited model to remove it.")
            return
        for path in paths:
            why = why_it_stays(graph, path)
            if why:
                self._say(why)
                return
        edits = [make_edit("remove_layer", layer=path) for path in paths]
        text = f"Remove {paths[0]}" if len(paths) == 1 else f"Remove {len(paths)} layers"
        self._session.end_burst()

        def change(recipe: Any) -> Any:
            for edit in edits:
                recipe = recipe.plus(edit)
            return recipe

        self._session.gesture(change, text)

    @Slot()
    def copy(self) -> None:
        """Put the selected layers' classes and arguments on the clipboard."""
        graph, entries = self._session.after_graph, []
        for path in self.selected():
            layer = find(graph, path)
            if layer is None or layer.is_input or layer.is_operation or layer.inner is not None or layer.opaque:
                self._say(f"{path} cannot be copied; single layers whose class is known can.")
                return
            entries.append(entry_of(layer))
        if not entries:
            self._say("Select a layer to copy it.")
            return
        data = QMimeData()
        text = json.dumps(entries, ensure_ascii=False)
        data.setData(COPIED, QByteArray(text.encode()))
        data.setText(json.dumps(entries, ensure_ascii=False, indent=2))
        QGuiApplication.clipboard().setMimeData(data)
        count = f"{len(entries)} layers" if len(entries) > 1 else entries[0]["class_name"]
        self._session.note.emit(f"copied {count}")

    @Slot()
    def paste(self) -> None:
        """Insert what was copied after the selected layer, one behind the other. Its weights are new."""
        entries = copied()
        paths = self.selected()
        if not entries:
            self._say("There is no layer to paste; select one and copy it first.")
            return
        if not paths:
            self._say("Select the layer that the copied one goes after.")
            return
        after = paths[-1]
        # each goes behind the same layer, so the last one is put in first
        edits = [make_edit("insert_layer", layer=after, config=entry) for entry in reversed(entries)]

        def change(recipe: Any) -> Any:
            for edit in edits:
                recipe = recipe.plus(edit)
            return recipe

        name = entries[0]["class_name"] if len(entries) == 1 else f"{len(entries)} layers"
        self._session.end_burst()
        self._session.gesture(change, f"Paste {name} after {after}")

    def _say(self, sentence: str) -> None:
        self._session.problem.emit(sentence, "")


def entry_of(layer: Layer) -> dict[str, Any]:
    """A layer as a recipe's step has it, without the name, which must be another one."""
    config = {key: value for key, value in layer.config.items() if key != "name"}
    entry: dict[str, Any] = {"class_name": layer.class_name, "config": config}
    if layer.module and layer.module != "keras.layers":
        entry["module"] = layer.module
    if layer.registered_name and layer.registered_name != layer.class_name:
        entry["registered_name"] = layer.registered_name
    return entry


def copied() -> list[dict[str, Any]]:
    """The layers on the clipboard, if that is what is on it."""
    data: QMimeData | None = QGuiApplication.clipboard().mimeData()  # None where nothing is on it
    if data is None or not data.hasFormat(COPIED):
        return []
    try:
        found = json.loads(bytes(data.data(COPIED).data()))
    except ValueError:
        return []
    return [one for one in found if isinstance(one, dict) and isinstance(one.get("class_name"), str)]


def why_it_stays(graph: Graph, path: str) -> str:
    """Why a layer cannot be taken out, `""` if it can."""
    layer = graph.find(path)
    if layer.is_input:
        return f"{path} is an input of its model, so it cannot be removed."
    if not layer.calls or graph.opaque:
        return f"The connections of {path} are unknown, so it cannot be removed."
    count = max(len(call.inputs()) for call in layer.calls)
    if count != 1:
        return f"{path} takes {count} tensors, so it is unclear which of them should replace its output."
    return ""
