"""Brushes, pens and fonts of the canvas, made once per theme: nothing is looked up by name while painting."""

from dataclasses import dataclass, replace
from functools import lru_cache

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFontMetricsF, QPainterPath, QPen

from gui.widgets.theme import FATE_LETTERS, Theme, Tone, font

RADIUS = 9.0
STRIPE = 5.0

FAMILIES = ("conv", "dense", "norm", "activation", "pool", "merge", "shape", "recurrent", "attention", "port",
            "model", "opaque", "other")  # fmt: skip


RAMPS = {
    "light": ("#eaf2fb", "#cfe1f3", "#a6cbe9", "#72abd9", "#4586c4", "#225f9f", "#0b3a70"),
    "dark": ("#1d2a40", "#213f66", "#27588e", "#3376b4", "#5598d2", "#8cbde8", "#cfe6fb"),
}
"""From little to much: away from the canvas, in lightness alone, which every eye tells apart."""


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.1)."""
    made = QColor(colour)
    parts = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
        for part in (made.redF(), made.greenF(), made.blueF())
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21 (WCAG 2.1)."""
    least, most = sorted((luminance(one), luminance(other)))
    return (most + 0.05) / (least + 0.05)


def text_on(colour: str) -> str:
    """Black or white, whichever is read better on a colour."""
    return max(("#000000", "#ffffff"), key=lambda ink: contrast(ink, colour))


def blend(first: str, second: str, share: float) -> QColor:
    """A colour between two: `share` of the first."""
    a, b = QColor(first), QColor(second)
    return QColor.fromRgbF(
        a.redF() * share + b.redF() * (1 - share),
        a.greenF() * share + b.greenF() * (1 - share),
        a.blueF() * share + b.blueF() * (1 - share),
    )


def faded(colour: str | QColor, alpha: int) -> QColor:
    """The colour with another opacity, 0 to 255."""
    made = QColor(colour)
    made.setAlpha(alpha)
    return made


def line(colour: QColor | str, width: float = 1.0, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
    """A cosmetic pen: as wide on the screen at every zoom, `width` in the screen's pixels."""
    pen = QPen(QColor(colour), width, style, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
    pen.setCosmetic(True)
    return pen


@dataclass(frozen=True, slots=True)
class Paint:
    """One family's brushes: `fill` of a card, `slim` of a section, its `stripe`, `far` away, `text`.

    `quiet` is for small text where the fill is too strong for the theme's muted one.
    """

    fill: QBrush
    slim: QBrush
    stripe: QBrush
    far: QBrush
    text: QPen
    quiet: QPen | None = None


@dataclass(frozen=True, slots=True)
class Chip:
    """A fate's mark: `soft` for what needs no look, else solid."""

    letter: str
    back: QBrush
    pen: QPen
    border: QPen
    edge: QPen


class Look:
    """Everything that painting needs, from one theme."""

    def __init__(self, theme: Theme, ratio: float = 1.0) -> None:
        """`ratio` is how many pixels of the screen a logical one has: cosmetic pens know only the screen's."""
        self.theme = theme
        self.ratio = ratio
        self.families = {name: self._paint(getattr(theme, name)) for name in FAMILIES}
        self.neutral = replace(
            self._paint(Tone(theme.faint, theme.hover)),
            far=QBrush(QColor(theme.border_strong)),
            text=QPen(QColor(theme.muted)),
        )
        self.chips = {name: self._chip(name) for name in FATE_LETTERS}
        self.ramp = [self._strong(colour) for colour in RAMPS[theme.name]]
        self.fates = {name: self._paint(theme.fate(name)) for name in FATE_LETTERS}
        self.held, self.trained = self._strong(theme.frozen.ink), self._paint(theme.activation)
        self.canvas = QColor(theme.canvas)
        self.grid = QColor(theme.grid)
        self.card = QBrush(QColor(theme.raised))
        self.border = self._line(
            theme.border_strong if theme.is_dark else blend(theme.border_strong, theme.border, 0.5), 1.0
        )
        self.divider = self._line(faded(theme.border_strong, 150), 1.0)
        self.shadow = QBrush(QColor(0, 0, 0, 90 if theme.is_dark else 16))
        self.text = QPen(QColor(theme.text))
        self.muted = QPen(QColor(theme.muted))
        self.faint = QPen(QColor(theme.faint))
        self.edge = self._line(theme.edge, 1.5)
        self.edge_far = self._line(faded(theme.edge, 170), 1.0)
        self.edge_fill = QBrush(QColor(theme.edge))
        self.active = self._line(theme.edge_active, 2.2)
        self.active_fill = QBrush(QColor(theme.edge_active))
        self.ghost_edge = self._line(theme.dropped.ink, 1.4, Qt.PenStyle.DashLine)
        self.ghost_border = self._line(theme.dropped.ink, 1.3, Qt.PenStyle.DashLine)
        self.ghost_fill = QBrush(faded(theme.dropped.fill, 130))
        self.ring = self._line(theme.accent, 2.0)
        self.glow = self._line(faded(theme.accent, 60), 7.0)
        self.chosen = self._line(faded(theme.accent, 210), 1.6)
        self.hit = self._line(theme.warning.ink, 2.0, Qt.PenStyle.DotLine)
        self.hover = self._line(faded(theme.accent, 150), 1.4)
        self.label_back = QBrush(faded(theme.canvas, 225))
        self.error = QBrush(QColor(theme.error.ink))
        self.warning = QBrush(QColor(theme.warning.ink))
        self.mark = QPen(QColor("#ffffff" if not theme.is_dark else theme.canvas), 1.8)
        self.mark.setCapStyle(Qt.PenCapStyle.RoundCap)
        self.lock_back = QBrush(QColor(theme.frozen.fill))
        self.lock = QPen(QColor(theme.frozen.ink), 1.3)
        self.lock.setCapStyle(Qt.PenCapStyle.RoundCap)
        self.group_fills = (
            QBrush(faded(theme.model.fill, 120 if not theme.is_dark else 70)),
            QBrush(faded(theme.raised, 150)),
        )
        self.group_border = self._line(faded(theme.model.ink, 90), 1.2)
        self.group_text = QPen(QColor(theme.model.ink))
        self.title = font(theme, 12, bold=True)
        self.body = font(theme, 11)
        self.small = font(theme, 10)
        self.heading = font(theme, 13, bold=True)
        self.large = font(theme, 22, bold=True)
        self.large_slim = font(theme, 17, bold=True)
        self.letter = font(theme, 10, bold=True)
        self.title_metrics = QFontMetricsF(self.title)
        self.body_metrics = QFontMetricsF(self.body)
        self.small_metrics = QFontMetricsF(self.small)
        self.large_metrics = QFontMetricsF(self.large)
        self.large_slim_metrics = QFontMetricsF(self.large_slim)
        self.heading_metrics = QFontMetricsF(self.heading)

    def _line(self, colour: QColor | str, width: float = 1.0, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
        return line(colour, width * self.ratio, style)

    def _paint(self, tone: Tone) -> Paint:
        theme = self.theme
        return Paint(
            QBrush(blend(tone.fill, theme.raised, 0.8)),
            QBrush(blend(tone.fill, theme.raised, 0.28)),
            QBrush(blend(tone.ink, theme.raised, 0.88)),
            QBrush(blend(tone.ink, tone.fill, 0.55)),
            QPen(QColor(tone.ink)),
        )

    def _strong(self, colour: str) -> Paint:
        """Paint of one full colour, with text that can be read on it."""
        brush, pen = QBrush(QColor(colour)), QPen(QColor(text_on(colour)))
        return Paint(brush, brush, QBrush(blend(colour, self.theme.text, 0.6)), brush, pen, pen)

    def _chip(self, name: str) -> Chip:
        tone = self.theme.fate(name)
        soft = name == "copied"
        ink = self.theme.canvas if self.theme.is_dark else "#ffffff"
        return Chip(
            FATE_LETTERS[name],
            QBrush(QColor(tone.fill if soft else tone.ink)),
            QPen(QColor(tone.ink if soft else ink)),
            self._line(faded(tone.ink, 70)) if soft else QPen(Qt.PenStyle.NoPen),
            self._line(tone.ink, 2.0),
        )


@lru_cache(maxsize=4096)
def body_path(width: float, height: float, *, top: bool, bottom: bool) -> QPainterPath:
    """A section's outline: rounded where it ends its block."""
    path = QPainterPath()
    rect = QRectF(0, 0, width, height)
    if top and bottom:
        path.addRoundedRect(rect, RADIUS, RADIUS)
    elif not top and not bottom:
        path.addRect(rect)
    else:
        flipped = QRectF(0, 0 if top else -RADIUS * 2, width, height + RADIUS * 2)
        rounded = QPainterPath()
        rounded.addRoundedRect(flipped, RADIUS, RADIUS)
        square = QPainterPath()
        square.addRect(rect)
        path = rounded.intersected(square)
    return path


@lru_cache(maxsize=4096)
def stripe_path(height: float, *, top: bool, bottom: bool) -> QPainterPath:
    """The coloured stripe along a section's left side."""
    square = QPainterPath()
    square.addRect(QRectF(0, 0, STRIPE, height))
    return body_path(100.0, height, top=top, bottom=bottom).intersected(square)
