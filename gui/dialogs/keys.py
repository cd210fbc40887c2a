"""The page of all keys, made from the commands themselves and from what the views listen to."""

from collections.abc import Mapping

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu

TITLE = "Keys"
PLACES: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "In the list of layers",
        (
            ("Shift or Ctrl with click or arrow keys", "select several layers"),
            ("Space", "freeze or unfreeze what is selected"),
            ("Shift+F10", "menu of the layer"),
            ("Left, Right", "fold, unfold"),
            ("Esc", "clear the selection"),
        ),
    ),
    (
        "In the graph",
        (
            ("Arrow keys", "follow the connections"),
            ("Shift+Arrow keys", "select along the connections"),
            ("Ctrl+click, Shift+click", "select several layers"),
            ("Ctrl or Shift, and drag", "select all layers that the frame touches"),
            ("Esc", "clear the selection"),
            ("Enter, Space", "open the layer, fold or unfold a model"),
            ("+, -", "zoom in, zoom out"),
            ("Home, End", "first and last layer"),
            ("Page Up, Page Down", "scroll"),
            ("Shift+F10", "menu of the layer"),
        ),
    ),
    (
        "In the Find box",
        (
            ("Enter, Shift+Enter", "next and previous layer that is found"),
            ("Down", "go to the list of layers"),
            ("Esc", "clear the box"),
        ),
    ),
    ("In sheets", (("Esc", "close the sheet"), ("Enter", "do what the sheet is for"))),
)


def words(action: QAction) -> str:
    """What an action is called, without what a menu needs."""
    return action.text().replace("&", "").rstrip("\u2026").strip()


def keys_of(action: QAction) -> str:
    """The keys of an action as the desktop writes them."""
    return ", ".join(keys.toString(QKeySequence.SequenceFormat.NativeText) for keys in action.shortcuts())


def group(action: QAction) -> str:
    """The title of the menu that an action is in."""
    titles = [one.title() for one in action.associatedObjects() if isinstance(one, QMenu)]
    return next((title for title in titles if title), "Other")


def page(actions: Mapping[str, QAction]) -> str:
    """The page as Markdown: every action that has keys, by menu."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for action in actions.values():
        if keys_of(action):
            groups.setdefault(group(action), []).append((keys_of(action), words(action)))
    order = sorted(groups, key=lambda title: title == "Other")
    lines = [f"# {TITLE}", ""]
    for title, rows in (*((title, groups[title]) for title in order), *PLACES):
        lines += [f"## {title}", "", "| keys | action |", "|---|---|"]
        lines += [f"| {_cell(keys)} | {what} |" for keys, what in rows]
        lines.append("")
    return "\n".join(lines)


def _cell(keys: str) -> str:
    return keys.replace("|", "\\|")
