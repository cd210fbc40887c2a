"""What the command palette offers, and why something cannot be done now."""

from collections.abc import Sequence
from functools import cached_property, partial

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from core.analysis.finding import find
from core.phrases import sample_words
from gui.controllers.layer_menu import LayerMenu
from gui.dialogs import keys
from gui.dialogs.palette import Entry, PaletteSheet
from gui.document.work import Work
from gui.models.digest import output_shape
from gui.widgets.actions import Actions
from gui.widgets.parts import Look

NOT_OFFERED = ("palette", "menu")
MODEL_NEEDED = frozenset(
    ["export", "verify", "verify_mine", "presets", "transfer", "join", "rename_layer", "save_script", "open_weights"]
)
ALWAYS = frozenset(["open", "open_folder", "new_application", "help", "keys", "preferences", "quit"])
SELECTION_NEEDED = frozenset(
    [
        "freeze_these",
        "freeze_up_to",
        "freeze_from",
        "unfreeze_these",
        "unfreeze_up_to",
        "unfreeze_from",
        "select_none",
        "rename_layer",
    ]
)
STEPS_NEEDED = frozenset(("save_recipe", "clear_recipe"))
OWN = {
    "undo": "There is nothing to undo.",
    "redo": "There is nothing to redo.",
    "find_next": "Nothing is found: type what you look for into the Find box.",
    "find_previous": "Nothing is found: type what you look for into the Find box.",
    "define_class": "No layer of this model lacks its code.",
    "stored_code": "This model stores no code.",
    "open_architecture": "This file has an architecture already.",
}


class Palette(QObject):
    """Owned by the page."""

    def __init__(self, page: QWidget, work: Work, look: Look, actions: Actions, layers: LayerMenu) -> None:
        super().__init__(page)
        self._page, self._work, self._session, self._look = page, work, work.session, look
        self._actions, self._layers = actions, layers
        self._menu: QMenu | None = None
        actions["palette"].triggered.connect(self.begin)

    @cached_property
    def sheet(self) -> PaletteSheet:
        """The sheet, made when first needed."""
        return PaletteSheet(self._look, self._page, self._commands, self._found)

    @Slot()
    def begin(self) -> None:
        """Open the palette, or close the one that is open."""
        if self.sheet.isVisible():
            self.sheet.leave()
        else:
            self.sheet.begin()

    def why_not(self, name: str) -> str:
        """Why a command cannot be done now, in a sentence; `""` if nobody knows."""
        session, work = self._session, self._work
        if name in ("undo", "redo"):
            return OWN[name]
        if session.source is None and name not in ALWAYS:
            return "Open a model first."
        if name in STEPS_NEEDED and not session.recipe.edits:
            return "The recipe has no steps."
        if name in MODEL_NEEDED and session.source is not None and session.source.kind == "weights":
            return "This file holds weights only; open its architecture first."
        if name in MODEL_NEEDED and work.busy:
            return "Something else is under way; wait until it has ended."
        if name in MODEL_NEEDED and session.plan is None:
            return "The plan is still being made."
        if name == "save_script" and session.plan is not None and not session.plan.ok:
            return "The plan has errors; settle the findings first."
        if name in SELECTION_NEEDED and not session.chosen:
            return "Select a layer first."
        return OWN.get(name, "")

    def _commands(self) -> Sequence[Entry]:
        """Every action, then what can be done with the current layer."""
        found = [
            self._entry(action, action.toolTip() if action.toolTip() != action.text() else "", self.why_not(name))
            for name, action in self._actions.all().items()
            if name not in NOT_OFFERED
        ]
        return [*found, *self._of_layer()]

    def _entry(self, action: QAction, note: str, why: str, prefix: str = "") -> Entry:
        enabled = action.isEnabled()
        return Entry(
            f"{prefix}{keys.words(action)}",
            note if note != keys.words(action) else "",
            keys.keys_of(action),
            "" if enabled else why,
            enabled,
            action.trigger,
        )

    def _of_layer(self) -> list[Entry]:
        """The entries of the menu of the current layer, those of its menus inside too."""
        path = self._session.selection
        if not path:
            return []
        # the actions live as long as their menu: until the palette opens again
        if self._menu is not None:
            self._menu.deleteLater()
        self._menu = QMenu(self._page)
        self._layers.fill(self._menu, path)
        known = tuple(keys.words(action) for action in self._actions.all().values())  # also "Freeze these 3 layers"
        found = []
        for action in self._menu.actions():
            inside = action.menu()
            if isinstance(inside, QMenu):
                title = keys.words(action)
                found += [self._entry(one, path, "", f"{title}: ") for one in inside.actions() if one.text()]
            elif action.text() and not action.isSeparator() and not keys.words(action).startswith(known):
                found.append(self._entry(action, path, "This cannot be done with this layer."))
        return found[1:]  # the first is the menu's heading

    def _found(self, query: str, most: int) -> Sequence[Entry]:
        """Layers that the Find box would find too."""
        graph = self._session.shown_graph
        if graph is None or self._session.source is None:
            return []
        before = self._session.view == "before"
        plan = self._session.plan if self._session.view != "difference" else None
        paths = find(graph, plan, query, before=before).paths[:most]
        layers = graph.by_path()
        return [
            Entry(
                path,
                "  \u00b7  ".join(
                    one for one in (layers[path].class_name, sample_words(output_shape(layers[path]), "")) if one
                ),
                "",
                "",
                True,
                partial(self._session.select, path),
            )
            for path in paths
        ]
