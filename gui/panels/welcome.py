"""What a first-time user sees: a place to drop a model, recent files, samples."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from gui.document.settings import Settings
from gui.widgets import theme as themes
from gui.widgets.parts import IconLabel, Look, clear_layout, label, named, restyle, scrolling

SAMPLES = Path(__file__).resolve().parents[2] / "resources" / "samples"
SAMPLE_WORDS = {".keras", ".h5"}
ABOUT = {
    "digits_nested": "a small MobileNet as a model inside a model",
    "digits_normalized": "colour statistics before the first layer",
    "digits_residual": "a small ResNet with skip connections",
    "digits_vgg": "Flatten and Dense, fixed to one size",
}


def samples() -> list[Path]:
    """The sample models that come with the program."""
    return sorted(path for path in SAMPLES.glob("*") if path.suffix in SAMPLE_WORDS)


def sample_title(path: Path) -> str:
    """A sample's name for people."""
    return path.stem.replace("_", " ").capitalize()


class DropTarget(QFrame):
    """A large area that says where to drop a file, which the whole window takes; its button asks for one."""

    def __init__(self, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("dropTarget")
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 12, 24, 12)
        column.setSpacing(10)
        column.addStretch(1)
        column.addWidget(IconLabel(look, "drop", "accent", 36), 0, Qt.AlignmentFlag.AlignHCenter)
        title = label("Drop a Keras model here", "heading")
        title.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(title)
        kinds = label(".keras  \u00b7  .h5  \u00b7  .hdf5  \u00b7  .json  \u00b7  SavedModel folder", "muted")
        kinds.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(kinds)
        self.browse = named(QPushButton("Open a file\u2026"), "primary")
        column.addSpacing(6)
        column.addWidget(self.browse, 0, Qt.AlignmentFlag.AlignHCenter)
        self.new = named(QPushButton("New from Keras Applications\u2026"), "link")
        column.addWidget(self.new, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)

    def show_over(self, over: bool) -> None:
        """Light up while files hang over the window."""
        self.setProperty("over", over)
        restyle(self)


class Welcome(QWidget):
    """The empty state."""

    open_wanted = Signal()
    new_wanted = Signal()
    chosen = Signal(str)

    def __init__(self, settings: Settings, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("welcome")
        self._settings = settings
        self._look = look
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        inside = QWidget()
        # a window too small for all of it scrolls
        outer.addWidget(scrolling(inside))
        row = QHBoxLayout(inside)
        holder = QWidget()
        holder.setMaximumWidth(820)
        column = QVBoxLayout(holder)
        column.setSpacing(0)
        row.addWidget(holder)
        column.addStretch(2)
        column.addWidget(label("Suture", "hero"))
        column.addSpacing(4)
        column.addWidget(
            label("Adapt pretrained Keras models: see every mismatch before anything is built.", "muted", wrap=True)
        )
        column.addSpacing(22)
        self.target = DropTarget(look)
        self.target.browse.clicked.connect(self.open_wanted)
        self.target.new.clicked.connect(self.new_wanted)
        column.addWidget(self.target, 3)
        column.addSpacing(22)
        lists = QHBoxLayout()
        lists.setSpacing(32)
        self._recent = QVBoxLayout()
        self._samples = QVBoxLayout()
        for layout in (self._recent, self._samples):
            layout.setSpacing(2)
            lists.addLayout(layout, 1)
        column.addLayout(lists)
        column.addStretch(3)
        look.changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """List recent files and samples as they are now."""
        clear_layout(self._recent)
        clear_layout(self._samples)
        recent = [Path(path) for path in self._settings.recent[:5]]
        self._fill(self._recent, "Recent files", recent, "clock", "Files you open appear here.")
        self._fill(self._samples, "Samples", samples()[:5], "spark", "No samples are installed.")

    def _fill(self, layout: QVBoxLayout, title: str, paths: list[Path], icon: str, empty: str) -> None:
        layout.addWidget(label(title.upper(), "cardTitle"))
        layout.addSpacing(6)
        for path in paths:
            text = path.name if icon == "clock" else sample_title(path)
            about = ABOUT.get(path.stem, "") if icon == "spark" else ""
            button = named(QPushButton(f"{text}  \u2013  {about}" if about else text), "listItem")
            button.setIcon(themes.icon(icon, self._look.theme, "muted"))
            button.setToolTip(str(path))
            button.clicked.connect(lambda _=False, path=path: self.chosen.emit(str(path)))
            layout.addWidget(button)
        if not paths:
            layout.addWidget(label(empty, "faint"))
        layout.addStretch(1)
