"""New from Keras Applications: every architecture that Keras brings, with weights or without."""

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from core.errors import Cancelled, SutureError
from core.layers.applications import ARCHITECTURES, CLASSES, Architecture, architecture
from core.phrases import shape_words
from core.service.messages import BuildApplication
from gui.document.work import Work
from gui.models.digest import count_words
from gui.models.made_models import applications_folder
from gui.widgets.fields import NumberField, first_problem
from gui.widgets.file_dialog import ask_file
from gui.widgets.parts import Look, Segments, Sentence, label, named
from gui.widgets.sheet import Sheet

WEIGHTS = (
    ("none", "None", "Newly initialized, to train from scratch"),
    ("imagenet", "ImageNet", "Trained on ImageNet; Keras downloads them once"),
    ("file", "From a file", "Your own weights file"),
)
WEIGHT_FILES = "Weights (*.h5 *.weights.h5 *.keras);;All files (*)"
FIRST = "MobileNetV2"
SMALLEST = 32


class Architectures(QTreeWidget):
    """Wants to be tall, and can be small in a small window. `entered` is the Return key, never a single click."""

    entered = Signal()

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.entered.emit()
        else:
            super().keyPressEvent(event)

    @override
    def sizeHint(self) -> QSize:
        return QSize(280, 380)


class GallerySheet(Sheet):
    """`built` carries the path of the new file."""

    of_model = False

    built = Signal(str)

    def __init__(self, work: Work, look: Look, parent: QWidget) -> None:
        super().__init__(parent, "gallery", "New from Keras Applications", 720)
        self._processes, self._look = work.processes, look
        self._weights = "none"
        self.busy = False
        self.column.addWidget(label("New from Keras Applications", "heading"))
        sides = QHBoxLayout()
        sides.setSpacing(22)
        sides.addLayout(self._list_side(), 5)
        sides.addLayout(self._form_side(), 6)
        self.column.addLayout(sides, 1)
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setAccessibleName("Building")
        self.bar.hide()
        self.column.addWidget(self.bar)
        buttons = QHBoxLayout()
        self.state = label("", "small")
        buttons.addWidget(self.state, 1)
        self.cancel = QPushButton("Cancel")
        self.cancel.clicked.connect(self._on_cancel)
        buttons.addWidget(self.cancel)
        self.build = named(QPushButton("Build and open"), "primary")
        self.build.clicked.connect(self._on_build)
        buttons.addWidget(self.build)
        self.column.addLayout(buttons)
        self.classes.setText(str(CLASSES))
        self.choose(FIRST)
        look.changed.connect(self._tint)
        self._tint()
        for field in self.fields:
            field.textChanged.connect(self._check)
        for line in (*self.fields, self.file):
            line.returnPressed.connect(self._on_enter)
        self.tree.entered.connect(self._on_enter)

    def _list_side(self) -> QVBoxLayout:
        side = QVBoxLayout()
        side.setSpacing(6)
        self.search = QLineEdit()
        self.search.setPlaceholderText(f"Search {len(ARCHITECTURES)} architectures")
        self.search.setAccessibleName("Search architectures")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._on_search)
        self.search.returnPressed.connect(self._on_search_done)
        side.addWidget(self.search)
        self.tree = Architectures()
        self.tree.setAccessibleName("Architectures")
        self.tree.setColumnCount(2)
        self.tree.setHeaderHidden(True)
        self.tree.setRootIsDecorated(False)
        self.tree.setIndentation(12)
        self.tree.setUniformRowHeights(True)
        self.tree.setMinimumHeight(150)
        self.tree.header().setStretchLastSection(False)
        self.tree.header().setSectionResizeMode(0, self.tree.header().ResizeMode.Stretch)
        self.tree.header().setSectionResizeMode(1, self.tree.header().ResizeMode.ResizeToContents)
        self._fill()
        self.tree.currentItemChanged.connect(self._on_current)
        side.addWidget(self.tree, 1)
        self.nothing = label("No architecture matches.", "small", wrap=True)
        self.nothing.hide()
        side.addWidget(self.nothing)
        return side

    def _fill(self) -> None:
        families: dict[str, QTreeWidgetItem] = {}
        self._items: dict[str, QTreeWidgetItem] = {}
        for one in sorted(ARCHITECTURES, key=lambda one: (one.family, one.params)):
            if one.family not in families:
                family = QTreeWidgetItem([one.family])
                family.setFlags(Qt.ItemFlag.ItemIsEnabled)
                self.tree.addTopLevelItem(family)
                families[one.family] = family
            item = QTreeWidgetItem([one.name, count_words(one.params)])
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            item.setToolTip(0, facts(one))
            families[one.family].addChild(item)
            self._items[one.name] = item
        self.tree.expandAll()

    def _form_side(self) -> QVBoxLayout:
        side = QVBoxLayout()
        side.setSpacing(8)
        self.title = label("", "heading")
        self.facts = label("", "small", wrap=True)
        side.addWidget(self.title)
        side.addWidget(self.facts)
        side.addSpacing(6)
        side.addWidget(label("Weights", "fieldLabel"))
        self.weights = Segments(WEIGHTS)
        self.weights.set_current("none")
        self.weights.chosen.connect(self._on_weights)
        side.addWidget(self.weights, 0, Qt.AlignmentFlag.AlignLeft)
        self.file_row = QWidget()
        row = QHBoxLayout(self.file_row)
        row.setContentsMargins(0, 0, 0, 0)
        self.file = QLineEdit()
        self.file.setPlaceholderText("A weights file")
        self.file.setAccessibleName("Weights file")
        self.file.textChanged.connect(self._check)
        row.addWidget(self.file, 1)
        browse = QPushButton("Choose\u2026")
        browse.setAccessibleName("Choose a weights file")
        browse.clicked.connect(self._on_browse)
        row.addWidget(browse)
        self.file_row.hide()
        side.addWidget(self.file_row)
        side.addSpacing(6)
        side.addLayout(self._size_fields())
        self.top = QCheckBox("With its classifier")
        self.top.setChecked(True)
        self.top.setToolTip("Without it, the model ends with its feature maps")
        self.top.toggled.connect(self._on_rules)
        side.addWidget(self.top)
        self.preprocessing = QCheckBox("With built-in input normalization")
        self.preprocessing.setChecked(True)
        self.preprocessing.setToolTip("The model then takes pixel values from 0 to 255")
        side.addWidget(self.preprocessing)
        self.hint = Sentence("small")
        side.addWidget(self.hint)
        self.problem = Sentence()
        side.addWidget(self.problem)
        side.addStretch(1)
        return side

    def _size_fields(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(4)
        self.height_ = NumberField("Height", low=SMALLEST, high=4096)
        self.width_ = NumberField("Width", low=SMALLEST, high=4096)
        self.channels = NumberField("Channels", high=512)
        self.classes = NumberField("Classes", high=100_000)
        self.fields = [self.height_, self.width_, self.channels, self.classes]
        for at, field in enumerate(self.fields):
            grid.addWidget(label(field.name, "fieldLabel"), 0, at)
            grid.addWidget(field, 1, at)
        return grid

    @Slot()
    def _tint(self) -> None:
        for at in range(self.tree.topLevelItemCount()):
            family = self.tree.topLevelItem(at)
            assert family is not None
            family.setForeground(0, QColor(self._look.theme.muted))

    # choosing

    def begin(self) -> None:
        """Show the gallery."""
        self._say("")
        self.open(self.search)
        self.tree.scrollToItem(self._items[self.chosen.name], QAbstractItemView.ScrollHint.PositionAtCenter)

    @property
    def chosen(self) -> Architecture:
        """The current architecture."""
        return architecture(self.title.text())

    def choose(self, name: str) -> None:
        """Make an architecture the current one."""
        self.tree.setCurrentItem(self._items[name])

    @Slot(QTreeWidgetItem, QTreeWidgetItem)
    def _on_current(self, item: QTreeWidgetItem | None, _before: QTreeWidgetItem | None) -> None:
        if item is None or item.text(0) not in self._items:
            return
        one = architecture(item.text(0))
        self.title.setText(one.name)
        self.facts.setText(facts(one))
        self.height_.setText(str(one.size))
        self.width_.setText(str(one.size))
        self.channels.setText("3")
        self.preprocessing.setVisible(one.preprocessing)
        self._on_rules()

    @Slot(str)
    def _on_search(self, text: str) -> None:
        words = text.lower().split()
        some = False
        for at in range(self.tree.topLevelItemCount()):
            family = self.tree.topLevelItem(at)
            assert family is not None
            shown = 0
            for row in range(family.childCount()):
                item = family.child(row)
                assert item is not None
                fits = all(word in f"{family.text(0)} {item.text(0)}".lower() for word in words)
                item.setHidden(not fits)
                shown += fits
            family.setHidden(not shown)
            some = some or bool(shown)
        self.nothing.setVisible(not some)

    @Slot()
    def _on_search_done(self) -> None:
        first = next((name for name, item in self._items.items() if not item.isHidden()), None)
        if self._items[self.chosen.name].isHidden() and first is not None:
            self.choose(first)
            self.tree.setFocus()
        elif first is not None:
            self._on_enter()

    @Slot()
    def _on_enter(self) -> None:
        """Return builds what is chosen, if it can be built."""
        if self.build.isEnabled():
            self._on_build()

    @Slot(str)
    def _on_weights(self, key: str) -> None:
        self._weights = key
        self.weights.set_current(key)
        self.file_row.setVisible(key == "file")
        self._on_rules()

    @Slot()
    def _on_browse(self) -> None:
        ask_file(self, "Choose a weights file", WEIGHT_FILES, self.file.setText)

    @Slot()
    def _on_rules(self) -> None:
        """What ImageNet's weights fix: three channels, and with the classifier also size and classes."""
        trained, whole = self._weights == "imagenet", self.top.isChecked()
        if trained:
            self.channels.setText("3")
        if trained and whole:
            self.height_.setText(str(self.chosen.size))
            self.width_.setText(str(self.chosen.size))
            self.classes.setText(str(CLASSES))
        self.channels.setEnabled(not trained)
        for field in (self.height_, self.width_):
            field.setEnabled(not (trained and whole))
        self.classes.setEnabled(whole and not trained)
        hint = "After opening it, use Input and Head for other sizes, channels and classes." if trained else ""
        self.hint.say(hint)
        self._check()

    def _wrong(self) -> str:
        """What is wrong with the form, `""` for nothing."""
        fields = self.fields if self.top.isChecked() else self.fields[:3]
        blank = next((f"{field.name} is missing." for field in fields if field.blank), "")
        if self._weights == "file" and not self.file.text().strip():
            return "Choose the weights file."
        return first_problem(fields) or blank

    @Slot()
    def _check(self) -> None:
        for field in self.fields:
            field.mark()
        wrong = self._wrong()
        self.problem.say(wrong if not wrong.startswith("Choose") else "")
        self.build.setEnabled(not wrong and not self.busy)

    # building

    def request(self) -> BuildApplication:
        """What the form asks the engine for."""
        one, top = self.chosen, self.top.isChecked()
        height, width, channels = (int(field.text()) for field in self.fields[:3])
        classes = int(self.classes.text()) if top else CLASSES
        weights = {"none": None, "imagenet": "imagenet"}.get(self._weights, self.file.text().strip())
        source = {"none": "new", "imagenet": "imagenet"}.get(self._weights) or Path(self.file.text()).name.split(".")[0]
        parts = [one.name, source, f"{height}x{width}x{channels}", str(classes) if top else "features"]
        preprocessing = one.preprocessing and self.preprocessing.isChecked()
        if one.preprocessing and not preprocessing:
            parts.append("raw")
        return BuildApplication(
            name=one.name,
            out=str(applications_folder() / f"{'-'.join(parts)}.keras"),
            weights=weights,
            input_shape=(height, width, channels),
            classes=classes,
            include_top=top,
            preprocessing=preprocessing,
        )

    @Slot()
    def _on_build(self) -> None:
        try:
            request = self.request()
        except OSError as error:
            self.problem.say(f"The folder for new models cannot be created: {error.strerror}.")
            return
        if request.weights == "imagenet" and Path(request.out).is_file():
            self._on_built(request.out)  # always the same, so the one made before serves
            return
        self._set_busy(True)
        self._say("Waiting for the engine\u2026")
        self._processes.engine.ask(
            request, self._on_built, self._on_failed, lambda stage, _: self._say(f"{stage}\u2026")
        )

    def _on_built(self, path: str) -> None:
        self._set_busy(False)
        self._say("")
        self.leave()
        self.built.emit(path)

    def _on_failed(self, error: SutureError) -> None:
        self._set_busy(False)
        self._say("Stopped; nothing was built." if isinstance(error, Cancelled) else "")
        if not isinstance(error, Cancelled):
            self.problem.say(error.message)

    def _say(self, text: str) -> None:
        self.state.setText(text[:1].upper() + text[1:])

    def _set_busy(self, busy: bool) -> None:
        self.busy = busy
        self.bar.setVisible(busy)
        self.cancel.setText("Stop" if busy else "Cancel")
        self._check()

    @Slot()
    def _on_cancel(self) -> None:
        if self.busy:
            self._processes.cancel_engine()
        else:
            self.leave()


def facts(one: Architecture) -> str:
    """An architecture in one line."""
    return (
        f"{one.family} \u00b7 made for {shape_words((one.size, one.size))} \u00b7 {count_words(one.params)} parameters"
    )
