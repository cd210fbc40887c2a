"""The graph as a picture: PNG in strips of any height, SVG and PDF, with a title above. Drawn a little at a time.

Items are painted one by one at full detail, whatever the view shows of them now, and nothing larger than a strip is
ever in memory.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, BinaryIO

from msgspec import Struct
from PySide6.QtCore import QMarginsF, QObject, QRect, QRectF, QSize, QSizeF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QImage, QPageSize, QPainter, QPdfWriter, QPen
from PySide6.QtSvg import QSvgGenerator

from core.errors import FileError
from core.writers.atomic import check_destination, replacing
from gui.canvas.look import Look
from gui.canvas.scene import GraphScene
from gui.widgets.theme import font

EDGE = 28.0
HEAD = 62.0
LEAST_WIDTH = 520.0
STRIP = 256
MOST_PIXELS = 150_000_000
MOST_SIDE = 65_000
MOST_POINTS = 14_400.0
"""The longest side of a PDF page that readers open."""
MOST_COPIED = 24_000_000
SLICE = 0.012
"""Seconds of drawing between two looks at what the person does."""


class Caption(Struct, frozen=True):
    """What stands above the picture: the file, what is shown of it, and the steps in a line."""

    title: str
    shown: str
    steps: str = ""


class _Detail:
    """Stands for the style option that items ask how near they are."""

    def __init__(self, zoom: float) -> None:
        self.zoom = zoom

    def levelOfDetailFromTransform(self, _transform: object) -> float:
        return self.zoom


class Frame:
    """A part of the scene with a title above; the corner of the picture is (0, 0)."""

    def __init__(self, scene: GraphScene, area: QRectF, look: Look, caption: Caption) -> None:
        self.scene, self.look, self.caption = scene, look, caption
        self._drawn = scene.drawn
        wide = max(area.width() + 2 * EDGE, LEAST_WIDTH)
        self.area = QRectF(area.center().x() - wide / 2, area.top() - EDGE, wide, area.height() + 2 * EDGE)
        self.size = QSizeF(wide, self.area.height() + HEAD)
        self.items = scene.pictured()

    def paint(self, painter: QPainter, part: QRectF, zoom: float) -> Iterator[None]:
        """Paint what is in a part of the picture, pausing after each item. Raises `FileError` if the scene changes."""
        look = self.look
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
        painter.fillRect(part, look.canvas)
        if part.top() < HEAD:
            self._paint_head(painter)
        seen = part.translated(self.area.left(), self.area.top() - HEAD).intersected(self.area)
        painter.save()
        painter.setClipRect(QRectF(0, HEAD, self.size.width(), self.area.height()))
        painter.translate(-self.area.left(), HEAD - self.area.top())
        option: Any = _Detail(zoom)
        for item in self.items:
            if self.scene.drawn is not self._drawn:
                raise FileError("The graph changed while its picture was being made; save the picture again.")
            if not item.boundingRect().translated(item.pos()).intersects(seen):
                continue
            painter.save()
            painter.translate(item.pos())
            item.paint(painter, option)
            painter.restore()
            yield
        painter.restore()

    def _paint_head(self, painter: QPainter) -> None:
        theme, width = self.look.theme, self.size.width() - 2 * EDGE
        lines = ((self.caption.title, 17, True, theme.text, 12.0), (self.line, 12, False, theme.muted, 36.0))
        for text, size, bold, colour, top in lines:
            painter.setFont(font(theme, size, bold=bold))
            painter.setPen(QColor(colour))
            shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(width))
            painter.drawText(QRectF(EDGE, top, width, 22), int(Qt.AlignmentFlag.AlignVCenter), shown)
        painter.setPen(QPen(QColor(theme.border), 1.0))
        painter.drawLine(int(EDGE), int(HEAD), int(EDGE + width), int(HEAD))

    @property
    def line(self) -> str:
        """The second line of the title."""
        return "  \u00b7  ".join(text for text in (self.caption.shown, self.caption.steps) if text)


def pixels(frame: Frame, scale: float) -> QSize:
    """The size of a frame as PNG."""
    return QSize(max(1, round(frame.size.width() * scale)), max(1, round(frame.size.height() * scale)))


def too_large(frame: Frame, scale: int) -> str:
    """Why a PNG of this scale is not made, `""` if it is."""
    size = pixels(frame, scale)
    if size.width() * size.height() <= MOST_PIXELS and max(size.width(), size.height()) <= MOST_SIDE:
        return ""
    fits = next((f"choose {less}x, " for less in range(scale - 1, 0, -1) if not too_large(frame, less)), "")
    return (
        f"At {scale}x the picture would be {size.width():,} by {size.height():,} pixels, more than most programs open; "
        f"{fits}fold blocks, choose the visible part, or save SVG or PDF."
    )


def png(frame: Frame, out: Path, scale: int) -> Iterator[float]:
    """Write a PNG strip by strip; yields how much is done. Raises `FileError`."""
    size = pixels(frame, scale)
    check_destination(out)
    with replacing(out) as partial, partial.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        _chunk(file, b"IHDR", struct.pack(">IIBBBBB", size.width(), size.height(), 8, 2, 0, 0, 0))
        packed = zlib.compressobj(6)
        for top in range(0, size.height(), STRIP):
            height = min(STRIP, size.height() - top)
            image = QImage(size.width(), height, QImage.Format.Format_RGB32)
            yield from _strip(frame, image, top, scale, top / size.height())
            rows = image.convertToFormat(QImage.Format.Format_RGB888)
            data, step = bytes(rows.constBits()), rows.bytesPerLine()
            lines = (b"\0" + data[row * step : row * step + 3 * size.width()] for row in range(height))
            _chunk(file, b"IDAT", packed.compress(b"".join(lines)))
            yield (top + height) / size.height()
        _chunk(file, b"IDAT", packed.flush())
        _chunk(file, b"IEND", b"")


def _chunk(file: BinaryIO, kind: bytes, data: bytes) -> None:
    if data or kind == b"IEND":
        file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))


def _strip(frame: Frame, image: QImage, top: int, scale: float, done: float) -> Iterator[float]:
    painter = QPainter(image)
    try:
        painter.translate(0, -top)
        painter.scale(scale, scale)
        part = QRectF(0, top / scale, frame.size.width(), image.height() / scale)
        for _ in frame.paint(painter, part, scale):
            yield done
    finally:
        painter.end()


def svg(frame: Frame, out: Path) -> Iterator[float]:
    """Write an SVG. Raises `FileError`."""
    check_destination(out)
    with replacing(out) as partial:
        made = QSvgGenerator()
        made.setFileName(str(partial))
        made.setSize(frame.size.toSize())
        made.setViewBox(QRectF(0, 0, frame.size.width(), frame.size.height()))
        made.setTitle(frame.caption.title)
        made.setDescription(frame.line)
        yield from _vectors(frame, QPainter(made), 1.0)


def pdf(frame: Frame, out: Path) -> Iterator[float]:
    """Write a PDF of one page, smaller than life where it would be longer than readers open. Raises `FileError`."""
    check_destination(out)
    scale = min(1.0, MOST_POINTS / max(frame.size.width(), frame.size.height()))
    with replacing(out) as partial:
        made = QPdfWriter(str(partial))
        made.setTitle(frame.caption.title)
        made.setCreator("Suture")
        made.setResolution(72)
        made.setPageSize(QPageSize(frame.size * scale, QPageSize.Unit.Point, "", QPageSize.SizeMatchPolicy.ExactMatch))
        made.setPageMargins(QMarginsF(0, 0, 0, 0))
        yield from _vectors(frame, QPainter(made), scale)


def _vectors(frame: Frame, painter: QPainter, scale: float) -> Iterator[float]:
    try:
        painter.scale(scale, scale)
        most = max(1, len(frame.items))
        part = QRectF(0, 0, frame.size.width(), frame.size.height())
        for number, _ in enumerate(frame.paint(painter, part, 1.0)):
            yield number / most
    finally:
        painter.end()


def image(frame: Frame, taken: list[QImage]) -> Iterator[float]:
    """Make one image for the clipboard, twice as large as life where that is not too large, and put it into `taken`."""
    scale = min(2.0, (MOST_COPIED / (frame.size.width() * frame.size.height())) ** 0.5)
    size = pixels(frame, scale)
    whole = QImage(size, QImage.Format.Format_RGB32)
    yield from _strip(frame, whole, 0, scale, 0.5)
    taken.append(whole.copy(QRect(0, 0, size.width(), size.height())))


class Drawing(QObject):
    """Draws while the window stays alive: a slice at a time. Ends with `finished` or with `failed` and a sentence."""

    progressed = Signal(float)
    finished = Signal()
    failed = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._steps: Iterator[float] | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._go_on)

    @property
    def running(self) -> bool:
        """Whether a picture is being made."""
        return self._steps is not None

    def begin(self, steps: Iterator[float]) -> None:
        """Draw one picture; one that is being drawn is given up."""
        self.stop()
        self._steps = steps
        self._timer.start()

    def stop(self) -> None:
        """Give up; nothing is left of the file."""
        self._timer.stop()
        steps, self._steps = self._steps, None
        close = getattr(steps, "close", None)
        if close is not None:
            close()

    @Slot()
    def _go_on(self) -> None:
        if self._steps is None:
            return
        began = perf_counter()
        try:
            while perf_counter() - began < SLICE:
                done = next(self._steps)
            self.progressed.emit(done)
        except StopIteration:
            self.stop()
            self.finished.emit()
        except FileError as error:
            self.stop()
            self.failed.emit(error.message)
