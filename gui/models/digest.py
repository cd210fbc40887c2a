"""A plan as the views show it: one fate for each layer and group, what is frozen, and numbers in words."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from functools import lru_cache

from msgspec import Struct

from core.analysis.frozen import can_freeze as can_freeze
from core.analysis.frozen import frozen_layers as frozen_layers
from core.findings import Finding, Severity
from core.model.graph import Graph, Layer, Shape
from core.model.plan import Fate, FateName, Plan, file_name
from core.rules.words import rule_words
from gui.widgets.theme import FATE_ORDER, FATE_WORDS


def fate_words(fate: str, files: Iterable[str] = ()) -> str:
    """What a fate means, in words; `files` are those that arrays come from beside the source."""
    names = " and ".join(dict.fromkeys(map(file_name, files)))
    if not names:
        return FATE_WORDS[fate]
    return f"copied unchanged from {names}" if fate == "transferred" else f"{FATE_WORDS[fate]}; arrays of {names}"


def fate_label(fate: str, files: Iterable[str] = ()) -> str:
    """A fate in a word or two, for a chip: `adapted`, `from donor.keras`."""
    names = tuple(dict.fromkeys(map(file_name, files)))
    if fate != "transferred" or not names:
        return "from another file" if fate == "transferred" else fate
    return f"from {names[0]}" if len(names) == 1 else f"from {len(names)} files"


class Badge(Struct, frozen=True):
    """What happens to the weights at or below one path: the fate that stands for all, how many there are of each, the
    rules in use, and the files beside the source that arrays come from.
    """

    fate: FateName
    counts: tuple[tuple[str, int], ...] = ()
    rules: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def words(self) -> str:
        """One line, such as `2 adapted: Sum of the channels (sum), 3 copied`."""
        parts = []
        for fate, number in self.counts:
            rules = f": {', '.join(map(rule_words, self.rules))}" if fate == "adapted" and self.rules else ""
            parts.append(f"{number} {fate_label(fate, self.files)}{rules}")
        return ", ".join(parts)


def layer_of(weight: str, paths: Container[str]) -> str:
    """The layer that a weight such as `backbone/lstm/cell/kernel` belongs to; weights' names hold slashes too."""
    head = weight.rpartition("/")[0]
    while head and head not in paths:
        head = head.rpartition("/")[0]
    return head


def above(graph: Graph) -> dict[str, str]:
    """Every path of a graph with that of the model around it, `""` at the top. A layer's name may hold slashes."""
    return {path: path[: -len(layer.name) - 1] for path, layer in graph.walk()}


def badges(owned: Iterable[tuple[str, Fate]], around: Mapping[str, str]) -> dict[str, Badge]:
    """The badge of every layer that has weights, and of every group above one.

    `owned` are fates with the paths of their layers, `around` is what `above` says.
    """
    counts: dict[str, dict[FateName, int]] = {}
    rules: dict[str, dict[str, None]] = {}
    files: dict[str, dict[str, None]] = {}
    for at, fate in owned:
        while at:
            counter = counts.get(at)
            if counter is None:
                counter = counts[at] = {}
            counter[fate.fate] = counter.get(fate.fate, 0) + 1
            if fate.rule and fate.fate == "adapted":
                rules.setdefault(at, {})[fate.rule] = None
            if fate.file:
                files.setdefault(at, {})[fate.file] = None
            at = around.get(at, "")
    return {
        path: _badge(tuple(counter.items()), tuple(rules.get(path, ())), tuple(files.get(path, ())))
        for path, counter in counts.items()
    }


@lru_cache(4096)
def _badge(counts: tuple[tuple[FateName, int], ...], rules: tuple[str, ...], files: tuple[str, ...]) -> Badge:
    counter = dict(counts)
    ordered = tuple((fate, counter[fate]) for fate in FATE_ORDER if fate in counter)
    return Badge(ordered[0][0], ordered, rules, files)


def fate_totals(plan: Plan) -> dict[str, int]:
    """How many weights meet each fate, in the order of urgency."""
    counter: Counter[str] = Counter(fate.fate for fate in plan.fates)
    counter["merged"] += len(dict(plan.merged))
    counter["dropped"] += len(plan.dropped)
    return {fate: counter[fate] for fate in FATE_ORDER if counter[fate]}


def gone_fates(plan: Plan) -> dict[str, FateName]:
    """By path in the source, what became of arrays that are no weights now: `dropped`, or `merged` if all went on."""
    found: dict[str, FateName] = {}
    gone: list[tuple[str, FateName]] = [(name, "dropped") for name in plan.dropped]
    for name, fate in [*gone, *((name, "merged") for name, _ in plan.merged)]:
        at = name.rpartition("/")[0]
        while at and at not in found:
            found[at] = fate
            at = at.rpartition("/")[0]
    return found


def output_shape(layer: Layer) -> Shape | None:
    """The shape of a layer's first output at its last call, if anybody knows it."""
    for call in reversed(layer.calls):
        if call.outputs:
            return call.outputs[0].shape
    return None


def count_words(number: int | None) -> str:
    """A count as people read it: `812`, `23.6K`, `25.6M`, `4.1G`, or a dash when unknown."""
    if number is None:
        return "\u2013"
    for unit, size in (("G", 10**9), ("M", 10**6), ("K", 10**3)):
        if abs(number) >= size:
            scaled = number / size
            return f"{scaled:.0f}{unit}" if scaled >= 100 else f"{scaled:.1f}{unit}"
    return str(number)


def size_words(size: int) -> str:
    """A file size: `3.4 MB`."""
    value = float(size)
    for unit in ("B", "KB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def worst_findings(findings: Iterable[Finding], around: Mapping[str, str]) -> dict[str, Severity]:
    """The gravest severity at each layer that has a finding, and at each group above it; `around` as `above` says."""
    rank = {"error": 0, "warning": 1, "info": 2}
    worst: dict[str, Severity] = {}
    for finding in findings:
        at = finding.layer
        while at:
            if at not in worst or rank[finding.severity] < rank[worst[at]]:
                worst[at] = finding.severity
            at = around[at] if at in around else layer_of(at, around)
    return worst
