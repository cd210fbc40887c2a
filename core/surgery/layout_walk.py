"""A model's tensors in the other data format, followed from the inputs to the outputs.

Every tensor has a `Lay`: where its axes went, and, once a map was flattened, where its entries went. A layer that knows
a format asks for the lay that it wants and gives one; a layer with an axis in its config gets that axis; whatever else
must see the tensor as it was gets a Permute ahead of it, so that nothing is taken for granted of other layers.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from core.errors import EditError
from core.layers import table
from core.layers.axes import WRAPPERS, axes_of, leaf_class
from core.layers.channel_ops import ALONE_OPS, TOGETHER_OPS
from core.layers.leaves import steps
from core.layers.table import classes
from core.model.graph import Call, Graph, Layer, Shape, TensorRef, map_leaves
from core.model.levels import free_name
from core.model.splice import new_layer
from core.rules.arranged import Block, ReorderedRows, TurnedAxes
from core.stopping import checkpoint
from core.surgery.anatomy import MIXING
from core.surgery.arranging import arranged, expanded_constant, named, put_back
from core.surgery.recording import configured

Format = Literal["channels_last", "channels_first"]
Order = tuple[int, ...]

_ALONE = classes(acts="number") | {"Rescaling"}
_TOGETHER = classes(kind="together")
_REDUCE_OPS = frozenset({"Mean", "Sum", "Max", "Min", "Prod", "Std", "Var"})
_NORMS = classes(family="normalization")
_ONE_AXIS = classes(family="normalization", sized="channels")
_ROWS = classes(kind="units") | {"Dense"}
_ALONG = frozenset({"softmax", "log_softmax", "sparsemax", "glu"})
"""Activations that look along the last axis; all others take number by number."""


class Lay(Struct, frozen=True):
    """New axis `i` of a tensor is its old axis `order[i]`; `rows` says how entries of the last axis were moved about,
    and `flat` which Flatten layers did it.
    """

    order: Order
    rows: tuple[Block, ...] = ()
    flat: frozenset[str] = frozenset()

    @property
    def natural(self) -> bool:
        """Whether the tensor is as it was."""
        return not self.rows and self.order == tuple(range(len(self.order)))


class Walked(Struct, frozen=True):
    """The graph in its new format, the lays of its inputs (by name) and outputs, and what was put in on the way."""

    graph: Graph
    inputs: dict[str, Order]
    outputs: tuple[Order, ...]
    permutes: tuple[tuple[str, str], ...]
    """Permute layers, with the path of the layer that each was put before."""


class _Again(Exception):
    """Flattened entries reached a layer that cannot follow them: these Flatten layers have to see the old map."""

    def __init__(self, paths: frozenset[str]) -> None:
        super().__init__(paths)
        self.paths = paths


def natural(rank: int) -> Lay:
    """A tensor as it was."""
    return Lay(tuple(range(rank)))


def turned(rank: int, to: Format, ahead: int = 0) -> Order:
    """The order that brings a map of the other format to this one; `ahead` axes (time) stand between batch and map."""
    head, rest = tuple(range(ahead + 1)), tuple(range(ahead + 1, rank))
    if len(rest) < 2:
        return tuple(range(rank))
    return (*head, *rest[1:], rest[0]) if to == "channels_last" else (*head, rest[-1], *rest[:-1])


def walk_layout(graph: Graph, to: Format) -> Walked:
    """The model in format `to`. Raises `EditError` with the layer that cannot follow."""
    kept: frozenset[str] = frozenset()
    while True:
        walker = _Walker(to, kept)
        try:
            return walker.top(graph)
        except _Again as again:
            if again.paths <= kept:
                raise EditError(
                    f"{min(again.paths)} flattens a feature map in a way that cannot be converted."
                ) from None
            kept |= again.paths


def format_of(layer: Layer) -> Format | None:
    """The data format of a layer (or of the one that a wrapper holds), `None` for one that knows none."""
    config = leaf_class(layer)[1]
    if "data_format" not in config or layer.is_operation:
        return None
    return "channels_first" if config["data_format"] == "channels_first" else "channels_last"


def activation_of(config: dict[str, Any]) -> str:
    """The name of an activation, which may be a serialised function or layer."""
    given = config.get("activation")
    if isinstance(given, dict):
        given = given.get("config") if given.get("class_name") == "function" else given.get("class_name")
    return given.lower() if isinstance(given, str) else ""


def with_leaf(layer: Layer, **fields: Any) -> Layer:
    """The layer with fields of its config replaced, or of that of the layer that its wrappers hold."""

    def changed(class_name: str, config: dict[str, Any]) -> dict[str, Any]:
        inside = config.get(WRAPPERS.get(class_name, ""))
        if isinstance(inside, dict) and "class_name" in inside:
            deeper = changed(inside["class_name"], inside.get("config", {}))
            made = {key: value for key, value in inside.items() if key != "build_config"}
            found = {**config, WRAPPERS[class_name]: {**made, "config": deeper}}
            if isinstance(config.get("backward_layer"), dict):
                backward = config["backward_layer"]
                found["backward_layer"] = {**backward, "config": {**backward.get("config", {}), **fields}}
            return found
        return {**config, **fields}

    return replace(layer, config=changed(layer.class_name, layer.config), build_config=None)


class _Step(Struct, frozen=True):
    """What a call wants its inputs to be (in the order of its tensors), what it gives, and how its layer changes."""

    wants: tuple[Lay, ...]
    gives: Callable[[int], Lay]
    change: Callable[[Layer], Layer] | None = None
    call: Callable[[Call], Call] | None = None
    after: Layer | None = None


class _Level:
    """One level on the way: its graph, the lays of its tensors, what was put in before which layer."""

    def __init__(self, graph: Graph, prefix: str) -> None:
        self.graph, self.prefix = graph, prefix
        self.layers = graph.by_name()
        self.users = graph.consumers()
        self.lays: dict[TensorRef, Lay] = {}
        self.permuted: dict[tuple[TensorRef, Order], TensorRef] = {}
        self.moved: dict[TensorRef, TensorRef] = {}
        self.fresh: dict[str, list[Layer]] = {}
        self.behind: dict[str, list[Layer]] = {}
        self.names = {layer.name for layer in graph.layers}

    def rank(self, ref: TensorRef) -> int:
        shape = self.graph.spec(ref).shape
        return 0 if shape is None else len(shape)

    def shape(self, ref: TensorRef) -> Shape | None:
        return self.graph.spec(ref).shape


class _Walker:
    """One run over the whole model."""

    def __init__(self, to: Format, kept: frozenset[str]) -> None:
        self.to = to
        self.kept = kept
        self.settled: dict[str, tuple[Lay, ...]] = {}
        self.inner: dict[str, tuple[Graph, tuple[Lay, ...]]] = {}
        self.permutes: list[tuple[str, str]] = []

    def top(self, graph: Graph) -> Walked:
        level = _Level(graph, "")
        given = []
        for ref in graph.input_refs():
            wanted = self.demand(level, ref)
            given.append(Lay(wanted) if wanted else natural(level.rank(ref)))
        fresh, lays = self.level(graph, "", tuple(given))
        inputs = {ref.layer: lay.order for ref, lay in zip(graph.input_refs(), given, strict=True)}
        return Walked(fresh, inputs, tuple(lay.order for lay in lays), tuple(self.permutes))

    # one level

    def level(self, graph: Graph, prefix: str, given: tuple[Lay, ...]) -> tuple[Graph, tuple[Lay, ...]]:
        """The graph of one level whose inputs come as `given`, and how its outputs come."""
        level = _Level(graph, prefix)
        arrives = dict(zip(graph.input_refs(), given, strict=True))
        made: dict[str, Layer] = {}
        calls: dict[str, dict[int, Call]] = {}
        for name, number in graph.order:
            checkpoint()
            layer = level.layers[name]
            if layer.is_input:
                lay = arrives.get(TensorRef(name, number)) or natural(level.rank(TensorRef(name, number)))
                level.lays[TensorRef(name, number)] = lay
                made[name] = _turned_input(layer, lay)
                calls.setdefault(name, {})[number] = replace(layer.calls[number], outputs=None)
                continue
            fresh, call = self.call(level, made.get(name, layer), layer, number)
            made[name] = fresh
            calls.setdefault(name, {})[number] = call
        outputs: dict[TensorRef, TensorRef] = {}
        lays = []
        for ref in graph.output_refs():
            lay = self.output(level, ref)
            lays.append(lay)
            outputs[ref] = self.as_wanted(level, ref, lay, "")
        layers: list[Layer] = []
        for layer in graph.layers:
            fresh = made.get(layer.name, layer)
            known = calls.get(layer.name, {})
            whole = tuple(known.get(number, call) for number, call in enumerate(layer.calls))
            layers += [*level.fresh.get(layer.name, ()), replace(fresh, calls=whole), *level.behind.get(layer.name, ())]
        layers += level.fresh.get("", [])
        done = replace(graph, layers=tuple(layers), outputs=map_leaves(lambda ref: outputs[ref], graph.outputs))
        return done, tuple(lays)

    def output(self, level: _Level, ref: TensorRef) -> Lay:
        """How an output of the level comes: a map in the new format stays so, anything else as it was."""
        lay = level.lays.get(ref) or natural(level.rank(ref))
        if lay.rows and not level.prefix:
            raise _Again(lay.flat)
        if level.prefix or lay.order == turned(len(lay.order), self.to):
            return lay
        return natural(len(lay.order))

    def call(self, level: _Level, layer: Layer, old: Layer, number: int) -> tuple[Layer, Call]:
        """One call of a layer: the layer as it is after it, and the call. Notes the lays of what it gives."""
        path = level.prefix + layer.name
        call = old.calls[number]
        refs = call.inputs()
        lays = tuple(level.lays.get(ref) or natural(level.rank(ref)) for ref in refs)
        known = self.settled.get(path)
        first = known is None
        step = self.step(level, path, old, number, refs, lays)
        if known is not None and known != step.wants:
            if any(lay.rows for lay in (*known, *step.wants)):
                raise _Again(frozenset().union(*(lay.flat for lay in (*known, *step.wants))))
            # a layer that is shared keeps what its first call made of it
            step = self.step(level, path, old, number, refs, known)
        self.settled[path] = step.wants
        swaps = {ref: self.as_wanted(level, ref, want, layer.name) for ref, want in zip(refs, step.wants, strict=True)}

        def swap(ref: TensorRef) -> TensorRef:
            return swaps[ref]

        fresh = step.call(call) if step.call is not None else call
        fresh = replace(fresh, args=map_leaves(swap, fresh.args), kwargs=map_leaves(swap, fresh.kwargs), outputs=None)
        changed = step.change(layer) if step.change is not None and first else layer
        for output in range(max(1, len(call.outputs or ()))):
            here = TensorRef(layer.name, number, output)
            level.lays[here] = step.gives(output)
        if step.after is not None:
            self.behind(level, layer.name, number, step.after, first)
        return changed, fresh

    def behind(self, level: _Level, name: str, number: int, after: Layer, first: bool) -> None:
        """A layer put behind one call of another; whoever took the one takes the other."""
        chain = level.behind.setdefault(name, [])
        if first:
            fresh = free_name(level.names, after.name)
            level.names.add(fresh)
            chain.append(replace(after, name=fresh, config={**after.config, "name": fresh}, calls=()))
        one = chain[0]
        chain[0] = replace(one, calls=(*one.calls, Call(args=(TensorRef(name, number),))))
        level.moved[TensorRef(name, number)] = TensorRef(one.name, len(chain[0].calls) - 1)

    def as_wanted(self, level: _Level, ref: TensorRef, want: Lay, before: str) -> TensorRef:
        """The tensor as a layer wants it, through a Permute where it comes otherwise."""
        lay = level.lays.get(ref) or natural(level.rank(ref))
        here = level.moved.get(ref, ref)
        if lay == want or (lay.order == want.order and lay.rows == want.rows):
            return here
        if lay.rows or want.rows:
            raise _Again(lay.flat | want.flat)
        known = level.permuted.get((ref, want.order))
        if known is not None:
            return known
        if len(lay.order) != len(want.order) or lay.order[:1] != (0,) or want.order[:1] != (0,):
            raise EditError(
                f"{level.prefix}{before or ref.layer} takes a tensor with unknown axes, so it cannot be converted."
            )
        dims = [lay.order.index(axis) for axis in want.order[1:]]
        name = free_name(level.names, f"{ref.layer}_permute")
        level.names.add(name)
        layer = replace(new_layer("Permute", name, dims=dims), calls=(Call(args=(here,)),))
        level.fresh.setdefault(before, []).append(layer)
        level.permuted[ref, want.order] = TensorRef(name)
        self.permutes.append((level.prefix + name, level.prefix + (before or ref.layer)))
        return TensorRef(name)

    # one layer

    def step(
        self, level: _Level, path: str, layer: Layer, number: int, refs: tuple[TensorRef, ...], lays: tuple[Lay, ...]
    ) -> _Step:
        """How one call of a layer follows what its inputs have become."""
        here = TensorRef(layer.name, number)
        as_was = tuple(natural(level.rank(ref)) for ref in refs)
        class_name, config = leaf_class(layer)

        def rank(output: int) -> int:
            return level.rank(replace(here, output=output))

        def plain(output: int) -> Lay:
            return natural(rank(output))

        asis = _Step(as_was, plain)
        if layer.inner is not None and not layer.inner.opaque and not layer.opaque:
            return self.model(path, layer, lays)
        all_natural = all(lay.natural for lay in lays)
        foreign = layer.opaque or layer.inner is not None or not (layer.module or "keras").startswith("keras")
        if foreign:
            if all_natural and config.get("data_format") in (None, self.to):
                return asis
            raise EditError(
                f"{path} ({layer.class_name}) has code that is not part of Keras, so its behaviour in another data "
                "format is unknown; replace or remove it first."
            )
        form = format_of(layer)
        if class_name == "Flatten":
            return self.flatten(level, path, layer, here, refs, lays, form or "channels_last")
        if form is not None:
            return self.formatted(level, path, layer, here, refs, form)
        if class_name == "Permute":
            return self.permute(level, layer, here, lays)
        if class_name == "Reshape" and not layer.is_operation:
            return self.reshape(level, path, layer, here, refs, lays)
        if all_natural:
            return asis
        if any(lay.rows for lay in lays):
            return self.rows(level, path, layer, lays, asis)
        if layer.is_operation:
            return self.operation(layer, number, lays, rank, asis)
        if class_name != layer.class_name:
            return self.at_every_step(layer, lays, asis)
        if class_name in _ALONE:
            return self.alone(layer, lays, asis)
        if class_name in _TOGETHER and len({len(lay.order) for lay in lays}) == 1:
            lay = next(lay for lay in lays if not lay.natural)
            return _Step((lay,) * len(lays), lambda output: lay)
        if class_name == "Concatenate":
            lay = next(lay for lay in lays if not lay.natural)
            axis = _axis(config.get("axis", -1), lay)
            return _Step((lay,) * len(lays), lambda output: lay, lambda one: configured(one, axis=axis))
        if class_name in _NORMS or class_name == "Softmax":
            return self.normed(level, path, layer, refs, lays, asis)
        if class_name == "PReLU":
            return self.prelu(level, path, layer, refs, lays)
        return asis

    def model(self, path: str, layer: Layer, lays: tuple[Lay, ...]) -> _Step:
        """A nested model takes what arrives; one that is called again takes what its first call brought."""
        assert layer.inner is not None
        known = self.inner.get(path)
        shift = 0 if layer.is_model else 1
        if known is None:
            given = lays
            if shift:
                steady = lays[0].order[:2] == (0, 1) and len(lays[0].order) > 2
                given = (lays[0] if steady else natural(len(lays[0].order)),)
            inside = tuple(_without_time(lay) for lay in given) if shift else given
            if len(inside) != len(layer.inner.input_refs()):
                raise EditError(f"{path} is called with a different number of tensors than it has inputs.")
            graph, out = self.level(layer.inner, path + "/", inside)
            self.inner[path] = (graph, out)
            known = self.inner[path]
            self.settled.setdefault(path, given)
        wants = self.settled[path]
        graph, out = known

        def gives(output: int) -> Lay:
            return _with_time(out[output]) if shift else out[output]

        return _Step(wants, gives, lambda one: replace(one, inner=graph))

    def formatted(
        self, level: _Level, path: str, layer: Layer, here: TensorRef, refs: tuple[TensorRef, ...], form: Format
    ) -> _Step:
        """A layer that knows the format: maps in, maps out."""
        ahead = _ahead(layer)
        flipped = form != self.to

        def lay(rank: int) -> Lay:
            if not flipped:
                return natural(rank)
            whole = level.rank(refs[0])
            return Lay(turned(rank, self.to, max(0, ahead - (whole - rank)) if rank >= 3 else 0))

        def gives(output: int) -> Lay:
            return lay(level.rank(replace(here, output=output)))

        wants = tuple(lay(level.rank(ref)) for ref in refs)
        if any(not one.order for one in wants):
            raise EditError(f"The input shape of {path} is unknown, so it cannot be converted.")
        if not flipped:
            return _Step(wants, gives)
        activation = activation_of(leaf_class(layer)[1])
        along = activation in _ALONG and not gives(0).natural
        fields: dict[str, Any] = {"data_format": self.to}
        after = None
        if along:
            if activation != "softmax" or layer.class_name != leaf_class(layer)[0]:
                raise EditError(
                    f"{path} applies {activation} along the last axis, which is a different axis in {self.to}; replace "
                    "its activation first."
                )
            order = gives(0).order
            fields["activation"] = "linear"
            after = new_layer("Softmax", f"{layer.name}_softmax", axis=order.index(len(order) - 1))
        return _Step(wants, gives, lambda one: with_leaf(one, **fields), after=after)

    def flatten(
        self, level: _Level, path: str, layer: Layer, here: TensorRef, refs: tuple[TensorRef, ...],
        lays: tuple[Lay, ...], form: Format,
    ) -> _Step:  # fmt: skip
        """Entries in the order that the map has now, unless `data_format` of Flatten brings back the old one."""
        lay, ahead = lays[0], int(layer.class_name == "TimeDistributed")
        rank = level.rank(here)
        if lay.rows:
            return _Step(lays, lambda output: lay)
        if lay.natural:
            return _Step(lays, lambda output: natural(rank))
        sizes, flattens = level.shape(refs[0]), leaf_class(layer)[0] == "Flatten"
        old = turned(len(lay.order), "channels_last", ahead) if form == "channels_first" else range(len(lay.order))
        before = [axis for axis in tuple(old)[ahead + 1 :] if sizes is None or sizes[axis] != 1]
        steady = lay.order[: ahead + 1] == tuple(range(ahead + 1))
        for way in ("channels_last", "channels_first"):
            now = lay.order[ahead + 1 :]
            now = (*now[1:], now[0]) if way == "channels_first" else now
            if steady and [axis for axis in now if axis in before] == before and (flattens or way == "channels_last"):
                fields = {"data_format": way} if flattens else {}
                return _Step(lays, lambda output: natural(rank), partial(_with_fields, fields))
        known = sizes is not None and all(sizes[axis] is not None for axis in before)
        if path in self.kept or not known or not steady or sizes is None:
            return _Step((natural(len(lay.order)),), lambda output: natural(rank))
        block = tuple(int(sizes[axis] or 0) for axis in before)
        order = tuple(before.index(axis) for axis in lay.order if axis in before)
        rows = Lay(tuple(range(rank)), ((block, order),), frozenset({path}))
        return _Step(
            lays, lambda output: rows, partial(_with_fields, {"data_format": "channels_last"} if flattens else {})
        )

    def permute(self, level: _Level, layer: Layer, here: TensorRef, lays: tuple[Lay, ...]) -> _Step:
        """Its output comes as what follows wants it, so that a Permute between formats may come to do nothing."""
        lay = lays[0]
        if lay.rows or not layer.config.get("dims"):
            raise _Again(lay.flat)
        dims = (0, *(int(axis) for axis in layer.config["dims"]))
        order = self.demand(level, here) or tuple(range(len(dims)))
        fresh = [lay.order.index(dims[axis]) for axis in order[1:]]
        return _Step(lays, lambda output: Lay(order), lambda one: configured(one, dims=fresh))

    def reshape(
        self,
        level: _Level,
        path: str,
        layer: Layer,
        here: TensorRef,
        refs: tuple[TensorRef, ...],
        lays: tuple[Lay, ...],
    ) -> _Step:
        """A Reshape that merges neighbouring axes, or spreads a vector over axes of length 1, follows; others see the
        map as it was.
        """
        lay, target = lays[0], [int(size) for size in layer.config.get("target_shape") or ()]
        rank = len(target) + 1
        asis = _Step((natural(len(lay.order)),), lambda output: natural(rank))
        if lay.rows:
            raise _Again(lay.flat)
        sizes = level.shape(refs[0])
        if lay.natural:
            order = self.demand(level, here)
            if order is None or len(order) != rank:
                return asis
            moved = [target[axis - 1] for axis in order[1:]]
            if [size for size in moved if size != 1] != [size for size in target if size != 1]:
                return asis
            given = Lay(order)
            return _Step(lays, lambda output: given, lambda one: configured(one, target_shape=moved))
        if sizes is None or None in sizes[1:] or path in self.kept:
            return asis
        if len(target) == 1:
            return self.flatten(level, path, layer, here, refs, lays, "channels_last")
        groups = _merged([int(size or 0) for size in sizes[1:]], target)
        if groups is None:
            return asis
        place = {axis: number for number, axis in enumerate(lay.order)}
        where = []
        for number, group in enumerate(groups):
            spots = [place[axis] for axis in group if sizes[axis] != 1]
            if spots != list(range(spots[0], spots[0] + len(spots))) if spots else False:
                return asis
            where.append((spots[0] if spots else len(lay.order), number))
        taken = [number for _, number in sorted(where)]
        order = (0, *(number + 1 for number in taken))
        moved = [target[number] for number in taken]
        return _Step(lays, lambda output: Lay(order), lambda one: configured(one, target_shape=moved))

    def rows(self, level: _Level, path: str, layer: Layer, lays: tuple[Lay, ...], asis: _Step) -> _Step:
        """Layers behind a Flatten whose entries come in another order."""
        class_name, config = leaf_class(layer)
        lay = next(lay for lay in lays if lay.rows)
        flat = frozenset[str]().union(*(one.flat for one in lays))
        again = _Again(flat)
        last = len(lay.order) - 1
        if layer.is_operation or any(one.order != lay.order for one in lays):
            raise again
        if class_name in _ROWS and len(lays) == 1:
            held = {one.name.rpartition("/")[2] for one in layer.weights if not one.state}
            if not held <= {"kernel", "bias", "recurrent_kernel"}:
                raise again

            def reordered(one: Layer) -> Layer:
                for weight in named(one, "kernel"):
                    axis = axes_of(layer, weight.name, weight.shape).channels
                    if axis is None:
                        raise again
                    one = _rows(path, one, weight.name, axis, lay.rows)
                return one

            return replace(asis, wants=lays, change=reordered)
        if class_name == "Concatenate" and config.get("axis", -1) in (-1, last):
            rows: list[Block] = []
            for number, ref in enumerate(layer.calls[0].inputs()):
                size = (level.shape(ref) or (None,))[-1]
                if size is None:
                    raise again
                rows += lays[number].rows or (((int(size),), (0,)),)
            joined = Lay(lay.order, tuple(rows), flat)
            if len(layer.calls) > 1:
                raise again
            return _Step(lays, lambda output: joined)
        if class_name != layer.class_name:
            raise again
        if class_name in _TOGETHER and all(one.rows == lay.rows for one in lays):
            return _Step(lays, lambda output: lay)
        if class_name in _NORMS and class_name != "GroupNormalization" and len(lays) == 1:
            axes = config.get("axis", -1)
            if (axes[0] if isinstance(axes, (list, tuple)) and len(axes) == 1 else axes) not in (-1, last):
                raise again
            if any(not isinstance(config.get(key), (int, float, type(None))) for key in ("mean", "variance")):
                raise again

            def vectors(one: Layer) -> Layer:
                for weight in one.weights:
                    if len(weight.shape) == 1 and not weight.state:
                        one = _rows(path, one, weight.name, 0, lay.rows)
                return one

            return _Step(lays, lambda output: lay, vectors)
        constants = class_name == "Rescaling" and any(
            not isinstance(config.get(key, 0.0), (int, float)) for key in ("scale", "offset")
        )
        passes = class_name in _ALONE and not config.get("noise_shape") and activation_of(config) != "glu"
        if passes and not constants and len(lays) == 1:
            return _Step(lays, lambda output: lay)
        raise again

    def alone(self, layer: Layer, lays: tuple[Lay, ...], asis: _Step) -> _Step:
        """Number by number: any order will do, if constants follow it."""
        lay, config = lays[0], layer.config
        along = activation_of(config) in _ALONG and lay.order[-1] != len(lay.order) - 1
        if along and layer.class_name == "Activation" and activation_of(config) == "softmax":
            # an Activation knows the last axis only
            soft: dict[str, Any] = {key: config[key] for key in ("dtype", "trainable") if key in config}
            soft |= {"name": layer.name, "axis": lay.order.index(len(lay.order) - 1)}
            return _Step(
                lays,
                lambda output: lay,
                lambda one: replace(one, class_name="Softmax", registered_name=None, build_config=None, config=soft),
            )
        if along or config.get("noise_shape"):
            return asis
        if layer.class_name != "Rescaling":
            return _Step(lays, lambda output: lay)
        fields = {key: _turned_constant(config[key], lay) for key in ("scale", "offset") if key in config}
        return _Step(lays, lambda output: lay, lambda one: configured(one, **fields))

    def at_every_step(self, layer: Layer, lays: tuple[Lay, ...], asis: _Step) -> _Step:
        """TimeDistributed around a layer that knows no format: an axis moves with the map of each step."""
        class_name, config = leaf_class(layer)
        lay, axis = lays[0], config.get("axis", -1)
        if layer.class_name != "TimeDistributed" or len(lays) > 1 or lay.order[:2] != (0, 1) or len(lay.order) < 3:
            return asis
        inside = _without_time(lay)
        if class_name in _ONE_AXIS and isinstance(axis, int):
            fields = {"axis": _axis(axis, inside)}
            return _Step(lays, lambda output: lay, lambda one: with_leaf(one, **fields))
        along = activation_of(config) in _ALONG and lay.order[-1] != len(lay.order) - 1
        if class_name in _ALONE and class_name != "Rescaling" and not along and not config.get("noise_shape"):
            return _Step(lays, lambda output: lay)
        return asis

    def normed(
        self, level: _Level, path: str, layer: Layer, refs: tuple[TensorRef, ...], lays: tuple[Lay, ...], asis: _Step
    ) -> _Step:
        """A layer with an axis, or several, in its config: the axes where they are now, in ascending order."""
        lay, given = lays[0], layer.config.get("axis", -1)
        if len(lays) != 1:
            return asis
        if given is None:
            return _Step(lays, lambda output: lay)
        several = isinstance(given, (list, tuple))
        olds = [int(axis) % len(lay.order) for axis in (given if several else [given])]
        stored = sorted(olds) if layer.class_name == "Normalization" else olds
        news = sorted(lay.order.index(axis) for axis in olds)
        order = tuple(stored.index(lay.order[axis]) for axis in news)
        axis: Any = news if several else news[0]
        if order == tuple(range(len(order))):
            return _Step(lays, lambda output: lay, lambda one: configured(one, axis=axis))
        if any(isinstance(layer.config.get(key), (list, tuple, dict)) for key in ("mean", "variance")):
            return asis
        sizes = level.shape(refs[0]) or ()
        now = tuple(int(sizes[axis] or 0) for axis in stored)

        def change(one: Layer) -> Layer:
            for weight in one.weights:
                if len(weight.shape) == len(order):
                    one = _turned(path, one, weight.name, now, order)
            return configured(one, axis=axis)

        return _Step(lays, lambda output: lay, change)

    def prelu(
        self, level: _Level, path: str, layer: Layer, refs: tuple[TensorRef, ...], lays: tuple[Lay, ...]
    ) -> _Step:
        """Slopes for every place or shared: an array of the map's axes, which goes the map's way."""
        lay, shared = lays[0], layer.config.get("shared_axes")
        sizes = level.shape(refs[0]) or ()
        olds = [int(axis) % len(lay.order) for axis in shared or ()]
        now = tuple(1 if axis in olds else int(sizes[axis] or 1) for axis in range(1, len(lay.order)))
        order = tuple(axis - 1 for axis in lay.order[1:])

        def change(one: Layer) -> Layer:
            for weight in named(one, "alpha"):
                one = _turned(path, one, weight.name, now, order)
            fields = {"shared_axes": sorted(lay.order.index(axis) for axis in olds)} if shared else {}
            return configured(one, **fields)

        return _Step(lays, lambda output: lay, change)

    def operation(
        self, layer: Layer, number: int, lays: tuple[Lay, ...], rank: Callable[[int], int], asis: _Step
    ) -> _Step:
        """A `keras.ops` node that works number by number, joins, or reduces; all others see the tensor as it was."""
        lay = next(lay for lay in lays if not lay.natural)
        name, config = layer.class_name, layer.config
        same = len({len(one.order) for one in lays}) == 1
        if name in ALONE_OPS and len(lays) == 1:
            return _Step(lays, lambda output: lay)
        if name in TOGETHER_OPS and same:

            def constants(call: Call) -> Call:
                return replace(
                    call,
                    args=tuple(_turned_constant(value, lay) for value in call.args),
                    kwargs={key: _turned_constant(value, lay) for key, value in call.kwargs.items()},
                )

            return _Step((lay,) * len(lays), lambda output: lay, call=constants)
        if name in ("Concatenate", "Softmax", "LogSoftmax") and same and isinstance(config.get("axis", -1), int):
            axis = _axis(config.get("axis", -1), lay)
            return _Step((lay,) * len(lays), lambda output: lay, lambda one: configured(one, axis=axis))
        if name in _REDUCE_OPS and len(lays) == 1 and config.get("axis") is not None:
            given = config["axis"]
            olds = [int(axis) % len(lay.order) for axis in (given if isinstance(given, (list, tuple)) else [given])]
            news: Any = sorted(lay.order.index(axis) for axis in olds)
            left = lay.order if config.get("keepdims") else tuple(axis for axis in lay.order if axis not in olds)
            order = tuple(sorted(left).index(axis) for axis in left)
            fresh = news if isinstance(given, (list, tuple)) else news[0]
            return _Step(lays, lambda output: Lay(order), lambda one: configured(one, axis=fresh))
        return asis

    # what comes later

    def demand(self, level: _Level, ref: TensorRef) -> Order | None:
        """The order in which the layers that a tensor reaches first want it; `None` when none of them cares."""
        rank = level.rank(ref)
        queue, seen = [ref], {ref}
        while queue:
            here = queue.pop(0)
            for name, number in level.users.get(here, ()):
                layer = level.layers[name]
                found = self.wanted(level, layer, number, here)
                if found is not None and len(found) == rank:
                    return found
                out = TensorRef(name, number)
                if found is None and _keeps_order(layer) and level.rank(out) == rank and out not in seen:
                    seen.add(out)
                    queue.append(out)
        return None

    def wanted(self, level: _Level, layer: Layer, number: int, ref: TensorRef) -> Order | None:
        """The order in which a layer wants a tensor, `None` when any will do."""
        rank = level.rank(ref)
        if layer.inner is not None and not layer.opaque and not layer.inner.opaque:
            ports = layer.inner.input_refs()
            inside = _Level(layer.inner, "")
            for port, given in zip(ports, layer.calls[number].inputs(), strict=False):
                if given == ref:
                    found = self.demand(inside, port)
                    if found is not None:
                        return found if layer.is_model else (0, *(axis + 1 for axis in found))
            return None
        if layer.opaque:
            return tuple(range(rank))
        form = format_of(layer)
        if form is None or leaf_class(layer)[0] == "Flatten":
            return tuple(range(rank)) if leaf_class(layer)[0] in MIXING else None
        return turned(rank, self.to, _ahead(layer)) if form != self.to else tuple(range(rank))


def _with_fields(fields: dict[str, Any], layer: Layer) -> Layer:
    return with_leaf(layer, **fields) if fields else layer


def _ahead(layer: Layer) -> int:
    """Axes between the batch and the map: time."""
    return steps(layer) + (table.row(leaf_class(layer)[0]).kind == "map")


def _keeps_order(layer: Layer) -> bool:
    class_name = leaf_class(layer)[0] if layer.class_name == "TimeDistributed" else layer.class_name
    if layer.is_operation:
        return class_name in ALONE_OPS | TOGETHER_OPS or class_name == "Concatenate"
    return class_name in _ALONE | _TOGETHER | _NORMS or class_name in ("Concatenate", "PReLU", "Softmax")


def _turned_input(layer: Layer, lay: Lay) -> Layer:
    shape = layer.config.get("batch_shape")
    if lay.natural or shape is None or lay.rows:
        return layer
    return configured(layer, batch_shape=[shape[axis] for axis in lay.order])


def _without_time(lay: Lay) -> Lay:
    return replace(lay, order=tuple(axis - 1 if axis else 0 for axis in lay.order if axis != 1))


def _with_time(lay: Lay) -> Lay:
    return replace(lay, order=(0, 1, *(axis + 1 for axis in lay.order[1:])))


def _axis(axis: int, lay: Lay) -> int:
    return lay.order.index(axis % len(lay.order))


def _turned_constant(value: Any, lay: Lay) -> Any:
    """A constant that meets the tensor number by number, with its axes where the tensor's are now."""
    array = expanded_constant(value, len(lay.order))
    return value if array is None else put_back(value, np.transpose(array, lay.order))


def _turned(path: str, layer: Layer, name: str, now: tuple[int, ...], order: Order) -> Layer:
    def make(shape: tuple[int, ...]) -> TurnedAxes:
        return TurnedAxes(shape=tuple(shape[axis] for axis in order), order=order)

    return arranged(path, layer, name, now, make)


def _rows(path: str, layer: Layer, name: str, axis: int, blocks: tuple[Block, ...]) -> Layer:
    weight = next(one for one in layer.weights if one.name == name)
    size = sum(int(np.prod(block[0])) for block in blocks)
    now = tuple(size if place == axis else count for place, count in enumerate(weight.shape))
    return arranged(path, layer, name, now, lambda shape: ReorderedRows(shape=shape, axis=axis, blocks=blocks))


def _merged(sizes: list[int], target: list[int]) -> list[list[int]] | None:
    """For each axis of a Reshape's target the old axes (batch counted) that it merges, or `None` if it splits any."""
    if target.count(-1) == 1:
        known = int(np.prod([size for size in target if size != -1]))
        target = [int(np.prod(sizes)) // max(known, 1) if size == -1 else size for size in target]
    groups: list[list[int]] = []
    at = 0
    for size in target:
        group, product = [], 1
        while at < len(sizes) and product < size:
            product *= sizes[at]
            group.append(at + 1)
            at += 1
        if product != size:
            return None
        groups.append(group)
    return groups if all(size == 1 for size in sizes[at:]) else None
