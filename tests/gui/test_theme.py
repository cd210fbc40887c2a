"""Colours that can be read, and the family that a layer's colour comes from."""

import gc

import pytest
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from typing_extensions import override

from gui.app import Painter
from gui.widgets import theme as themes


@pytest.mark.parametrize("theme", [themes.LIGHT, themes.DARK], ids=["light", "dark"])
def test_that_every_text_stands_out_from_its_ground(theme: themes.Theme) -> None:
    """WCAG 2.1, relative luminance and contrast ratio; 4.5 is its level AA for text."""

    def luminance(colour: str) -> float:
        channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: str, other: str) -> float:
        light, dark = sorted((luminance(one), luminance(other)), reverse=True)
        return (light + 0.05) / (dark + 0.05)

    pairs = {
        "text": (theme.text, theme.panel),
        "muted": (theme.muted, theme.panel),
        "muted on window": (theme.muted, theme.window),
        "button": (theme.on_accent, theme.accent),
        "selection": (theme.selection_text, theme.selection),
    }
    for name in themes.FATE_LETTERS:
        pairs[name] = (theme.fate(name).ink, theme.fate(name).fill)
    for name in ("error", "warning", "info", "success"):
        pairs[f"{name} banner"] = (theme.text, theme.severity(name).fill)
        pairs[name] = (theme.severity(name).ink, theme.panel)
    weak = {name: round(contrast(*pair), 2) for name, pair in pairs.items() if contrast(*pair) < 4.5}
    assert weak == {}


@pytest.mark.parametrize(
    ("class_name", "family"),
    [
        ("DepthwiseConv2D", "conv"),
        ("Dense", "dense"),
        ("BatchNormalization", "norm"),
        ("MaxPooling2D", "pool"),
        ("Concatenate", "merge"),
        ("MultiHeadAttention", "attention"),
        ("ZeroPadding2D", "shape"),
        ("LSTM", "recurrent"),
        ("InputLayer", "port"),
        ("Magic", "other"),
    ],
)
def test_that_layers_belong_to_families(class_name: str, family: str) -> None:
    assert themes.family(class_name) == family


class Listening(QWidget):
    """Notes whether garbage may be collected while it is told of a change of style."""

    def __init__(self) -> None:
        super().__init__()
        self.collecting: list[bool] = []

    @override
    def changeEvent(self, event: QEvent) -> None:
        self.collecting.append(gc.isenabled())
        super().changeEvent(event)


def test_that_no_widget_is_collected_while_qt_goes_through_all_of_them(qtbot: QtBot, painter: Painter) -> None:
    widget = Listening()
    qtbot.addWidget(widget)
    widget.show()
    widget.collecting.clear()
    before = painter.look.theme
    painter.use(themes.LIGHT if before is themes.DARK else themes.DARK)
    assert widget.collecting
    assert not any(widget.collecting)
    assert gc.isenabled()
    painter.use(before)
