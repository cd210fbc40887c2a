"""What layers can be coloured and compared by: a name, a number for each layer, and the number in words."""

from collections.abc import Iterable, Mapping
from math import log10
from typing import Literal

from msgspec import Struct

from core.model.graph import Graph
from core.model.plan import Cost
from gui.models.digest import above, count_words, size_words

Measure = Literal["class", "fate", "frozen", "params", "macs", "activations", "drift"]
STEPS = 7
BYTES = 4
"""Activations are counted in elements; they are held in float32."""


class Words(Struct, frozen=True):
    """How a measure is spoken of: in menus, above a column, and in a sentence below the title of a legend."""

    title: str
    column: str
    meaning: str


MEASURES: dict[Measure, Words] = {
    "class": Words("Class", "", "The family of the layer\u2019s class"),
    "fate": Words("Fate", "", "What happens to the layer\u2019s weights"),
    "frozen": Words("Frozen", "", "Whether training changes the layer"),
    "params": Words("Parameters", "Params", "Number of parameters"),
    "macs": Words("MACs", "MACs", "Multiply-accumulates for one sample"),
    "activations": Words("Activation memory", "Memory", "Memory of the outputs for one sample, in float32"),
    "drift": Words("Drift", "Drift", "Largest relative change of the output, from the last verification"),
}
NUMERIC: tuple[Measure, ...] = ("params", "macs", "activations", "drift")


def layer_values(
    measure: Measure, graph: Graph, costs: Mapping[str, Cost], drift: Iterable[tuple[str, float]] = ()
) -> dict[str, float]:
    """The number of each layer by its path, models around layers included: their sum, of drifts the largest."""
    own: dict[str, float] = {}
    if measure == "drift":
        own = dict(drift)
    elif measure in NUMERIC:
        for path, layer in graph.walk():
            cost = costs.get(path)
            if measure == "params":
                own[path] = cost.params if cost is not None else 0 if layer.inner is not None else layer.num_params()
            elif cost is not None:
                spent = cost.macs if measure == "macs" else cost.activations
                if spent is not None:
                    own[path] = spent * (BYTES if measure == "activations" else 1)
    found: dict[str, float] = {}
    around = above(graph)
    for path, value in own.items():
        at = path
        while at:
            found[at] = together(measure, [found.get(at, 0.0), value])
            at = around.get(at, "")
    return found


def together(measure: Measure, values: Iterable[float]) -> float:
    """The number of several layers as one."""
    return max(values, default=0.0) if measure == "drift" else sum(values)


def value_words(measure: Measure, value: float) -> str:
    """A number as people read it."""
    if measure == "drift":
        return "0" if not value else f"{value:.1e}" if value < 0.01 else f"{value:.3g}"
    return size_words(int(value)) if measure == "activations" else count_words(int(value))


class Scale(Struct, frozen=True):
    """Steps of equal ratio between the smallest and the largest number above zero."""

    low: float
    high: float

    def step(self, value: float) -> int | None:
        """The step of a number, from 0; `None` for nothing."""
        if value <= 0 or self.low <= 0:
            return None
        if self.high <= self.low:
            return STEPS - 1
        share = log10(value / self.low) / log10(self.high / self.low)
        return max(0, min(STEPS - 1, int(share * STEPS)))


def scale_of(values: Iterable[float]) -> Scale:
    """The scale over some numbers."""
    some = [value for value in values if value > 0]
    return Scale(min(some, default=0.0), max(some, default=0.0))
