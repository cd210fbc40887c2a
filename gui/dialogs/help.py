"""The help pages of `resources/help`, in the window."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QSize, Qt, QUrl, Slot
from PySide6.QtGui import (
    QColor,
    QDesktopServices,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextTable,
)
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QPushButton, QTextBrowser, QWidget
from typing_extensions import override

from gui.dialogs.keys import TITLE
from gui.widgets.parts import Look, label, named
from gui.widgets.sheet import Sheet
from gui.widgets.theme import Theme, font

PAGES = Path(__file__).resolve().parents[2] / "resources" / "help"
KEYS = "keys"
"""The page that no file holds."""
ORDER = ("index", "layers", "rules", "trust", "classes", "matrix")


def pages() -> dict[str, str]:
    """Paths' stems and titles, those named in `ORDER` first. A page's title is its first heading."""
    stems = sorted((path.stem for path in PAGES.glob("*.md")), key=lambda stem: (_rank(stem), stem))
    return {stem: _title(PAGES / f"{stem}.md") for stem in stems}


def _rank(stem: str) -> int:
    return ORDER.index(stem) if stem in ORDER else len(ORDER)


def _title(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.startswith("# "):
                return line[2:].strip()
    return path.stem.capitalize()


class Page(QTextBrowser):
    """Wants to be tall, and can be small in a small window."""

    @override
    def sizeHint(self) -> QSize:
        return QSize(600, 640)


class HelpSheet(Sheet):
    """Pages at the left, the page itself at the right; links between pages stay inside."""

    of_model = False

    def __init__(self, look: Look, parent: QWidget, keys: Callable[[], str]) -> None:
        """`keys` makes the page of all keys."""
        super().__init__(parent, "help", "Help", 860)
        self._look = look
        self._keys = keys
        self.column.addWidget(label("Help", "heading"))
        sides = QHBoxLayout()
        sides.setSpacing(16)
        self.list = named(QListWidget(), "helpPages")
        self.list.setAccessibleName("Help pages")
        self.list.setFixedWidth(190)
        self.list.setWordWrap(True)
        titles = pages()
        first = next(iter(titles), "")
        for stem, title in {first: titles.get(first, ""), KEYS: TITLE, **titles}.items():
            item = QListWidgetItem(title)
            item.setData(Qt.ItemDataRole.UserRole, stem)
            self.list.addItem(item)
        self.list.currentItemChanged.connect(self._on_current)
        sides.addWidget(self.list)
        self.text = named(Page(), "helpText")
        self.text.setAccessibleName("Help page")
        self.text.setOpenLinks(False)
        self.text.setMinimumHeight(160)
        self.text.anchorClicked.connect(self._on_link)
        sides.addWidget(self.text, 1)
        self.column.addLayout(sides, 1)
        row = QHBoxLayout()
        row.addStretch(1)
        close = named(QPushButton("Close"), "primary")
        close.clicked.connect(self.leave)
        row.addWidget(close)
        self.column.addLayout(row)
        look.changed.connect(self._tint)
        self.list.setCurrentRow(0)

    def show_keys(self) -> None:
        """Show the page of all keys."""
        self.show_page(KEYS)
        self.open(self.list)

    def begin(self) -> None:
        """Show the help."""
        self.open(self.list)

    def show_page(self, stem: str) -> bool:
        """Go to a page; tells whether there is one of that name."""
        for row in range(self.list.count()):
            item = self.list.item(row)
            if item.data(Qt.ItemDataRole.UserRole) == stem:
                self.list.setCurrentRow(row)
                return True
        return False

    @Slot(QListWidgetItem, QListWidgetItem)
    def _on_current(self, item: QListWidgetItem | None, _before: QListWidgetItem | None) -> None:
        if item is not None:
            self._show(str(item.data(Qt.ItemDataRole.UserRole)))

    def _show(self, stem: str) -> None:
        document = self.text.document()
        made = self._keys() if stem == KEYS else (PAGES / f"{stem}.md").read_text(encoding="utf-8")
        document.setMarkdown(made)
        dress(document, self._look.theme)
        self.text.moveCursor(QTextCursor.MoveOperation.Start)

    @Slot(object)
    def _tint(self, _theme: Theme) -> None:
        item = self.list.currentItem()
        if item is not None:
            self._show(str(item.data(Qt.ItemDataRole.UserRole)))

    @Slot(QUrl)
    def _on_link(self, url: QUrl) -> None:
        if url.isRelative():
            self.show_page(Path(url.path()).stem)
        else:
            QDesktopServices.openUrl(url)


def dress(document: QTextDocument, theme: Theme) -> None:
    """Give a page read from Markdown the window's type, distances and colours."""
    whole = QTextCursor(document)
    # laid out once at the end: every change by itself would lay a long table out anew
    whole.beginEditBlock()
    block = document.begin()
    while block.isValid():
        _dress_block(QTextCursor(block), theme)
        block = block.next()
    for frame in document.rootFrame().childFrames():
        if isinstance(frame, QTextTable):
            _dress_table(frame, theme)
    whole.endEditBlock()


def _dress_block(cursor: QTextCursor, theme: Theme) -> None:
    form = cursor.blockFormat()
    level = form.headingLevel()
    if cursor.currentTable() is None:  # stubs say never
        above, below = (18, 6) if level > 1 else (0, 8) if level else (0, 3) if form.objectIndex() >= 0 else (0, 8)
        form.setTopMargin(above)
        form.setBottomMargin(below)
        form.setLineHeight(128, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        cursor.setBlockFormat(form)
    pieces = cursor.block().begin()
    while not pieces.atEnd():
        piece = pieces.fragment()
        pieces += 1
        shape = piece.charFormat()
        code = shape.fontFixedPitch()
        size = theme.size_body if not level else theme.size_title + (4 if level == 1 else 0)
        chosen = font(theme, theme.size_small if code else size, mono=code, bold=bool(level) or shape.font().bold())
        chosen.setItalic(shape.fontItalic())
        dressed = QTextCharFormat(shape)
        dressed.setFont(chosen)
        # either would win over the size in pixels
        dressed.clearProperty(QTextFormat.Property.FontPointSize)
        dressed.clearProperty(QTextFormat.Property.FontSizeAdjustment)
        ink = theme.accent if shape.isAnchor() else theme.muted if code else theme.text
        dressed.setForeground(QColor(ink))
        chooser = QTextCursor(cursor.document())
        chooser.setPosition(piece.position())
        chooser.setPosition(piece.position() + piece.length(), QTextCursor.MoveMode.KeepAnchor)
        chooser.setCharFormat(dressed)


def _dress_table(table: QTextTable, theme: Theme) -> None:
    form = table.format().toTableFormat()
    form.setBorderBrush(QColor(theme.border))
    form.setBorderCollapse(True)
    form.setBorder(1)
    form.setCellPadding(5)
    form.setTopMargin(4)
    form.setBottomMargin(12)
    table.setFormat(form)
