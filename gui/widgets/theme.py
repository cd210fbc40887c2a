"""Every colour, font and distance of the window, as one frozen record per theme.

Nothing else in `gui` names a colour. Widgets are styled by `stylesheet`, painted items read the record itself.
Sizes are logical pixels.
"""

from functools import cache
from pathlib import Path
from string import Template
from typing import Literal

from msgspec import Struct
from msgspec.structs import asdict
from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QGuiApplication, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer

THEMES = Path(__file__).resolve().parents[2] / "resources" / "themes"

Choice = Literal["auto", "light", "dark"]

SANS = ("Inter", "Segoe UI Variable Text", "Segoe UI", "SF Pro Text", "Helvetica Neue", "Noto Sans",
        "DejaVu Sans Condensed", "DejaVu Sans")  # fmt: skip
MONO = ("JetBrains Mono", "SF Mono", "Cascadia Mono", "Consolas", "Menlo", "Noto Sans Mono", "DejaVu Sans Mono")


class Tone(Struct, frozen=True):
    """A colour in two strengths: `ink` for text, lines and icons, `fill` for the area behind them."""

    ink: str
    fill: str


class Theme(Struct, frozen=True):
    """Named roles. Colours are `#rrggbb`; `Tone` roles come as ink and fill."""

    name: Literal["light", "dark"]

    # surfaces, from the back to the front
    window: str
    canvas: str
    panel: str
    raised: str
    hover: str
    pressed: str
    field: str
    border: str
    border_strong: str
    shadow: str
    veil: str

    # text
    text: str
    muted: str
    faint: str

    # the one accent
    accent: str
    accent_hover: str
    accent_pressed: str
    on_accent: str
    selection: str
    selection_text: str
    focus: str

    # graph
    edge: str
    edge_active: str
    grid: str

    # what happens to a weight
    copied: Tone
    transferred: Tone
    adapted: Tone
    initialized: Tone
    mismatched: Tone
    merged: Tone
    dropped: Tone
    frozen: Tone

    # findings
    error: Tone
    warning: Tone
    info: Tone
    success: Tone

    # families of layers
    conv: Tone
    dense: Tone
    norm: Tone
    activation: Tone
    pool: Tone
    merge: Tone
    shape: Tone
    recurrent: Tone
    attention: Tone
    port: Tone
    model: Tone
    opaque: Tone
    other: Tone

    # type
    sans: tuple[str, ...] = SANS
    mono: tuple[str, ...] = MONO
    size_tiny: int = 10
    size_small: int = 11
    size_body: int = 12
    size_title: int = 15
    size_hero: int = 24

    # shape
    radius_s: int = 4
    radius: int = 6
    radius_l: int = 10

    @property
    def is_dark(self) -> bool:
        """Whether light text stands on a dark ground."""
        return self.name == "dark"

    def fate(self, name: str) -> Tone:
        """The tone of a fate, or of `frozen`; anything else is drawn as copied."""
        tone = getattr(self, name, None) if name in FATE_LETTERS else None
        return tone if isinstance(tone, Tone) else self.copied

    def severity(self, name: str) -> Tone:
        """The tone of a finding's severity."""
        return {"error": self.error, "warning": self.warning, "success": self.success}.get(name, self.info)

    def family(self, class_name: str, *, nested: bool = False, opaque: bool = False) -> Tone:
        """The tone of a layer's family, by its class."""
        tone = getattr(self, family(class_name, nested=nested, opaque=opaque))
        assert isinstance(tone, Tone)
        return tone


FATE_LETTERS = {
    "copied": "C",
    "transferred": "T",
    "adapted": "A",
    "initialized": "I",
    "mismatched": "M",
    "merged": "G",
    "dropped": "D",
    "frozen": "F",
}
"""Beside every fate colour stands its letter: colour is never the only sign."""

FATE_WORDS = {
    "copied": "copied unchanged from the source",
    "transferred": "copied unchanged from another file",
    "adapted": "adapted from the source by a rule",
    "initialized": "newly initialized",
    "mismatched": "does not fit yet",
    "merged": "merged into a weight together with another array",
    "dropped": "dropped",
    "frozen": "frozen, not changed by training",
}

FATE_ORDER = ("mismatched", "initialized", "adapted", "dropped", "merged", "transferred", "copied")
"""Which fate a layer or group shows when its weights differ: the first of these that occurs."""

SEVERITY_ICONS = {"error": "error", "warning": "warning", "info": "info", "success": "check"}

_FAMILY_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("port", ("inputlayer",)),
    ("attention", ("attention", "transformer")),
    ("recurrent", ("lstm", "gru", "rnn", "bidirectional", "timedistributed")),
    ("conv", ("conv",)),
    ("norm", ("normalization", "rescaling")),
    ("pool", ("pool",)),
    # before merge: "zeropadding" contains "add"
    ("shape", ("reshape", "flatten", "permute", "padding", "cropping", "upsampling", "resizing", "repeatvector",
               "transpose", "expanddims", "squeeze", "stack", "split", "getitem", "pad", "tile", "slice")),
    ("merge", ("add", "concatenate", "multiply", "subtract", "average", "maximum", "minimum", "merge", "dot")),
    ("dense", ("dense", "embedding", "einsum", "matmul")),
    ("activation", ("activation", "relu", "softmax", "sigmoid", "tanh", "dropout", "gelu", "swish", "silu", "elu",
                    "noise", "masking")),
)  # fmt: skip


@cache
def family(class_name: str, *, nested: bool = False, opaque: bool = False) -> str:
    """The name of the layer family that a class belongs to (`conv`, `dense`, ...); also a role of `Theme`."""
    if opaque:
        return "opaque"
    lowered = class_name.lower()
    if nested and not any(word in lowered for word in ("bidirectional", "timedistributed")):
        return "model"
    for name, words in _FAMILY_WORDS:
        if any(word in lowered for word in words):
            return name
    return "other"


LIGHT = Theme(
    name="light",
    window="#eef0f4",
    canvas="#f7f8fa",
    panel="#ffffff",
    raised="#ffffff",
    hover="#f1f3f8",
    pressed="#e6e9f1",
    field="#ffffff",
    border="#e0e4ec",
    border_strong="#c6cddb",
    shadow="#1b233014",
    veil="#3d1b2330",
    text="#1a2233",
    muted="#5d6880",
    faint="#8f99ad",
    accent="#3d4fd1",
    accent_hover="#3344c0",
    accent_pressed="#2a39a8",
    on_accent="#ffffff",
    selection="#e3e7fd",
    selection_text="#1d2a86",
    focus="#8492f0",
    edge="#b9c1d0",
    edge_active="#3d4fd1",
    grid="#e9ecf2",
    copied=Tone("#256b4d", "#e2f3ea"),
    transferred=Tone("#a02c6d", "#fbe5f0"),
    adapted=Tone("#1b66ac", "#e0effb"),
    initialized=Tone("#7a4fc4", "#eee7fb"),
    mismatched=Tone("#c0303c", "#fde6e7"),
    merged=Tone("#0f6a66", "#dbf2ef"),
    dropped=Tone("#5d6679", "#eceef3"),
    frozen=Tone("#176c7e", "#def2f6"),
    error=Tone("#c0303c", "#fdeaeb"),
    warning=Tone("#99650a", "#fdf2d9"),
    info=Tone("#3a5ea8", "#e8eefb"),
    success=Tone("#2f7d5b", "#e2f3ea"),
    conv=Tone("#2f5fc4", "#e4ecfc"),
    dense=Tone("#7a4fc4", "#efe9fb"),
    norm=Tone("#2b8068", "#e1f3ed"),
    activation=Tone("#b0563a", "#fbebe5"),
    pool=Tone("#1f7f96", "#dff2f6"),
    merge=Tone("#8a6a12", "#f9f0d6"),
    shape=Tone("#6a6f86", "#eceef4"),
    recurrent=Tone("#b03a86", "#fbe6f3"),
    attention=Tone("#9c3fa8", "#f7e7f9"),
    port=Tone("#28334c", "#dfe4ee"),
    model=Tone("#3d4fd1", "#eceefd"),
    opaque=Tone("#565c6b", "#e4e6ec"),
    other=Tone("#5d6880", "#eff1f5"),
)

DARK = Theme(
    name="dark",
    window="#12151c",
    canvas="#151922",
    panel="#1a1f2a",
    raised="#222835",
    hover="#252c3a",
    pressed="#2d3546",
    field="#141822",
    border="#2a3140",
    border_strong="#3d4659",
    shadow="#00000066",
    veil="#8c080a0e",
    text="#e6eaf2",
    muted="#98a3b8",
    faint="#6c778d",
    accent="#8592f7",
    accent_hover="#99a4fa",
    accent_pressed="#7280ea",
    on_accent="#0f1430",
    selection="#2b3362",
    selection_text="#e3e7ff",
    focus="#6b79e6",
    edge="#465066",
    edge_active="#8592f7",
    grid="#1c212c",
    copied=Tone("#6fcf9f", "#1b3a2e"),
    transferred=Tone("#f291c1", "#45203a"),
    adapted=Tone("#6db6f5", "#18344f"),
    initialized=Tone("#b898f5", "#33285a"),
    mismatched=Tone("#ff8a8f", "#4c2229"),
    merged=Tone("#66d0c6", "#15383a"),
    dropped=Tone("#9aa4b8", "#2b313e"),
    frozen=Tone("#6fd0e2", "#17393f"),
    error=Tone("#ff8a8f", "#42212a"),
    warning=Tone("#eec06a", "#3d301a"),
    info=Tone("#8fb3f5", "#1f2c48"),
    success=Tone("#6fcf9f", "#1b3a2e"),
    conv=Tone("#83abfa", "#1d2c4d"),
    dense=Tone("#b898f5", "#2e264c"),
    norm=Tone("#6cccae", "#193630"),
    activation=Tone("#f0a080", "#40291f"),
    pool=Tone("#6cc8dc", "#17363f"),
    merge=Tone("#dcbc62", "#383018"),
    shape=Tone("#a3abbf", "#2a303d"),
    recurrent=Tone("#f08cc8", "#42213a"),
    attention=Tone("#dd93e8", "#3a2340"),
    port=Tone("#c9d2e6", "#2e3648"),
    model=Tone("#98a3fa", "#242a4c"),
    opaque=Tone("#a0a7b6", "#313743"),
    other=Tone("#98a3b8", "#272d3a"),
)


def resolve(choice: Choice, scheme: Qt.ColorScheme | None = None) -> Theme:
    """The theme for a preference; `auto` follows `scheme`, by default the desktop's."""
    if choice == "auto":
        if scheme is None:
            scheme = QGuiApplication.styleHints().colorScheme()
        return DARK if scheme == Qt.ColorScheme.Dark else LIGHT
    return DARK if choice == "dark" else LIGHT


def font(theme: Theme, size: int | None = None, *, mono: bool = False, bold: bool = False) -> QFont:
    """A font of the theme at `size` logical pixels (default: body)."""
    made = QFont()
    made.setFamilies(list(theme.mono if mono else theme.sans))
    made.setPixelSize(size or theme.size_body)
    made.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    if mono:
        made.setStyleHint(QFont.StyleHint.Monospace)
    return made


def palette(theme: Theme) -> QPalette:
    """The palette for what the style sheet does not reach."""
    made = QPalette()
    roles = {
        QPalette.ColorRole.Window: theme.window,
        QPalette.ColorRole.WindowText: theme.text,
        QPalette.ColorRole.Base: theme.panel,
        QPalette.ColorRole.AlternateBase: theme.hover,
        QPalette.ColorRole.Text: theme.text,
        QPalette.ColorRole.Button: theme.raised,
        QPalette.ColorRole.ButtonText: theme.text,
        QPalette.ColorRole.BrightText: theme.on_accent,
        QPalette.ColorRole.Highlight: theme.selection,
        QPalette.ColorRole.HighlightedText: theme.selection_text,
        QPalette.ColorRole.ToolTipBase: theme.raised,
        QPalette.ColorRole.ToolTipText: theme.text,
        QPalette.ColorRole.PlaceholderText: theme.faint,
        QPalette.ColorRole.Link: theme.accent,
        QPalette.ColorRole.Accent: theme.accent,
        QPalette.ColorRole.Light: theme.hover,
        QPalette.ColorRole.Mid: theme.border,
        QPalette.ColorRole.Dark: theme.border_strong,
    }
    for role, colour in roles.items():
        made.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, role, QColor(theme.faint))
    return made


@cache
def stylesheet(theme: Theme) -> str:
    """The application's style sheet: `resources/themes/suture.qss` with the record's roles filled in.

    `$border` is a colour, `$copied_ink` and `$copied_fill` a tone, `$sans` a list of families, sizes are numbers.
    """
    roles: dict[str, object] = {}
    for key, value in asdict(theme).items():
        if isinstance(value, Tone):
            roles[f"{key}_ink"], roles[f"{key}_fill"] = value.ink, value.fill
        elif isinstance(value, tuple):
            roles[key] = ", ".join(f'"{family_name}"' for family_name in value)
        else:
            roles[key] = value
    roles["icons"] = (THEMES / "icons").as_posix()
    return Template((THEMES / "suture.qss").read_text(encoding="utf-8")).substitute(roles)


@cache
def _svg(name: str) -> str:
    return (THEMES / "icons" / f"{name}.svg").read_text(encoding="utf-8")


def pixmap(name: str, colour: str, size: int = 16, ratio: float = 1.0) -> QPixmap:
    """A line icon of `resources/themes/icons` in one colour; the files draw with `currentColor`."""
    made = QPixmap(QSize(round(size * ratio), round(size * ratio)))
    made.setDevicePixelRatio(ratio)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    svg = _svg(name).replace("currentColor", colour)
    QSvgRenderer(QByteArray(svg.encode())).render(painter, QRectF(0, 0, size, size))
    painter.end()
    return made


@cache
def icon(name: str, theme: Theme, role: str = "text") -> QIcon:
    """A line icon in one of the theme's colours, with its disabled form; crisp up to three device pixels a pixel."""
    colour = getattr(theme, role)
    if isinstance(colour, Tone):
        colour = colour.ink
    made = QIcon()
    for ratio in (1.0, 2.0, 3.0):
        made.addPixmap(pixmap(name, colour, 16, ratio))
        made.addPixmap(pixmap(name, theme.faint, 16, ratio), QIcon.Mode.Disabled)
    return made
