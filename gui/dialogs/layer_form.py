"""The sheet that makes a layer: a class, a name, its arguments. Used to insert, to replace, and to build a front."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QComboBox, QCompleter, QLineEdit, QWidget

from core.layers.descriptions import LayerClass
from gui.document.work import Work
from gui.widgets.arguments import ArgumentForm
from gui.widgets.parts import Sentence, label, named, scrolling
from gui.widgets.sheet import Sheet

COMMON = ("Conv2D", "Dense", "BatchNormalization", "Activation", "Dropout", "MaxPooling2D", "GlobalAveragePooling2D")
ONE_INPUT_LEFT_OUT = ("merging",)

Take = Callable[[dict[str, Any]], None]


class LayerForm(Sheet):
    """Hands `{"class_name", "config"}` to whoever opened it."""

    asks = True

    def __init__(self, work: Work, parent: QWidget) -> None:
        super().__init__(parent, "layerForm", "Layer", 400)
        self._inquiries, self._session = work.inquiries, work.session
        self._take: Take | None = None
        self._wanted = ""
        self._config: dict[str, Any] = {}
        self.title = label("", "heading", wrap=True)
        self.column.addWidget(self.title)
        self.kind = named(QComboBox(), "layerClass")
        self.kind.setAccessibleName("Class")
        self.kind.setEditable(True)
        self.kind.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.kind.setMaxVisibleItems(16)
        completer = self.kind.completer()
        assert completer is not None
        completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.kind.currentIndexChanged.connect(self._on_kind)
        self.column.addWidget(self.kind)
        self.text = Sentence("small")
        self.column.addWidget(self.text)
        self.name = named(QLineEdit(), "layerName")
        self.name.setAccessibleName("Name")
        self.name.setPlaceholderText("Name (automatic if empty)")
        self.column.addWidget(self.name)
        self.form = ArgumentForm()
        self.form.changed.connect(self._refresh)
        self._scroll = scrolling(self.form)
        self._scroll.setMinimumHeight(230)
        self.column.addWidget(self._scroll, 1)
        _, self.apply = self.add_buttons("Insert", self._on_apply)
        self._inquiries.classes_known.connect(self._fill)

    def begin(
        self,
        title: str,
        verb: str,
        take: Take,
        *,
        class_name: str = "",
        config: dict[str, Any] | None = None,
        name: bool = True,
    ) -> None:
        """Ask for a layer; `take` gets its config. `class_name` and `config` fill the form beforehand."""
        self._take = take
        self.about_layer = ""
        self._config = dict(config or {})
        self._wanted = class_name or COMMON[0]
        self.title.setText(title)
        self.apply.setText(verb)
        self.name.setVisible(name)
        self.name.setText(str(self._config.get("name", "")) if name else "")
        self.form.more.setChecked(False)
        self._inquiries.want_classes()
        self._fill()
        self.open(self.kind)

    @Slot()
    def _fill(self) -> None:
        classes = self._inquiries.classes
        self.kind.blockSignals(True)
        self.kind.clear()
        names = [name for name, one in classes.items() if one.family not in ONE_INPUT_LEFT_OUT]
        names += [self._wanted] if self._wanted in classes and self._wanted not in names else []
        first = [name for name in COMMON if name in names]
        self.kind.addItems(first)
        if first:
            self.kind.insertSeparator(len(first))
        self.kind.addItems([name for name in names if name not in first])
        self.kind.setCurrentIndex(self.kind.findText(self._wanted))
        self.kind.blockSignals(False)
        self.kind.setEnabled(bool(classes))
        if not classes:
            self.text.say("Loading the list of layers\u2026")
        elif self.isVisible() and self.window().focusWidget() is self:
            self.kind.setFocus()  # it could not take it before there was anything to choose
        self._on_kind()

    @property
    def layer_class(self) -> LayerClass | None:
        """The class that is chosen."""
        return self._inquiries.classes.get(self.kind.currentText())

    @Slot()
    def _on_kind(self) -> None:
        kind = self.layer_class
        if kind is not None:
            self.text.say(kind.text)
            self.form.show_class(kind, self._config if kind.name == self._wanted else {})
        self._refresh()

    @Slot()
    def _refresh(self) -> None:
        self.apply.setEnabled(self.layer_class is not None and self.form.check())

    @Slot()
    def _on_apply(self) -> None:
        kind = self.layer_class
        if kind is None or self._take is None or not self.form.check():
            return
        config = self.form.config()
        if self.name.text().strip():
            config = {"name": self.name.text().strip(), **config}
        self._take({"class_name": kind.name, "config": config})
        self.leave()
