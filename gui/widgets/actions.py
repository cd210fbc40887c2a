"""Everything that can be commanded, in one table: text, keys, tip. Menus, buttons and tests read it."""

from msgspec import Struct
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget


class Command(Struct, frozen=True):
    """One action. `keys` are portable key sequences, the first one is shown."""

    name: str
    text: str
    keys: tuple[str, ...] = ()
    tip: str = ""
    checkable: bool = False
    local: bool = False
    """Whether its keys work in the widgets that take it in alone, such as Delete, which fields have a use for."""


COMMANDS = (
    Command("open", "Open\u2026", ("Ctrl+O",), "Open a model file"),
    Command("open_folder", "Open SavedModel folder\u2026", ("Ctrl+Alt+O",), "Open a SavedModel folder"),
    Command(
        "open_weights",
        "Open weights with this architecture\u2026",
        ("Ctrl+Shift+O",),
        "Load a weights file into the open architecture",
    ),
    Command(
        "open_architecture",
        "Open the architecture of these weights\u2026",
        ("Ctrl+Alt+A",),
        "Load the open weights into an architecture",
    ),
    Command(
        "new_application",
        "New from Keras Applications\u2026",
        ("Ctrl+N",),
        "Build an architecture from Keras Applications",
    ),
    Command("reload", "Reload from disk", ("F5",), "Open the file again and keep the recipe"),
    Command(
        "define_class",
        "Where is this class defined?\u2026",
        ("Ctrl+Alt+D",),
        "Choose the Python file of a custom class",
    ),
    Command("stored_code", "Code stored in the file\u2026", ("Ctrl+Alt+L",), "View the code of Lambda layers"),
    Command("help", "Help", ("F1",)),
    Command("close", "Close model", ("Ctrl+W",)),
    Command("new_window", "New window", ("Ctrl+Shift+N",)),
    Command("new_tab", "New tab", ("Ctrl+Shift+T",)),
    Command("next_tab", "Next tab", ("Ctrl+Tab", "Ctrl+PgDown")),
    Command("previous_tab", "Previous tab", ("Ctrl+Shift+Tab", "Ctrl+PgUp")),
    Command("tab_right", "Move tab right", ("Ctrl+Shift+PgDown",)),
    Command("tab_left", "Move tab left", ("Ctrl+Shift+PgUp",)),
    Command("detach_tab", "Move tab to new window", ("Ctrl+Alt+N",)),
    Command("close_others", "Close other tabs", ("Ctrl+Alt+W",)),
    *(Command(f"tab_{number}", f"Tab {number}", (f"Ctrl+{number}",)) for number in range(1, 9)),
    Command("tab_9", "Last tab", ("Ctrl+9",)),
    Command("export", "Export\u2026", ("Ctrl+E",), "Write the adapted model"),
    Command(
        "verify", "Verify on random inputs\u2026", ("Ctrl+Shift+E",), "Check an exported file against source and recipe"
    ),
    Command(
        "verify_mine",
        "Verify on my files\u2026",
        ("Ctrl+Alt+E",),
        "Check an exported file on your own images or arrays",
    ),
    Command(
        "save_weights",
        "Save weights\u2026",
        ("Ctrl+Shift+S",),
        "Save one array, a layer\u2019s or all as .npy, .npz, .csv or .safetensors",
    ),
    Command(
        "save_report",
        "Save report\u2026",
        ("Ctrl+Alt+R",),
        "Write what the recipe does to this model as a page: graph, weights, costs, findings",
    ),
    Command("show_values", "Table of values\u2026", ("Ctrl+Alt+T",), "The values of the chosen weight as a table"),
    Command("presets", "Presets\u2026", ("Ctrl+P",), "Ready-made recipes that fit this model"),
    Command("transfer", "Transfer weights\u2026", ("Ctrl+T",), "Copy weights from another file"),
    Command(
        "join", "Join another model\u2026", ("Ctrl+J",), "Add the model of another file after this one or in parallel"
    ),
    Command("add_layer", "Add a layer\u2026", ("Ins",), "Choose a layer from the list and put it in"),
    Command("remove_layers", "Remove layer", ("Del", "Backspace"), "Remove the selected layers", local=True),
    Command("copy_layers", "Copy layer", ("Ctrl+C",), "Copy the selected layers\u2019 class and arguments", local=True),
    Command("paste_layers", "Paste layer", ("Ctrl+V",), "Insert the copied layers after the selected one", local=True),
    Command("rename_layer", "Rename layer\u2026", ("F2",), "Rename the selected layer"),
    Command("load_recipe", "Load recipe\u2026", ("Ctrl+L",)),
    Command("save_recipe", "Save recipe\u2026", ("Ctrl+S",)),
    Command(
        "save_script", "Save as Python\u2026", ("Ctrl+Alt+S",), "Write a Python program that does what the recipe does"
    ),
    Command("copy_recipe", "Copy recipe as JSON", ("Ctrl+Alt+C",), "Copy the recipe as it stands in a file"),
    Command(
        "copy_command",
        "Copy recipe as command line",
        ("Ctrl+Alt+Shift+C",),
        "Copy a command that applies the recipe in a terminal",
    ),
    Command("clear_recipe", "Clear recipe", ("Ctrl+Shift+Backspace",)),
    Command("preferences", "Preferences\u2026", ("Ctrl+,",)),
    Command("quit", "Quit", ("Ctrl+Q",)),
    Command("find", "Find layers", ("Ctrl+F",), "By name, class, shape, fate, or /regular expression/"),
    Command("find_next", "Next found layer", ("F3",)),
    Command("find_previous", "Previous found layer", ("Shift+F3",)),
    Command("select_all", "Select all layers", ("Ctrl+A",), "Every layer that is shown or found"),
    Command("select_none", "Clear selection", ("Ctrl+Shift+A",)),
    Command("freeze_these", "Freeze these", ("Ctrl+Shift+F",), "Freeze the selected layers"),
    Command("freeze_up_to", "Freeze up to here", ("Alt+Shift+Up",), "The selected layers and all that they depend on"),
    Command("freeze_from", "Freeze from here", ("Alt+Shift+Down",), "The selected layers and all that depend on them"),
    Command("unfreeze_these", "Unfreeze these", ("Ctrl+Alt+F",), "Train the selected layers"),
    Command("unfreeze_up_to", "Unfreeze up to here", (), "The selected layers and all that they depend on"),
    Command("unfreeze_from", "Unfreeze from here", (), "The selected layers and all that depend on them"),
    Command("palette", "All commands\u2026", ("Ctrl+Shift+P",), "Find a command or a layer by a few letters"),
    Command("keys", "Keys", ("?",), "The keys of all commands"),
    Command("before", "Before", ("Alt+B",), "The model as it is in the file"),
    Command("after", "After", ("Alt+A",), "The model after the recipe"),
    Command("difference", "Difference", ("Alt+D",), "What the recipe changes"),
    Command("zoom_in", "Zoom in", ("Ctrl++", "Ctrl+=")),
    Command("zoom_out", "Zoom out", ("Ctrl+-",)),
    Command("fit", "Fit graph to view", ("Ctrl+0",)),
    Command("fold_all", "Fold everything", ("Ctrl+[",)),
    Command("unfold_all", "Unfold everything", ("Ctrl+]",)),
    Command("colour_class", "Colour by class", ("Ctrl+Alt+1",), "The family of each layer\u2019s class", True),
    Command("colour_fate", "Colour by fate", ("Ctrl+Alt+2",), "What happens to each layer\u2019s weights", True),
    Command("colour_frozen", "Colour by frozen", ("Ctrl+Alt+3",), "Whether training changes each layer", True),
    Command("colour_params", "Colour by parameters", ("Ctrl+Alt+4",), "Number of parameters", True),
    Command("colour_macs", "Colour by MACs", ("Ctrl+Alt+5",), "Multiply-accumulates for one sample", True),
    Command(
        "colour_activations",
        "Colour by activation memory",
        ("Ctrl+Alt+6",),
        "Memory of each layer\u2019s outputs for one sample",
        True,
    ),
    Command(
        "colour_drift", "Colour by drift", ("Ctrl+Alt+7",), "How far outputs are from the old ones; verify first", True
    ),
    Command("picture", "Save picture\u2026", ("Ctrl+Alt+P",), "The graph as PNG, SVG or PDF"),
    Command("copy_picture", "Copy picture", ("Ctrl+Shift+C",), "Put the visible part of the graph on the clipboard"),
    Command("sort_model", "Layers in the model\u2019s order", ("Ctrl+Alt+M",)),
    Command("sort_name", "Sort layers by name", ("Ctrl+Alt+8",)),
    Command("sort_number", "Sort layers by number", ("Ctrl+Alt+9",), "By parameters, or what is coloured by"),
    Command("next_finding", "Next finding", ("F8",)),
    Command("previous_finding", "Previous finding", ("Shift+F8",)),
    Command("go_layers", "Go to layers", ("Alt+1",)),
    Command("go_graph", "Go to graph", ("Alt+2",)),
    Command("go_edit", "Go to edit panels", ("Alt+3",)),
    Command("go_findings", "Go to findings", ("Alt+4",)),
    Command("go_recipe", "Go to recipe", ("Alt+5",)),
    Command("go_log", "Log", ("Alt+6",), "What happened, line by line"),
    Command("toggle_layers", "Show or hide layers", ("Ctrl+B",)),
    Command("toggle_side", "Show or hide edit panels", ("Ctrl+Shift+B",)),
    Command("toggle_strip", "Show or hide findings and recipe", ("Ctrl+M",)),
    Command("reset_layout", "Reset panel sizes", ("Ctrl+Alt+0",), "Arrange the panels as at the start"),
    Command("menu", "Menu", ("F10",)),
)


class Actions:
    """The window's actions by name, added to it so that their keys work everywhere in it."""

    def __init__(self, window: QWidget) -> None:
        self._actions: dict[str, QAction] = {}
        for command in COMMANDS:
            action = QAction(command.text, window)
            action.setObjectName(command.name)
            action.setShortcuts([QKeySequence(keys) for keys in command.keys])
            action.setCheckable(command.checkable)
            if command.tip:
                action.setToolTip(command.tip)
                action.setStatusTip(command.tip)
            if command.local:
                action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            else:
                window.addAction(action)
            self._actions[command.name] = action

    def adopt(self, name: str, action: QAction, *keys: str) -> None:
        """Take in an action that somebody else made, such as the undo stack's."""
        action.setObjectName(name)
        action.setShortcuts([QKeySequence(sequence) for sequence in keys])
        self._actions[name] = action

    def __getitem__(self, name: str) -> QAction:
        return self._actions[name]

    def all(self) -> dict[str, QAction]:
        """Every action by name."""
        return dict(self._actions)

    def fill(self, menu: QMenu, names: str) -> None:
        """Fill a menu from names separated by spaces; `-` makes a separator."""
        for name in names.split():
            if name == "-":
                menu.addSeparator()
            else:
                menu.addAction(self._actions[name])
