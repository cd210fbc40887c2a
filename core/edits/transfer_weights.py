"""Weights out of another file, onto layers of this model, by name, order, shape or pairs set by hand."""

from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from core.edits.base import Edit
from core.errors import EditError
from core.findings import Finding
from core.graph import Graph, Layer, StoreKey, Weight
from core.readers.source import Source

_FEWEST = 2
"""Layers of the smallest file that is looked for as a whole: one name alone may be anybody's."""
Signature = tuple[tuple[str, tuple[int, ...]], ...]


class Pairing(Struct, frozen=True):
    """Which layer of the other file goes where (`pairs`: ours, theirs), and what is left over on both sides."""

    pairs: tuple[tuple[str, str], ...]
    ours: tuple[str, ...]
    theirs: tuple[str, ...]


class TransferWeights(Edit, frozen=True, kw_only=True, tag="transfer_weights"):
    """`match` says how layers of `file` are found: same path or name, same order, same shapes; `pairs` (ours, theirs)
    are set by hand and come first. A shape that differs asks for a rule.
    """

    file: str
    match: Literal["name", "order", "shape", "pairs"] = "name"
    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The further files this edit reads; the planner opens them and passes them to `apply`."""
        return (self.file,)

    def check(self) -> None:
        """`pairs` needs pairs."""
        if not self.file:
            raise EditError("file is empty; name the file whose weights should be taken.")
        if self.match == "pairs" and not self.pairs:
            raise EditError('pairs is empty; give pairs such as [["conv1", "stem/conv"]] (this model, the file).')

    def apply(self, graph: Graph, sources: Mapping[str, Source] | None = None) -> Graph:
        """The graph whose weights come out of the file where they were paired.

        `sources` are the recipe's further files by the path it names them with; their order numbers them (the first
        is `StoreKey.file` 1).
        """
        self.check()
        if not sources or self.file not in sources:
            raise EditError(f"The file {self.file!r} was not opened.")
        number = list(sources).index(self.file) + 1
        other = sources[self.file].graph
        found = pairing(graph, other, self.match, self.pairs)
        if not found.pairs and self.match == "order" and _nameless(other):
            raise EditError(
                f"{self.file!r} is a file of weights that keeps no order of layers; match by name or by shape."
            )
        if not found.pairs:
            raise EditError(f"Nothing in {self.file!r} could be matched by {self.match}; set pairs by hand.")
        for mine, theirs in found.pairs:
            layer = taken(graph.find(mine), other.find(theirs), number)
            graph = graph.with_layer(mine, layer)
        return graph

    def findings(self, before: Graph, after: Graph) -> tuple[Finding, ...]:
        """Layers that got nothing."""
        old = dict(before.walk())
        left = [path for path, layer in after.walk() if layer.weights and layer.weights == old[path].weights]
        if not left:
            return ()
        text = f"{len(left)} layers found no match in {self.file!r} and keep their weights (first: {left[0]})."
        return (Finding("warning", "weight.unmatched", left[0], text, detail="\n".join(left)),)

    def summary(self) -> str:
        """For the recipe list."""
        return f"Weights from {self.file} by {self.match}"


def pairing(graph: Graph, other: Graph, match: str, by_hand: tuple[tuple[str, str], ...] = ()) -> Pairing:
    """Pairs of layer paths, ours first. Raises `EditError` for a pair that names nothing."""
    mine, theirs = holders(graph), holders(other)
    if match == "name":
        # An architecture without arrays, and new layers, can take weights too.
        mine = {path: layer for path, layer in graph.walk() if path in mine or _may_hold(layer)}
    every = {path for path, _ in graph.walk()}
    pairs: dict[str, str] = {}
    for left, right in by_hand:
        if left not in every:
            raise EditError(f"pairs names {left!r}, which is no layer of this model.")
        if right not in theirs:
            raise EditError(f"pairs names {right!r}, which holds no weights in the file.")
        pairs[left] = right
    used = set(pairs.values())
    rest = {path: layer for path, layer in mine.items() if path not in pairs}
    free = {path: layer for path, layer in theirs.items() if path not in used}
    find = {"name": _by_name, "order": _by_order, "shape": _by_shape}.get(match)
    if find is not None:
        pairs.update(find(rest, free))
    used = set(pairs.values())
    return Pairing(
        tuple(pairs.items()),
        tuple(path for path, layer in mine.items() if path not in pairs and layer.weights),
        tuple(path for path in theirs if path not in used),
    )


def _nameless(graph: Graph) -> bool:
    """Whether arrays are only numbered: a `.weights.h5`, which stores layers by the names of their classes."""
    held = holders(graph).values()
    return bool(held) and all(weight.name.rpartition("/")[2].isdigit() for layer in held for weight in layer.weights)


def holders(graph: Graph) -> dict[str, Layer]:
    """Layers that hold arrays (seeds of random layers apart), by path, in order."""
    return {path: layer for path, layer in graph.walk() if any(not weight.state for weight in layer.weights)}


def taken(mine: Layer, theirs: Layer, number: int) -> Layer:
    """Our layer with the other layer's arrays: by name, or in order when the shapes are the same but names differ."""
    mine = replace(mine, history=None)  # what was done to the arrays before says nothing of these
    given = [weight for weight in theirs.weights if not weight.state and weight.source is not None]
    if not mine.weights:
        return replace(mine, weights=tuple(_from(weight, weight, number) for weight in given))
    by_name = {weight.name: weight for weight in given}
    own = [weight for weight in mine.weights if not weight.state]
    # Files of weights alone may not know names; order says which is which, and another shape will ask for a rule.
    ranks = [len(weight.shape) for weight in own]
    if not any(weight.name in by_name for weight in own) and ranks == [len(weight.shape) for weight in given]:
        by_name = {weight.name: other for weight, other in zip(own, given, strict=True)}
    weights = tuple(
        _from(weight, by_name[weight.name], number) if weight.name in by_name else weight for weight in mine.weights
    )
    return replace(mine, weights=weights)


def _from(mine: Weight, theirs: Weight, number: int) -> Weight:
    key = theirs.source.key if theirs.source is not None else ""
    # what made our array of others says nothing of theirs
    return replace(mine, shape=theirs.shape, dtype=theirs.dtype, source=StoreKey(key, number), decode=None)


def _signature(layer: Layer) -> Signature:
    return tuple((weight.name, weight.shape) for weight in layer.weights if not weight.state)


def _may_hold(layer: Layer) -> bool:
    return not (layer.weights or layer.is_input or layer.is_operation or layer.inner is not None)


def _same_class(mine: Layer, theirs: Layer) -> bool:
    """Whether the classes agree; files of weights alone do not always know theirs."""
    return mine.class_name == theirs.class_name or not theirs.config


def _names(signature: Signature) -> tuple[str, ...]:
    return tuple(name for name, _ in signature)


def _by_name(mine: dict[str, Layer], theirs: dict[str, Layer]) -> dict[str, str]:
    """The same path; else a copy of the whole file, else the same last name, where both sides have it once."""
    pairs = {path: path for path in mine if path in theirs}
    pairs.update({path: other for path, other in _copies(mine, theirs).items() if path not in pairs})
    left: dict[str, list[str]] = {}
    right: dict[str, list[str]] = {}
    for path in mine:
        if path not in pairs:
            left.setdefault(path.rpartition("/")[2], []).append(path)
    for path in theirs:
        if path not in pairs:
            right.setdefault(path.rpartition("/")[2], []).append(path)
    for name, paths in left.items():
        if len(paths) == 1 and len(right.get(name, ())) == 1:
            pairs[paths[0]] = right[name][0]
    return pairs


def _copies(mine: dict[str, Layer], theirs: dict[str, Layer]) -> dict[str, str]:
    """Every place where our model holds all of the file's layers at once: inside a nested model, or with the same
    letters before or after each name, as people tell the two streams of a network apart.

    Only whole copies count, with the same array names, so that a name which two unlike models share pairs nothing.
    """
    first = next(iter(theirs), None)
    pairs: dict[str, str] = {}
    if first is None or len(theirs) < _FEWEST:
        return pairs
    for path in mine:
        at = path.find(first)
        while at >= 0:
            before, after = path[:at], path[at + len(first) :]
            if (before or after) and all(
                (name := f"{before}{other}{after}") in mine and _alike(mine[name], layer)
                for other, layer in theirs.items()
            ):
                pairs.update({f"{before}{other}{after}": other for other in theirs})
            at = path.find(first, at + 1)
    return pairs


def _alike(mine: Layer, theirs: Layer) -> bool:
    """Whether a layer could be a copy of the other: the same arrays by name, or none yet."""
    return not mine.weights or _names(_signature(mine)) == _names(_signature(theirs))


def _by_order(mine: dict[str, Layer], theirs: dict[str, Layer]) -> dict[str, str]:
    """The longest common run of equal layers; between two such runs, layers of equal weight names where counts agree.

    So one layer more on either side does not shift all that follow.
    """
    left, right = list(mine), list(theirs)
    first = [_signature(mine[path]) for path in left]
    second = [_signature(theirs[path]) for path in right]
    pairs: dict[str, str] = {}
    for kind, a, b, c, d in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        if kind == "equal" or (kind == "replace" and b - a == d - c):
            for one, two in zip(range(a, b), range(c, d), strict=True):
                alike = _names(first[one]) == _names(second[two])
                if alike and (kind == "equal" or _same_class(mine[left[one]], theirs[right[two]])):
                    pairs[left[one]] = right[two]
    return pairs


def _by_shape(mine: dict[str, Layer], theirs: dict[str, Layer]) -> dict[str, str]:
    """Layers of equal shapes, in order, where both sides have as many of them."""
    groups: dict[tuple[tuple[int, ...], ...], tuple[list[str], list[str]]] = {}
    for side, layers in enumerate((mine, theirs)):
        for path, layer in layers.items():
            key = tuple(shape for _, shape in _signature(layer))
            groups.setdefault(key, ([], []))[side].append(path)
    equal = [(left, right) for left, right in groups.values() if len(left) == len(right)]
    return {one: two for left, right in equal for one, two in zip(left, right, strict=True)}
