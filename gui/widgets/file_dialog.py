"""The one way to ask for a file: a dialog that never blocks, and goes when it is done."""

from collections.abc import Callable
from typing import Any, Literal

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget

Mode = Literal["open", "many", "folder", "save"]
_MODES = {
    "open": QFileDialog.FileMode.ExistingFile,
    "many": QFileDialog.FileMode.ExistingFiles,
    "folder": QFileDialog.FileMode.Directory,
    "save": QFileDialog.FileMode.AnyFile,
}


def ask_file(
    widget: QWidget,
    title: str,
    kinds: str,
    taken: Callable[[Any], object],
    *,
    mode: Mode = "open",
    start: str = "",
    filtered: Callable[[str], object] | None = None,
) -> QFileDialog:
    """Ask over the window of a widget; `taken` gets the path, or the paths for `many`.

    `start` is the folder to begin in, or the file to suggest. `filtered` hears which of the kinds is chosen.
    """
    dialog = QFileDialog(widget.window(), title, start, kinds)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setFileMode(_MODES[mode])
    if mode == "save":
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.selectFile(start)
    if mode == "folder":
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    if filtered is not None:
        dialog.filterSelected.connect(filtered)
    (dialog.filesSelected if mode == "many" else dialog.fileSelected).connect(taken)
    dialog.open()
    return dialog
