"""What one array looks like: statistics, histogram, pictures of its kernels.

pyqtgraph is imported when the first preview is drawn: it costs a quarter of a second and more, and many never look.
"""

from math import ceil, sqrt
from typing import Any

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget
from typing_extensions import override

from core.analysis.preview import WeightPreview
from core.phrases import shape_words
from core.rules.base import Array
from gui.canvas.look import blend
from gui.widgets.parts import label, restyle
from gui.widgets.theme import LIGHT, Theme, font

HISTOGRAM_HEIGHT = 112
PICTURES_LEAST = 40
PICTURES_MOST = 300
GAP = 1


def mosaic(images: Array, theme: Theme, shape: float = 1.7) -> Array:
    """All pictures side by side as one RGBA image `(h, w, 4)` uint8, about `shape` times as wide as high.

    Colour kernels are scaled to their own range, with 0 as middle gray. Others are drawn on one scale for all:
    negative values in one colour, positive in another, 0 like the ground.
    """
    number, height, width = images.shape[:3]
    columns = max(1, min(number, ceil(sqrt(number * shape * height / width))))
    rows = ceil(number / columns)
    if images.ndim == 4:
        peak = np.abs(images).max(axis=(1, 2, 3), keepdims=True)
        tiles = np.asarray(np.clip(0.5 + images / (2 * np.where(peak > 0, peak, 1)), 0, 1) * 255, np.uint8)
    else:
        tiles = _diverging(images, theme)
    made = np.zeros((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 4), np.uint8)
    for index in range(number):
        y, x = (index // columns) * (height + GAP), (index % columns) * (width + GAP)
        made[y : y + height, x : x + width, :3] = tiles[index]
        made[y : y + height, x : x + width, 3] = 255
    return made


def _diverging(images: Array, theme: Theme) -> Array:
    """Numbers as colours: `activation` for negative, `conv` for positive, the panel's for 0."""
    scale = float(np.percentile(np.abs(images), 99.5)) or float(np.abs(images).max()) or 1.0
    share = np.clip(images / scale, -1, 1)[..., None]
    middle, low, high = _rgb(theme.hover), _rgb(theme.activation.ink), _rgb(theme.conv.ink)
    mixed = np.where(share < 0, middle + (low - middle) * -share, middle + (high - middle) * share)
    return np.asarray(mixed, np.uint8)


def _rgb(name: str) -> Array:
    colour = QColor(name)
    return np.array([colour.red(), colour.green(), colour.blue()], np.float32)


def number_words(value: float) -> str:
    """A number in few digits."""
    return "0" if value == 0 else f"{value:.4g}"


class PreviewPanel(QWidget):
    """Shows a `WeightPreview`, or a sentence while there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Values of the weight")
        self.shown: WeightPreview | None = None
        self._theme: Theme = LIGHT
        self._ratio = 1.0
        self._plot: Any = None
        self._pictures: Any = None
        self.message = label("", "small", wrap=True)
        self.message.setContentsMargins(14, 4, 14, 4)
        self.body = QWidget()
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(14)
        self._grid.setVerticalSpacing(2)
        self.numbers: dict[str, QLabel] = {}
        for index, name in enumerate(("minimum", "maximum", "mean", "std")):
            place, side = divmod(index, 4)
            self._grid.addWidget(label(name, "fieldLabel"), 2 * place, side)
            self.numbers[name] = label("", "")
            self._grid.addWidget(self.numbers[name], 2 * place + 1, side)
        self.health = label("", "small", wrap=True)
        self.health.setAccessibleName("What is unusual in the values")
        self.caption = label("", "small", wrap=True)
        self._column = QVBoxLayout(self.body)
        self._column.setContentsMargins(14, 0, 14, 0)
        self._column.setSpacing(8)
        self._column.addLayout(self._grid)
        self._column.addWidget(self.health)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.message)
        outer.addWidget(self.body)
        self.say("")

    def set_theme(self, theme: Theme) -> None:
        """Draw in another theme."""
        self._theme = theme
        if self.shown is not None:
            self._draw(self.shown)

    def say(self, text: str) -> None:
        """Show a sentence instead of values."""
        self.shown = None
        self.message.setText(text)
        self.message.setVisible(bool(text))
        self.body.hide()

    def show_preview(self, preview: WeightPreview) -> None:
        """Show an array."""
        self.shown = preview
        self.message.hide()
        values = {
            "minimum": number_words(preview.minimum),
            "maximum": number_words(preview.maximum),
            "mean": number_words(preview.mean),
            "std": number_words(preview.std),
        }
        for name, text in values.items():
            self.numbers[name].setText(text)
        self.health.setText(preview.words)
        self.health.setObjectName("fieldError" if preview.not_finite else "small")
        restyle(self.health)
        self._draw(preview)
        self.body.show()

    def _draw(self, preview: WeightPreview) -> None:
        self._make_plots()
        self._draw_histogram(preview)
        images = preview.images
        self._pictures.setVisible(images is not None)
        self.caption.setVisible(images is not None)
        if images is not None:
            self._draw_pictures(preview, np.asarray(images))

    def _make_plots(self) -> None:
        """The two plots, at first use."""
        if self._plot is not None:
            return
        import pyqtgraph

        self._plot = _bare_plot(pyqtgraph, "Histogram of the values", HISTOGRAM_HEIGHT)
        self._plot.hideAxis("left")
        self._pictures = _bare_plot(pyqtgraph, "Pictures of the kernels", PICTURES_LEAST)
        self._pictures.hideAxis("left")
        self._pictures.hideAxis("bottom")
        self._pictures.setAspectLocked(True)
        self._pictures.invertY(True)
        self._column.addWidget(self._plot)
        self._column.addWidget(self.caption)
        self._column.addWidget(self._pictures)

    def _fit_pictures(self) -> None:
        """As high as the pictures are at full width."""
        if self._pictures is not None:
            width = max(self.width() - 28, 120)
            self._pictures.setFixedHeight(round(min(PICTURES_MOST, max(PICTURES_LEAST, width * self._ratio))))

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_pictures()

    def _draw_histogram(self, preview: WeightPreview) -> None:
        import pyqtgraph

        theme = self._theme
        counts, edges = np.asarray(preview.counts, float), np.asarray(preview.edges, float)
        self._plot.clear()
        bars = pyqtgraph.BarGraphItem(
            x0=edges[:-1], x1=edges[1:], height=counts, pen=None, brush=blend(theme.conv.ink, theme.conv.fill, 0.6)
        )
        self._plot.addItem(bars)
        if edges[0] < 0 < edges[-1]:
            zero = pyqtgraph.InfiniteLine(0, pen=pyqtgraph.mkPen(theme.faint, width=1, style=Qt.PenStyle.DashLine))
            self._plot.addItem(zero)
        axis = self._plot.getAxis("bottom")
        axis.setPen(QColor(theme.border_strong))
        axis.setTextPen(QColor(theme.muted))
        axis.setStyle(tickFont=font(theme, theme.size_tiny), tickLength=4)
        self._plot.setXRange(edges[0], edges[-1], padding=0.01)
        self._plot.setYRange(0, max(counts.max(initial=0.0), 1.0), padding=0.02)
        most = int(counts.max(initial=0))
        self._plot.setToolTip(f"{int(counts.sum()):,} values in {len(counts)} bins; the highest has {most:,}")

    def _draw_pictures(self, preview: WeightPreview, images: Array) -> None:
        import pyqtgraph

        picture = mosaic(images, self._theme)
        self._pictures.clear()
        self._ratio = picture.shape[0] / picture.shape[1]
        self._fit_pictures()
        item = pyqtgraph.ImageItem(picture, axisOrder="row-major")
        self._pictures.addItem(item)
        self._pictures.setRange(xRange=(0, picture.shape[1]), yRange=(0, picture.shape[0]), padding=0.0)
        self.caption.setText(caption_of(preview, images))


def caption_of(preview: WeightPreview, images: Array) -> str:
    """What the pictures are."""
    number, height, width = images.shape[:3]
    if number == 1:
        averaged = " averaged down" if height * width < np.prod(preview.shape) else ""
        return f"All values as a matrix{averaged}, {shape_words((height, width))}"
    total = preview.shape[-1] if preview.shape[-1] >= number else number
    which = f"{number} of {total} filters" if total > number else f"{number} filters"
    if images.ndim == 4:
        return f"{which}, {shape_words((height, width))}, in color"
    strongest = ", each at its strongest channel" if len(preview.shape) == 4 and preview.shape[-1] > 1 else ""
    return f"{which}, {shape_words((height, width))}{strongest}"


def _bare_plot(pyqtgraph: Any, name: str, height: int) -> Any:
    """A plot that only shows: no menu, no mouse, no buttons, no ground of its own."""
    plot = pyqtgraph.PlotWidget(background=None)
    plot.setAccessibleName(name)
    plot.setMouseEnabled(False, False)
    plot.setMenuEnabled(False)
    plot.hideButtons()
    plot.setFixedHeight(height)
    plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    plot.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
    return plot
