"""Weights out of another file, onto layers of this model, by name, order, shape or pairs set by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from core.edits.base import Context, Edit, Outcome
from core.errors import EditError
from core.findings import Finding
from core.layers import table
from core.layers.weight_table import slots
from core.model.graph import Graph, Layer, StoreKey, Weight
from core.model.levels import owner
from core.model.names import leaf
from core.model.plan import file_name
from core.model.runs import CommonRuns
from core.readers.arrays.dialects import slopes
from core.readers.arrays.dressing import Dressed, dressed, in_slope
from core.readers.arrays.transforms import plain_keys
from core.readers.source import Source
from core.stopping import checkpoint
from core.surgery.carrying import carry, coded, named, same_meaning
from core.surgery.linear import View, view

_FEWEST = 2
"""Layers of the smallest file that is looked for as a whole: one name alone may be anybody's."""
_SHOWN = 5
"""Names in a sentence; all of them are in its detail."""
_FEW = 2
"""Layers whose classes a sentence names."""
_SPELLINGS = {
    "W": "kernel", "b": "bias", "U": "recurrent_kernel", "depthwise_kernel": "kernel", "running_mean": "moving_mean",
    "running_std": "moving_variance", "running_var": "moving_variance",
}  # fmt: skip
_KERAS1 = ("W", "b", "U", "gamma", "beta", "running_mean", "running_std")
Signature = tuple[tuple[str, tuple[int, ...]], ...]


class Pairing(Struct, frozen=True):
    """Which layer of the other file goes where (`pairs`: ours, theirs), and what is left over on both sides."""

    pairs: tuple[tuple[str, str], ...]
    ours: tuple[str, ...]
    theirs: tuple[str, ...]


class Transferred(Struct, frozen=True):
    """A graph with arrays of another file: the layers that took some, the weights those lack, the file's left over.

    `unlike` are paired layers of different classes that took nothing, with the reason.
    """

    graph: Graph
    layers: tuple[str, ...]
    missing: tuple[str, ...]
    left: tuple[str, ...]
    pairing: Pairing
    raw: bool = False
    unlike: tuple[tuple[str, str], ...] = ()


class TransferWeights(Edit, frozen=True, kw_only=True, tag="transfer_weights"):
    """`match` says how layers of `file` are found: same path or name, same order, same shapes; `pairs` (ours, theirs)
    are set by hand and come first. A shape that differs asks for a rule.
    """

    file: str
    match: Literal["name", "order", "shape", "pairs"] = "name"
    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def files(self) -> dict[str, tuple[str, str | None]]:
        """The file that the weights come from."""
        return {self.file: (self.file, None)}

    def check(self) -> None:
        """`pairs` needs pairs."""
        if not self.file:
            raise EditError("file is empty; name the file whose weights should be taken.")
        if self.match == "pairs" and not self.pairs:
            raise EditError('pairs is empty; give pairs such as [["conv1", "stem/conv"]] (this model, the file).')

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph whose weights come out of the file where they were paired."""
        self.check()
        if self.file not in context.files:
            raise EditError(f"The file {self.file!r} was not opened.")
        other, number = context.files[self.file], list(context.files).index(self.file) + 1
        done = transferred(graph, other, number, self.match, self.pairs)
        if not done.layers and self.match == "order" and _nameless(other.graph):
            raise EditError(f"{self.file!r} does not store the order of its layers; match by name or by shape.")
        if not done.layers:
            raise EditError(f"Nothing in {self.file!r} could be matched by {self.match}; set pairs by hand.")
        old = graph.by_path()
        told = (*self._unmatched(old, done), *_told(self.file, done, old, other.arrays_by))
        return Outcome(done.graph, findings=told)

    def _unmatched(self, old: Mapping[str, Layer], done: Transferred) -> tuple[Finding, ...]:
        """Layers that got nothing."""
        found, after, apart = [], done.graph, dict(done.unlike)
        if apart:
            shown = "; ".join(f"{path} is {why}" for path, why in list(apart.items())[:_FEW])
            more = f"; and {len(apart) - _FEW} more" if len(apart) > _FEW else ""
            verb = "takes" if len(apart) == 1 else "take"
            text = (
                f"{_layers([*apart])} {verb} no weights from {file_name(self.file)}, because the classes differ: "
                f"{shown}{more}."
            )
            found.append(Finding("warning", "weight.unmatched", next(iter(apart)), text, detail="\n".join(apart)))
        left = [
            path
            for path, layer in after.walk()
            if layer.weights and layer.weights == old[path].weights and path not in apart
        ]
        if left:
            text = f"{_layers(left)} found no match in {file_name(self.file)} and {_keep(left)} ({_some(left)})."
            found.append(Finding("warning", "weight.unmatched", left[0], text, detail="\n".join(left)))
        bare = [
            path for path, layer in after.walk() if not layer.weights and _wants_arrays(layer) and path not in apart
        ]
        if bare:
            start = "starts at random values" if len(bare) == 1 else "start at random values"
            text = f"{_layers(bare)} found no match in {file_name(self.file)} and {start} ({_some(bare)})."
            found.append(Finding("warning", "weight.unmatched", bare[0], text, detail="\n".join(bare)))
        return tuple(found)

    def summary(self) -> str:
        """For the recipe list."""
        return f"Weights from {Path(self.file).name} by {self.match}"


def transferred(
    graph: Graph, source: Source, number: int, match: str, by_hand: tuple[tuple[str, str], ...] = ()
) -> Transferred:
    """What a transfer does, for the plan and for its preview alike; `number` is the file's in `StoreKey.file`."""
    found = pairing(graph, source.graph, match, by_hand)
    missing: list[str] = []
    unlike: list[tuple[str, str]] = []
    used: set[str] = set()
    fresh: dict[str, Layer] = {}
    for mine, theirs in found.pairs:
        checkpoint()
        if graph.find(mine).inner is not None:  # what is inside may be in another pair
            graph, fresh = graph.with_layers(fresh), {}
        own, other = graph.find(mine), source.graph.find(theirs)
        if _is_bare(source):
            done, apart = _without_strangers(own, dressed(replace(own, history=None), other, source.arrays_by))
            fresh[mine], lacking = _put_on(own, done, number)
            unlike += [(mine + path[len(own.name) :], why) for path, why in apart.items()]
        elif _of_two_classes(own, other):
            fresh[mine], lacking, why = _converted(own, theirs, other, number, source)
            unlike += [(mine, why)] if why else []
        else:
            fresh[mine], lacking = taken(own, other, number)
        missing += [f"{mine}/{name}" for name in lacking]
        if fresh[mine].inner is not None:
            graph, fresh = graph.with_layers(fresh), {}
    graph = graph.with_layers(fresh)
    layers = []
    for path, layer in graph.walk():
        keys = [weight.source.key for weight in layer.weights if weight.source and weight.source.file == number]
        used.update(name for key in keys for name in plain_keys(key))
        if keys:
            layers.append(path)
    left = [
        f"{path}/{weight.name}"
        for path, layer in source.graph.walk()
        for weight in layer.weights
        if weight.source is not None and not weight.state and not used.issuperset(plain_keys(weight.source.key))
    ]
    gaps = tuple(missing)
    return Transferred(graph, tuple(layers), gaps, tuple(left), found, _is_bare(source), tuple(unlike))


def _told(file: str, done: Transferred, old: Mapping[str, Layer], major: int | None) -> list[Finding]:
    """Weights of paired layers that the file lacks, its arrays that go nowhere, slopes that nobody can know."""
    found = []
    if done.missing:
        held = {f"{path}/{weight.name}" for path, layer in old.items() for weight in layer.weights}
        anew = [name for name in done.missing if name not in held]
        what = "start at random values" if anew else "keep theirs"
        text = f"{file_name(file)} has no array for {_some(anew or done.missing)}: these weights {what}."
        detail = "\n".join(done.missing)
        found.append(Finding("warning", "weight.unmatched", done.missing[0].rpartition("/")[0], text, detail=detail))
    if done.left:
        count = "1 array" if len(done.left) == 1 else f"{len(done.left)} arrays"
        verb = "is" if len(done.left) == 1 else "are"
        text = f"{count} of {file_name(file)} {verb} not used ({_some(done.left)})."
        found.append(Finding("info", "weight.unmatched", "", text, detail="\n".join(done.left)))
    if major is None:
        changed = [path for path in done.layers if path in old and _is_raw(done, path) and slopes(old[path])]
        if changed:
            text = (
                f"{_some(changed)} use hard_sigmoid, whose slope differs between Keras 2 and 3, and {file_name(file)} "
                "does not say which version wrote it: its arrays are assumed to come from Keras 3. If Keras 2 wrote "
                "them, save them there as .h5 and use that file."
            )
            found.append(Finding("warning", "weight.unmatched", changed[0], text, detail="\n".join(changed)))
    return found


def _is_raw(done: Transferred, path: str) -> bool:
    return done.raw and bool(done.graph.find(path).weights)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown}, ..."


def _layers(paths: Sequence[str]) -> str:
    return "1 layer" if len(paths) == 1 else f"{len(paths)} layers"


def _keep(paths: Sequence[str]) -> str:
    return "keeps its weights" if len(paths) == 1 else "keep their weights"


def _wants_arrays(layer: Layer) -> bool:
    """Whether a class is known to own arrays."""
    return _may_hold(layer) and bool(slots(layer.class_name, layer.config, layer.bases))


def pairing(graph: Graph, other: Graph, match: str, by_hand: tuple[tuple[str, str], ...] = ()) -> Pairing:
    """Pairs of layer paths, ours first. Raises `EditError` for a pair that names nothing."""
    mine, theirs = holders(graph), holders(other)
    if match == "name":
        # An architecture without arrays, and new layers, can take weights too.
        mine = {path: layer for path, layer in graph.walk() if path in mine or _may_hold(layer)}
        if other.opaque:  # a file of weights alone lists the arrays of a nested model in one
            mine.update({path: layer for path, layer in graph.walk() if layer.inner is not None and path in theirs})
    elif not mine:
        mine = {path: layer for path, layer in graph.walk() if _wants_arrays(layer)}
    every = {path for path, _ in graph.walk()}
    pairs: dict[str, str] = {}
    for left, right in by_hand:
        if left not in every:
            raise EditError(f"pairs names {left!r}, which is not a layer of this model.")
        if right not in theirs:
            raise EditError(f"pairs names {right!r}, which has no weights in the file.")
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


def _is_bare(source: Source) -> bool:
    """Whether a file holds weights alone, which are not yet as Keras 3 has them."""
    return source.kind == "weights"


def _put_on(mine: Layer, done: Dressed, number: int) -> tuple[Layer, tuple[str, ...]]:
    """Our layer with the arrays of a file of weights alone, and the names of those it should have but got none for."""
    lacking = tuple(name.partition("/")[2] for name in done.missing)
    return _merged(replace(mine, history=None), done.layer, number), lacking


def taken(mine: Layer, theirs: Layer, number: int) -> tuple[Layer, tuple[str, ...]]:
    """Our layer with the arrays of another of its kind, and the names of those it should have but got none for."""
    mine = replace(mine, history=None)  # what was done to the arrays before says nothing of these
    given = [weight for weight in theirs.weights if not weight.state and weight.source is not None]
    given = [replace(weight, source=StoreKey(in_slope(mine, weight))) for weight in given]
    if not mine.weights:
        names = {} if coded(mine) else {slot.name: None for slot in slots(mine.class_name, mine.config, mine.bases)}
        fitting = [weight for weight in given if not names or weight.name in names]
        return replace(mine, weights=tuple(_from(weight, weight, number) for weight in fitting)), ()
    by_name = {weight.name: weight for weight in given}
    own = [weight for weight in mine.weights if not weight.state]
    # Another class may call them differently; order says which is which, and another shape will ask for a rule.
    ranks = [len(weight.shape) for weight in own]
    if not any(weight.name in by_name for weight in own) and ranks == [len(weight.shape) for weight in given]:
        by_name = {weight.name: other for weight, other in zip(own, given, strict=True)}
    weights = tuple(
        _from(weight, by_name[weight.name], number) if weight.name in by_name else weight for weight in mine.weights
    )
    return replace(mine, weights=weights), tuple(weight.name for weight in own if weight.name not in by_name)


def _without_strangers(mine: Layer, done: Dressed) -> tuple[Dressed, dict[str, str]]:
    """A file of weights alone knows no classes: `done` without what it gave to layers that cannot be of the class that
    was stored, and why not, by the path below `mine`.
    """
    gaps: dict[str, list[str]] = {}
    paths = {mine.name, *(dict(mine.inner.walk(f"{mine.name}/")) if mine.inner is not None else ())}
    for name in done.missing:
        head = name.rpartition("/")[0]
        while head and head not in paths:
            head = head.rpartition("/")[0]
        gaps.setdefault(head, []).append(name[len(head) + 1 :])
    spare: dict[str, list[str]] = {}
    for key in done.left:
        spare.setdefault(key.rpartition("/")[0], []).append(leaf(key).partition(":")[0])
    found: dict[str, str] = {}

    def visit(own: Layer, given: Layer, path: str) -> Layer:
        if own.inner is not None and given.inner is not None:
            pairs = zip(own.inner.layers, given.inner.layers, strict=True)
            inner = tuple(visit(one, other, f"{path}/{one.name}") for one, other in pairs)
            return replace(given, inner=replace(given.inner, layers=inner))
        keys = [key for one in given.weights if one.source is not None for key in plain_keys(one.source.key)]
        extra = [
            name for place in dict.fromkeys(key.rpartition("/")[0] for key in keys) for name in spare.get(place, ())
        ]
        why = _not_ours(own, given, gaps.get(path, []), extra)
        if why:
            found[path] = why
            gaps.pop(path, None)
            return replace(given, weights=())
        return given

    layer = visit(mine, done.layer, mine.name)
    missing = tuple(f"{path}/{name}" for path, names in gaps.items() for name in names)
    return replace(done, layer=layer, missing=missing), found


def _not_ours(mine: Layer, given: Layer, gaps: Sequence[str], extra: Sequence[str]) -> str:
    """Why arrays (`given`, and `extra` ones) that were stored for a layer cannot be those of a layer of our class.

    They are too many, there are others in place of those it lacks (`gaps`), or they have other numbers of axes.
    """
    if not given.weights or coded(mine) or view(mine) != View(mine.class_name, mine.config):
        return ""
    row, here = table.row(mine.class_name), named(mine)
    own = {weight.name: len(weight.shape) for weight in mine.weights}
    odd = next((one for one in given.weights if own.get(one.name, len(one.shape)) != len(one.shape)), None)
    if odd is not None:
        return f"{here} here, whose {odd.name} has {own[odd.name]} axes, not {len(odd.shape)}"
    if row.states or "layer" in mine.config or "cell" in mine.config:
        return ""  # Keras 1 stored the gates apart
    most = max(len(slots(mine.class_name, mine.config)), len(row.arrays))
    if len(given.weights) + len(extra) > most:
        return f"{here} here, with at most {most} array{'s' * (most != 1)}, not {len(given.weights) + len(extra)}"
    return f"{here} here, but {extra[0]} is stored instead of {gaps[0]}" if gaps and extra else ""


def _of_two_classes(mine: Layer, theirs: Layer) -> bool:
    """Whether both are Keras's own, and their arrays do not mean the same because their classes differ."""
    known = view(mine) is not None and view(theirs) is not None and not coded(mine) and not coded(theirs)
    return known and bool(theirs.config) and not same_meaning(mine, theirs)


def _converted(
    mine: Layer, path: str, theirs: Layer, number: int, source: Source
) -> tuple[Layer, tuple[str, ...], str]:
    """Our layer with what it can use of the arrays of a layer of another class, each weight from one array of it.

    Then the names of the weights without one; or, where it can use none, the layer as it is and why.
    """

    def keyed(weight: Weight) -> Weight:
        found = weight.source
        return weight if found is None else replace(weight, source=StoreKey(found.key, number))

    given = replace(theirs, weights=tuple(map(keyed, theirs.weights)))
    level = owner(source.graph, path)[1]
    found = carry(path, given, mine, "meaning", level, {})
    made = {weight.name: weight for weight in found.layer.weights if weight.source is not None}
    why = found.why
    if any(weight.decode is not None and set(weight.decode.needs()) - {weight.source} for weight in made.values()):
        made, why = {}, "its kernel would have to be made of several arrays"
    if not made:
        clash = f"{named(mine)} here and {named(theirs)} there"
        return mine, (), f"{clash} ({why})" if why else clash
    weights = [
        weight if weight.decode is not None else replace(weight, source=StoreKey(in_slope(mine, weight), number))
        for weight in made.values()
    ]
    taken = {weight.name: weight for weight in weights}
    old = {weight.name for weight in mine.weights}
    kept = [taken.get(weight.name, weight) for weight in mine.weights]
    fresh = [weight for weight in weights if weight.name not in old]
    own = [slot.name for slot in slots(mine.class_name, mine.config, mine.bases)]
    rules = tuple(pair for pair in mine.rules if pair[0] not in taken)
    layer = replace(mine, weights=(*kept, *fresh), rules=rules, history=None)
    return layer, tuple(name for name in own if name not in taken), ""


def _merged(mine: Layer, fresh: Layer, number: int) -> Layer:
    """Our layer with the arrays that `fresh`, the same layer, has of the other file, and its own for the others."""
    if mine.inner is not None and fresh.inner is not None:
        pairs = zip(mine.inner.layers, fresh.inner.layers, strict=True)
        inner = replace(mine.inner, layers=tuple(_merged(one, other, number) for one, other in pairs))
        mine = replace(mine, inner=inner)
    given = {weight.name: weight for weight in fresh.weights}
    if not given:
        return mine
    old = {weight.name for weight in mine.weights}
    kept = [_from(weight, given[weight.name], number) if weight.name in given else weight for weight in mine.weights]
    further = [_from(weight, weight, number) for weight in fresh.weights if weight.name not in old]
    return replace(mine, weights=(*kept, *further), history=None)


def _from(mine: Weight, theirs: Weight, number: int) -> Weight:
    key = theirs.source.key if theirs.source is not None else ""
    # what was folded into the array before, or made floats of it, is gone with the array
    return replace(mine, shape=theirs.shape, dtype=theirs.dtype, source=StoreKey(key, number), decode=None)


def _signature(layer: Layer) -> Signature:
    """A layer's arrays whatever their order: in a checkpoint they are alphabetical. Without any, those of its class."""
    checkpoint()
    weights = [(_canonical(weight.name), weight.shape) for weight in layer.weights if not weight.state]
    return tuple(sorted(weights or [(_canonical(slot.name), ()) for slot in slots(layer.class_name, layer.config)]))


def _canonical(name: str) -> str:
    """What an array is, without the parts of the layer it lies in, as Keras 3 calls it."""
    last = leaf(name)
    if "/" not in name:
        last = next((last[len(last) - len(end) :] for end in _KERAS1 if last.endswith(f"_{end}")), last)
    return _SPELLINGS.get(last, last)


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
    for kind, a, b, c, d in CommonRuns(first, second).get_opcodes():
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
            key = tuple(sorted(shape for _, shape in _signature(layer)))
            groups.setdefault(key, ([], []))[side].append(path)
    equal = [(left, right) for left, right in groups.values() if len(left) == len(right)]
    return {one: two for left, right in equal for one, two in zip(left, right, strict=True)}
