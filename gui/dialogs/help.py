"""The help pages of `resources/help`, in the window."""

from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QPushButton, QTextBrowser, QWidget

from gui.dialogs.sheet import Sheet
from gui.panels.parts import Look, label, named
from gui.theme import Theme

PAGES = Path(__file__).resolve().parents[2] / "resources" / "help"
ORDER = ("index", "rules", "trust", "classes", "matrix")


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


class HelpSheet(Sheet):
    """Pages at the left, the page itself at the right; links between pages stay inside."""

    def __init__(self, look: Look, parent: QWidget) -> None:
        super().__init__(parent, "help", "Help", 860)
        self._look = look
        self.column.addWidget(label("Help", "heading"))
        sides = QHBoxLayout()
        sides.setSpacing(16)
        self.list = named(QListWidget(), "helpPages")
        self.list.setAccessibleName("Help pages")
        self.list.setFixedWidth(190)
        self.list.setWordWrap(True)
        for stem, title in pages().items():
            item = QListWidgetItem(title)
            item.setData(Qt.ItemDataRole.UserRole, stem)
            self.list.addItem(item)
        self.list.currentItemChanged.connect(self._on_current)
        sides.addWidget(self.list)
        self.text = named(QTextBrowser(), "helpText")
        self.text.setAccessibleName("Help page")
        self.text.setOpenLinks(False)
        self.text.setMinimumHeight(560)
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
        self.text.document().setDefaultStyleSheet(page_style(self._look.theme))
        document = self.text.document()
        document.setMarkdown((PAGES / f"{stem}.md").read_text(encoding="utf-8"))
        # the style sheet of a document is for HTML, so the page goes through it once more
        self.text.setHtml(document.toHtml())

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


def page_style(theme: Theme) -> str:
    """How a page looks: CSS of a text document."""
    return (
        f"body {{ color: {theme.text}; }} a {{ color: {theme.accent}; }} "
        f"h1 {{ font-size: {theme.size_title + 3}px; }} h2 {{ font-size: {theme.size_title}px; }} "
        f"code {{ font-family: {theme.mono[-1]}; color: {theme.muted}; }} "
        f"th {{ color: {theme.muted}; }} td, th {{ padding: 3px 10px 3px 0; }}"
    )
