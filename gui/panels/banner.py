"""One calm line above the work: what a file is, what went wrong; details on demand, never in the way."""

from collections.abc import Iterable, Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from gui.models.opened import Group, Link
from gui.widgets.parts import IconButton, IconLabel, Look, clear_layout, label, named, restyle, scrolling
from gui.widgets.paths import without_folders
from gui.widgets.theme import SEVERITY_ICONS

TALLEST = 220


class Banner(QFrame):
    """Shows one sentence with a tone (`info`, `success`, `warning`, `error`), "Details" and "Copy details".

    Beside the sentence may stand links; `wanted` carries the action of the one that was clicked.
    """

    wanted = Signal(object)

    def __init__(self, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self.tone = "info"
        self._look = look
        self._details = ""
        self._grouped = False
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 3, 6, 3)
        column.setSpacing(4)
        row = QHBoxLayout()
        row.setSpacing(10)
        self._icon = IconLabel(look, "info", "info")
        row.addWidget(self._icon)
        self.text = named(QLabel(), "bannerText")
        self.text.setWordWrap(True)
        row.addWidget(self.text, 1)
        self._links = QHBoxLayout()
        self._links.setSpacing(10)
        row.addLayout(self._links)
        self.links: list[QPushButton] = []
        self.more = named(QPushButton("Details"), "link")
        self.more.setCheckable(True)
        self.more.toggled.connect(self._on_more)
        self.copy = named(QPushButton("Copy details"), "link")
        self.copy.clicked.connect(self._on_copy)
        self.close_button = IconButton(look, "close", "Dismiss the message")
        self.close_button.clicked.connect(self.dismiss)
        for button in (self.more, self.copy, self.close_button):
            row.addWidget(button)
        column.addLayout(row)
        self._box = named(QPlainTextEdit(), "mono")
        self._box.setReadOnly(True)
        self._box.setAccessibleName("Details")
        self._box.setMaximumHeight(140)
        self._box.hide()
        column.addWidget(self._box)
        self._groups_page = QWidget()
        self._groups = QVBoxLayout(self._groups_page)
        self._groups.setContentsMargins(0, 2, 12, 8)
        self._groups.setSpacing(2)
        self.list = scrolling(self._groups_page)
        self.list.setAccessibleName("Details of the file")
        self.list.hide()
        column.addWidget(self.list)
        self.hide()

    def say(
        self,
        tone: str,
        sentence: str,
        details: str = "",
        groups: Sequence[Group] = (),
        links: Iterable[Link] = (),
    ) -> None:
        """Show a sentence in place of the one before; `links` stand beside it."""
        self.tone, self._details, self._grouped = tone, details, bool(groups)
        self.setProperty("tone", tone)
        restyle(self)
        self._icon.set_icon(SEVERITY_ICONS[tone], tone)
        short = without_folders(sentence)
        self.text.setText(short)
        self.text.setToolTip(sentence if sentence != short else "")
        self.setAccessibleName(f"{tone}: {sentence}")
        self.more.setChecked(False)
        self.more.setVisible(bool(details or groups))
        self.copy.setVisible(tone == "error" and not groups)
        self._box.setPlainText(details)
        self._fill(groups)
        clear_layout(self._links)
        self.links = [self._link(link) for link in links]
        for button in self.links:
            self._links.addWidget(button)
        self.show()

    def _link(self, link: Link) -> QPushButton:
        button = named(QPushButton(link.text), "link")
        button.clicked.connect(lambda _=False: self.wanted.emit(link.action))
        return button

    def _fill(self, groups: Sequence[Group]) -> None:
        clear_layout(self._groups)
        for number, group in enumerate(groups):
            head = QHBoxLayout()
            head.setContentsMargins(0, 6 if number else 0, 0, 0)
            head.setSpacing(10)
            head.addWidget(IconLabel(self._look, SEVERITY_ICONS[group.tone], group.tone))
            head.addWidget(label(group.title, "groupTitle"))
            if group.link is not None:
                head.addSpacing(2)
                head.addWidget(self._link(group.link))
            head.addStretch(1)
            self._groups.addLayout(head)
            for line in group.lines:
                words = label(line, "groupLine", wrap=True)
                words.setContentsMargins(26, 0, 0, 0)
                words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                self._groups.addWidget(words)
        self._groups.addStretch(1)

    @Slot()
    def dismiss(self) -> None:
        """Take the message away."""
        self.hide()

    @Slot(bool)
    def _on_more(self, shown: bool) -> None:
        self._box.setVisible(shown and not self._grouped)
        self.list.setVisible(shown and self._grouped)
        self.more.setText("Less" if shown else "Details")
        if shown and self._grouped:
            width = max(self.width() - 40, 200)
            wanted = self._groups.totalHeightForWidth(width)
            self.list.setFixedHeight(min(max(wanted, 40), TALLEST))

    @Slot()
    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self._details or self.text.text())
