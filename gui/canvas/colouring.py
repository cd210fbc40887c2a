"""What the colours of cards mean: the class of a layer, what happens to it, or how much it costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gui.canvas.badges import Marks
from gui.canvas.flow import Node
from gui.canvas.look import Look, Paint
from gui.models.digest import fate_label
from gui.models.measures import MEASURES, NUMERIC, STEPS, Measure, Scale, scale_of, together, value_words
from gui.widgets.theme import FATE_ORDER

FATE_NAMES = {
    "copied": "Copied",
    "adapted": "Adapted",
    "initialized": "Initialized",
    "mismatched": "Does not fit yet",
    "merged": "Merged",
    "dropped": "Dropped",
}
FAMILY_NAMES = {
    "conv": "Convolution",
    "dense": "Dense, embedding",
    "norm": "Normalization",
    "activation": "Activation, dropout",
    "pool": "Pooling",
    "merge": "Merging",
    "shape": "Shape",
    "recurrent": "Recurrent",
    "attention": "Attention",
    "port": "Input",
    "model": "Model, block",
    "opaque": "Unknown code",
    "other": "Other",
}


@dataclass(frozen=True)
class Colouring:
    """What is coloured by, and for numbers the number of each layer by its path in the drawn graph."""

    by: Measure = "class"
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Swatch:
    """One colour of a legend and what it stands for."""

    paint: Paint
    text: str


class Painted:
    """The paints of all cards under a colouring, and the legend that explains them."""

    def __init__(
        self, colouring: Colouring, look: Look, nodes: Sequence[Node], paths: Mapping[str, str],
        badges: Mapping[str, Marks],
    ) -> None:  # fmt: skip
        self.by = colouring.by
        self._look = look
        self.paints: dict[str, Paint] = {}
        self.numbers: dict[str, float] = {}
        self.scale = Scale(0.0, 0.0)
        self.swatches: list[Swatch] = []
        if self.by in NUMERIC:
            self._by_number(colouring, nodes, paths)
        elif self.by == "fate":
            self._by_fate(nodes, badges)
        elif self.by == "frozen":
            self._by_frozen(nodes, badges)
        else:
            shown = {node.family for node in nodes if node.inner is None}
            self.swatches = [Swatch(look.families[one], text) for one, text in FAMILY_NAMES.items() if one in shown]

    @property
    def title(self) -> str:
        """What the colours show."""
        return MEASURES[self.by].title

    @property
    def meaning(self) -> str:
        """The same in a sentence."""
        meaning = MEASURES[self.by].meaning
        if self.by not in NUMERIC or self.scale.high > 0:
            return meaning
        if self.by == "drift":
            return f"{meaning}. Nothing is known yet: verify an exported file, or nothing drifts"
        return f"{meaning}. Unknown while the input has no fixed size" if self.by != "params" else meaning

    def words(self, node: Node) -> str:
        """What a card's colour says, `""` if nothing beside its class."""
        if node.key not in self.numbers:
            return ""
        return value_words(self.by, self.numbers[node.key])

    def _by_number(self, colouring: Colouring, nodes: Sequence[Node], paths: Mapping[str, str]) -> None:
        values, by = colouring.values, self.by
        for node in nodes:
            if node.outside:
                continue
            if node.group is not None:
                known = [values[path] for path in node.holds if path in values]
                if known:
                    self.numbers[node.key] = together(by, known)
            elif paths[node.key] in values:
                self.numbers[node.key] = values[paths[node.key]]
        self.scale = scale_of(
            self.numbers[node.key] for node in nodes if node.inner is None and node.key in self.numbers
        )
        ramp, neutral = self._look.ramp, self._look.neutral
        for node in nodes:
            step = self.scale.step(self.numbers.get(node.key, 0.0))
            self.paints[node.key] = neutral if step is None else ramp[step]
        low, high = self.scale.low, self.scale.high
        if high > 0:
            ratio = high / low
            bounds = [low * ratio ** (step / STEPS) for step in range(STEPS + 1)] if ratio > 1 else [low, high]
            for step in range(STEPS) if ratio > 1 else (STEPS - 1,):
                text = (
                    f"{value_words(by, bounds[step])} \u2013 {value_words(by, bounds[step + 1])}" if ratio > 1 else ""
                )
                self.swatches.append(Swatch(ramp[step], text or value_words(by, high)))
        self.swatches.append(Swatch(neutral, "None, or not known"))

    def _by_fate(self, nodes: Sequence[Node], badges: Mapping[str, Marks]) -> None:
        look = self._look
        seen: set[str] = set()
        files: dict[str, None] = {}
        for node in nodes:
            fate = badges[node.key].fate
            files |= dict.fromkeys(badges[node.key].files)
            self.paints[node.key] = look.neutral if fate is None else look.fates[fate]
            seen.add(fate or "")
        origin = fate_label("transferred", files)
        names = {**FATE_NAMES, "transferred": origin[:1].upper() + origin[1:]}
        self.swatches = [Swatch(look.fates[fate], names.get(fate, fate)) for fate in FATE_ORDER if fate in seen]
        self.swatches.append(Swatch(look.neutral, "No weights"))

    def _by_frozen(self, nodes: Sequence[Node], badges: Mapping[str, Marks]) -> None:
        look = self._look
        for node in nodes:
            mark = badges[node.key]
            has = mark.fate is not None or mark.frozen or bool(node.layer.weights)
            self.paints[node.key] = look.held if mark.frozen else look.trained if has else look.neutral
        self.swatches = [
            Swatch(look.held, "Frozen"),
            Swatch(look.trained, "Trained"),
            Swatch(look.neutral, "No weights"),
        ]
