"""Finding layers: a graph, what is planned for it and a query make the paths of the layers that are meant.

A query is words that must all be true of a layer, each of them one of these:

| word | is true of |
|---|---|
| `conv` | layers whose path or class contains it, in any case |
| `block2_*` | layers whose path, name or class fits the glob |
| `3x3x3x64`, `224x224` | layers with a weight or an output of a shape that begins so; `?` is any size |
| `frozen`, `trained` | layers with weights that training leaves alone, or changes |
| `copied`, `adapted`, `initialized`, `mismatch`, `merged`, `dropped` | layers with a weight of that fate |
| `"frozen"` | as the first, whatever is between the quotes |
| `/conv[0-9]+$/` | layers whose path or class the regular expression fits somewhere; it may hold spaces |
| `!word` | layers of which the word is not true |
"""

import re
from collections.abc import Callable, Container
from fnmatch import translate
from functools import cached_property
from typing import Literal

from msgspec import Struct

from core.analysis.frozen import can_freeze, frozen_layers
from core.caches import IdentityCache
from core.model.graph import Graph
from core.model.plan import Fate, Plan
from core.phrases import TIMES

Sizes = tuple[int | None, ...]
Kind = Literal["text", "glob", "shape", "state", "regex"]
STATES = {
    "frozen": "frozen",
    "trained": "trained",
    "trainable": "trained",
    "copied": "copied",
    "transferred": "transferred",
    "adapted": "adapted",
    "initialized": "initialized",
    "initialised": "initialized",
    "mismatch": "mismatched",
    "mismatched": "mismatched",
    "merged": "merged",
    "dropped": "dropped",
}
"""Words for what happens to a layer."""
_WORDS = re.compile(r'!?/(?:[^/\\]|\\.)+/(?=\s|$)|!?"[^"]*"|\S+')
_BETWEEN = re.compile(f"[x{TIMES},]")
_SHAPE = re.compile(rf"[(\[]?([\d?*]+(?:{_BETWEEN.pattern}[\d?*]+)+)[)\]]?")


class Word(Struct, frozen=True):
    """One word of a query."""

    kind: Kind
    text: str
    out: bool = False


class Query(Struct, frozen=True):
    """What is looked for. `problem` says why there is nothing that could be found, as one sentence."""

    words: tuple[Word, ...] = ()
    problem: str = ""


class Found(Struct, frozen=True):
    """The layers that a query means, in the order of the graph."""

    paths: tuple[str, ...] = ()
    problem: str = ""


def parse(text: str) -> Query:
    """The words of a query."""
    text = text.strip()
    if len(text) > 2 and text.startswith("/") and text.endswith("/"):
        words = [Word("regex", text[1:-1])]
    else:
        words = [_word(found.group()) for found in _WORDS.finditer(text)]
    for word in words:
        if word.kind == "regex":
            try:
                re.compile(word.text)
            except (re.error, OverflowError, RecursionError) as error:
                return Query((), f"The regular expression is not complete: {error}.")
    return Query(tuple(words))


def _word(text: str) -> Word:
    out = text.startswith("!") and len(text) > 1
    text = text[1:] if out else text
    if len(text) > 2 and text.startswith("/") and text.endswith("/"):
        return Word("regex", text[1:-1], out)
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        return Word("text", text[1:-1].lower(), out)
    if text.lower() in STATES:
        return Word("state", STATES[text.lower()], out)
    if _SHAPE.fullmatch(text.lower()):
        return Word("shape", text.lower(), out)
    if "*" in text or "?" in text:
        return Word("glob", text.lower(), out)
    return Word("text", text.lower(), out)


class Index:
    """What is looked through, made once for a graph and a plan; each part when it is first asked for."""

    def __init__(self, graph: Graph, plan: Plan | None, before: bool = False) -> None:
        self.graph, self.plan, self.before = graph, plan, before
        layers = graph.by_path()
        self.paths = tuple(layers)
        self.layers = tuple(layers.values())
        self.lower = [path.lower() for path in self.paths]
        self.classes = [layer.class_name.lower() for layer in self.layers]

    @cached_property
    def shapes(self) -> dict[Sizes, list[int]]:
        """The places that have each shape: of a weight in the source or as planned, of an output without and with
        batch. A model has few shapes, so a query looks at few.
        """
        found: dict[Sizes, list[int]] = {}
        places = {path: place for place, path in enumerate(self.paths)}
        for path, fate in self._fates:
            found.setdefault(fate.shape, []).append(places[path])
        for place, layer in enumerate(self.layers):
            for weight in layer.weights:
                if not weight.state:
                    found.setdefault(weight.shape, []).append(place)
            for call in layer.calls:
                for spec in call.outputs or ():
                    if spec.shape is not None:
                        found.setdefault(spec.shape, []).append(place)
        for shape in [shape for shape in found if None in shape[:1]]:
            found.setdefault(shape[1:], []).extend(found[shape])
        return found

    @cached_property
    def _fates(self) -> list[tuple[str, Fate]]:
        """What happens to each weight of the planned graph, with the path of its layer in this one."""
        if self.plan is None:
            return []
        if self.before:
            named = [(fate.source, fate) for fate in self.plan.fates if fate.source is not None]
        else:
            named = [(fate.weight, fate) for fate in self.plan.fates]
        layers = self.graph.by_path()
        return [(at, fate) for weight, fate in named if (at := _owner(weight, layers))]

    @cached_property
    def states(self) -> dict[str, frozenset[str]]:
        """The paths of each state."""
        found: dict[str, set[str]] = {state: set() for state in STATES.values()}
        frozen = frozen_layers(self.graph)
        for path, layer in zip(self.paths, self.layers, strict=True):
            if layer.inner is None and can_freeze(layer):
                found["frozen" if path in frozen else "trained"].add(path)
        for path, fate in self._fates:
            found[fate.fate].add(path)
        if self.plan is not None:
            now = self._now
            for state, weights in (("dropped", self.plan.dropped), ("merged", [old for old, _ in self.plan.merged])):
                found[state].update(now[at] for weight in weights if (at := _owner(weight, now)))
        return {state: frozenset(paths) for state, paths in found.items()}

    @cached_property
    def _now(self) -> dict[str, str]:
        """The path of each layer that came from the source, by its path there."""
        found: dict[str, str] = {}

        def level(graph: Graph, prefix: str, before: str) -> None:
            for layer in graph.layers:
                path = prefix + layer.name
                origin = before + (layer.origin if layer.origin is not None else layer.name)
                found.setdefault(origin, path)
                if layer.inner is not None:
                    level(layer.inner, path + "/", origin + "/")

        level(self.graph, "", "")
        return found


def _owner(weight: str, layers: Container[str]) -> str:
    """The layer that a weight such as `lstm/cell/kernel` belongs to, `""` if it is not among these."""
    at = weight.rpartition("/")[0]
    while at and at not in layers:
        at = at.rpartition("/")[0]
    return at


_INDEXES: IdentityCache[Index] = IdentityCache(3)


def index_of(graph: Graph, plan: Plan | None, *, before: bool = False) -> Index:
    """The index of a graph and a plan: the same one for whoever asks again."""
    return _INDEXES.get((graph, plan), lambda: Index(graph, plan, before), before)


def find(graph: Graph, plan: Plan | None, query: str | Query, *, before: bool = False) -> Found:
    """The layers of a graph that a query means; none for a query without words.

    `plan` knows the fates. The graph is the planned one, one that shows both, or what there was `before` the plan.
    Linear in the number of layers; what is looked through is made at the first query of a graph and a plan.
    """
    asked = parse(query) if isinstance(query, str) else query
    if asked.problem or not asked.words:
        return Found((), asked.problem)
    index = index_of(graph, plan, before=before)
    places: list[int] | range = range(len(index.paths))
    for word in asked.words:
        test = _test(index, word)
        places = [place for place in places if test(place) is not word.out]
    return Found(tuple([index.paths[place] for place in places]))


def _test(index: Index, word: Word) -> Callable[[int], bool]:
    """Whether a word is true of the layer at a place of the index."""
    lower, classes, paths = index.lower, index.classes, index.paths
    text = word.text
    if word.kind == "text":
        return lambda place: text in lower[place] or text in classes[place]
    if word.kind == "state":
        state = index.states[text]
        return lambda place: paths[place] in state
    if word.kind == "regex":
        search = re.compile(text).search
        names = index.layers
        return lambda place: bool(search(paths[place]) or search(names[place].class_name))
    if word.kind == "glob":
        fits = re.compile(translate(text)).match
        return lambda place: bool(fits(lower[place]) or fits(index.layers[place].name.lower()) or fits(classes[place]))
    wanted = [None if set(size) & {"?", "*"} else int(size) for size in _BETWEEN.split(text.strip("()[]"))]
    count = len(wanted)
    having = {
        place
        for shape, places in index.shapes.items()
        if len(shape) >= count and all(size is None or size == own for size, own in zip(wanted, shape, strict=False))
        for place in places
    }
    return lambda place: place in having or text in lower[place]
