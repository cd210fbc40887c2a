"""The frozen description of a model: layers, their calls, their weights.

A graph is a value. Readers make one from a file, edits make one from another, the engine annotates one with
shapes, writers turn one into a file. Nothing in it is ever changed in place; configs and call arguments are
plain JSON-like data that everybody treats as read-only.

What is asked of a graph again and again (layers by name and path, who takes a tensor, an order of the calls) is made
when it is first asked for and kept with the graph, so that a question costs the same in a model of any size.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from math import prod
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from core.stopping import checkpoint

Shape = tuple[int | None, ...]
"""The shape of a tensor, batch first; `None` is a dynamic dimension."""
Node = tuple[str, int]
"""One call of a layer: its name and the call's number."""


class TensorRef(Struct, frozen=True, gc=False):
    """An edge's origin: output number `output` of call number `call` of the layer named `layer`, same graph.

    Calls are counted from 0 for every kind of layer (file dialects that count nested models from 1 are
    normalised by the readers).
    """

    layer: str
    call: int = 0
    output: int = 0


class TensorSpec(Struct, frozen=True, gc=False):
    """Shape (batch first) and dtype of one tensor; `shape` is `None` when nothing is known."""

    shape: Shape | None
    dtype: str = "float32"


class Call(Struct, frozen=True):
    """One use of a layer. `args` and `kwargs` nest lists, tuples and dicts; leaves are `TensorRef` or constants
    (in Keras 3's serialised form). `outputs` are the flat output tensors, `None` until somebody knows them.
    """

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    outputs: tuple[TensorSpec, ...] | None = None

    def inputs(self) -> tuple[TensorRef, ...]:
        """Every tensor that goes into this call, in order."""
        if len(self.args) == 1 and isinstance(self.args[0], TensorRef):
            for value in self.kwargs.values():
                if value is not None and not isinstance(value, bool):
                    break
            else:
                return self.args  # nearly every call of a big graph
        found: list[TensorRef] = []
        _gather(self.args, found)
        _gather(self.kwargs, found)
        return tuple(found)


class StoreKey(Struct, frozen=True, gc=False):
    """Where an array lies: `file` 0 is the source, 1 and up the recipe's weight files; `key` is the store's own."""

    key: str
    file: int = 0


class Weight(Struct, frozen=True, gc=False):
    """One weight array of a layer.

    `name` is canonical: Keras 3's attribute path inside the layer without `vars` (`kernel`, `cell/kernel`,
    `forward_layer/cell/bias`). `key` is Keras 3's storage path inside the layer (`vars/0`, `cell/vars/1`).
    `state` marks what Keras stores but does not count as a weight (seeds of random layers).
    `source` is the array this weight's values come from: its identity, which no edit changes by accident.
    `decode` is the rule that makes floats of a quantized array ahead of all others (`core.rules.quantization`); `shape`
    is then that of the floats. `unpacked` is, where the layer needs a packed array, the shape of the floats in it.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    trainable: bool = True
    key: str = ""
    state: bool = False
    source: StoreKey | None = None
    decode: Any = None
    unpacked: tuple[int, ...] | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)


class Layer(Struct, frozen=True):
    """One layer (or `keras.ops` operation, or nested model) of a graph.

    `config` is the Keras 3 constructor config; for a nested model it holds only what is not in `inner`.
    `inner` is the graph inside; `inner_key` names the config entry it lives under for wrappers
    (`"layer"` for TimeDistributed) and is `None` when the layer itself is the model.
    `weights` are the arrays the source has for this layer (none for new layers).
    `rules` says, per weight name, how its array becomes one of another shape (see `core.rules`).
    `origin` is the layer's path in the source, kept through renames; `None` for new layers.
    `born` is the name that a new layer came with, where it has another one now (see `first_paths`).
    `opaque` marks a layer whose code is missing: it is carried through untouched.
    `history` is what a change of channels notes for a later one (see `core.surgery.channel_history`).
    `trusted` are the digests of the stored code in this layer that the person trusts; code that is not among them is
    not run, whoever put it there (see `core.layers.foreign.code_marks`).
    `bases` are Keras's classes by the names of the person's that derive from them, where their code is known.
    """

    name: str
    class_name: str
    module: str | None = "keras.layers"
    registered_name: str | None = None
    config: dict[str, Any] = {}
    build_config: dict[str, Any] | None = None
    trainable: bool = True
    weights: tuple[Weight, ...] = ()
    rules: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    calls: tuple[Call, ...] = ()
    inner: "Graph | None" = None
    inner_key: str | None = None
    origin: str | None = None
    born: str | None = None
    opaque: bool = False
    history: Any = None
    trusted: frozenset[str] = frozenset()
    bases: dict[str, str] = {}

    @property
    def is_model(self) -> bool:
        """Whether this layer is itself a nested model (not a wrapper around one)."""
        return self.inner is not None and self.inner_key is None

    @property
    def is_input(self) -> bool:
        """Whether this is an InputLayer."""
        return self.class_name == "InputLayer"

    @property
    def is_operation(self) -> bool:
        """Whether this node is a `keras.ops` operation rather than a layer."""
        return bool(self.module) and (self.module or "").startswith("keras.src.ops")

    def rules_for(self, weight: str) -> tuple[Any, ...]:
        """The rules recorded for one weight, in the order they apply."""
        return next((rules for name, rules in self.rules if name == weight), ())

    def with_rules(self, weight: str, rules: tuple[Any, ...]) -> "Layer":
        """This layer with `rules` recorded for `weight` instead of whatever was there."""
        kept = tuple(pair for pair in self.rules if pair[0] != weight)
        return replace(self, rules=(*kept, (weight, rules)) if rules else kept)

    def num_params(self) -> int:
        """Parameters in the source's arrays, nested ones included, random seeds not."""
        own = sum(weight.size for weight in self.weights if not weight.state)
        return own + (self.inner.num_params() if self.inner else 0)


class Graph(Struct, frozen=True, dict=True):
    """A model: layers in the order of its config, with the structure of its inputs and outputs.

    `inputs` and `outputs` keep the model's own nesting (a `TensorRef`, or lists and dicts of them).
    `class_name` is `Functional`, `Sequential`, or a custom class; a graph of an unknown (subclassed) model has
    `opaque=True` and its layers carry no calls. `weights` are arrays the model holds beside its layers.

    A path such as `backbone/conv1` is names put together; a name may hold a `/` itself, and `trail` tells them apart.
    """

    name: str
    class_name: str = "Functional"
    module: str | None = "keras"
    registered_name: str | None = None
    layers: tuple[Layer, ...] = ()
    inputs: Any = ()
    outputs: Any = ()
    config: dict[str, Any] = {}
    trainable: bool = True
    opaque: bool = False
    weights: tuple[Weight, ...] = ()

    @property
    def is_sequential(self) -> bool:
        """Whether the model is written as a chain."""
        return self.class_name == "Sequential"

    # one layer

    @cached_property
    def _places(self) -> dict[str, int]:
        """The place of each layer of this level; of several with one name, the first."""
        return {layer.name: place for place, layer in zip(_down(self.layers), reversed(self.layers), strict=True)}

    @cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers}

    @cached_property
    def _by_path(self) -> dict[str, Layer]:
        found: dict[str, Layer] = {}
        for path, layer in self.walk():
            found.setdefault(path, layer)
        return found

    def layer(self, name: str) -> Layer:
        """The layer of that name at this level. Raises `KeyError`."""
        return self.layers[self._places[name]]

    def by_name(self) -> Mapping[str, Layer]:
        """Layers of this level by name."""
        return self._by_name

    def by_path(self) -> Mapping[str, Layer]:
        """Layers of all levels by path, in the order of `walk`."""
        return self._by_path

    def trail(self, path: str) -> tuple[str, ...]:
        """The names that lead to the layer at a path, outermost first. Raises `KeyError` with the path.

        Of several layers that a path could mean, the one that `walk` meets first.
        """
        places = self._places
        ways = [] if path not in places else [(places[path], len(path))]
        at = path.find("/")
        while at >= 0:
            if path[:at] in places:
                ways.append((places[path[:at]], at))
            at = path.find("/", at + 1)
        for place, end in sorted(ways):
            layer = self.layers[place]
            if end == len(path):
                return (layer.name,)
            if layer.inner is not None:
                try:
                    return (layer.name, *layer.inner.trail(path[end + 1 :]))
                except KeyError:
                    continue
        raise KeyError(path)

    def find(self, path: str) -> Layer:
        """The layer at a path such as `backbone/conv1`. Raises `KeyError` with the path."""
        places = self._places
        if path in places and "/" not in path:
            return self.layers[places[path]]
        *around, name = self.trail(path)
        return self.inside(tuple(around)).layer(name)

    def inside(self, trail: tuple[str, ...]) -> "Graph":
        """The level that the layers of these names lead into; `()` is this one. Raises `KeyError`."""
        level = self
        for name in trail:
            inner = level.layer(name).inner
            if inner is None:
                raise KeyError(name)
            level = inner
        return level

    def around(self, path: str) -> "Graph":
        """The level that holds the layer at a path. Raises `KeyError` with the path."""
        return self.inside(self.trail(path)[:-1])

    # all layers

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Layer]]:
        """Every layer with its path, parents before children, in config order."""
        for layer in self.layers:
            path = prefix + layer.name
            yield path, layer
            if layer.inner is not None:
                yield from layer.inner.walk(path + "/")

    def levels(self, prefix: str = "") -> "dict[str, Graph]":
        """Every level by the prefix of its layers' paths: `""` for this one, `backbone/` for what `backbone` holds."""
        found = {prefix: self}
        for layer in self.layers:
            if layer.inner is not None:
                found.update(layer.inner.levels(f"{prefix}{layer.name}/"))
        return found

    # tensors

    def input_refs(self) -> tuple[TensorRef, ...]:
        """Input tensors, flat."""
        return tuple(leaves(self.inputs))

    def output_refs(self) -> tuple[TensorRef, ...]:
        """Output tensors, flat."""
        return tuple(leaves(self.outputs))

    def input_layers(self) -> tuple[Layer, ...]:
        """The InputLayers, in the order of the model's inputs."""
        names = self.by_name()
        return tuple(names[ref.layer] for ref in self.input_refs())

    def spec(self, ref: TensorRef) -> TensorSpec:
        """What is known of a tensor of this level (`shape=None` if nothing)."""
        try:
            outputs = self.layer(ref.layer).calls[ref.call].outputs
        except (KeyError, IndexError):
            return TensorSpec(None)
        return outputs[ref.output] if outputs and ref.output < len(outputs) else TensorSpec(None)

    @cached_property
    def _consumers(self) -> dict[TensorRef, tuple[Node, ...]]:
        table: dict[TensorRef, list[Node]] = {}
        for layer in self.layers:
            checkpoint()
            for number, call in enumerate(layer.calls):
                for ref in call.inputs():
                    table.setdefault(ref, []).append((layer.name, number))
        return {ref: tuple(nodes) for ref, nodes in table.items()}

    def consumers(self) -> Mapping[TensorRef, tuple[Node, ...]]:
        """For each tensor of this level, the (layer, call) pairs it goes into."""
        return self._consumers

    def parents(self, node: Node) -> tuple[Node, ...]:
        """The calls whose outputs a call takes, by the order of its inputs; none for a call that is not there."""
        layer = self._by_name.get(node[0])
        if layer is None or node[1] >= len(layer.calls):
            return ()
        return tuple([(ref.layer, ref.call) for ref in layer.calls[node[1]].inputs()])

    @cached_property
    def order(self) -> tuple[Node, ...]:
        """Every (layer, call) of this level, each after the calls it depends on; else in config order."""
        layers = self._by_name
        done: set[Node] = set()
        order: list[Node] = []
        for layer in self.layers:
            checkpoint()
            for number in range(len(layer.calls)):
                stack = [(layer.name, number)]
                waiting: set[Node] = set()
                while stack:
                    node = stack[-1]
                    if node in done:
                        stack.pop()
                        continue
                    missing = [one for one in self.parents(node) if one not in done and one[0] in layers]
                    if not missing or node in waiting:
                        done.add(node)
                        order.append(node)
                        stack.pop()
                    else:
                        waiting.add(node)
                        stack.extend(missing)
        return tuple(order)

    def needed_for(self, *refs: TensorRef) -> set[Node]:
        """The calls that tensors of this level depend on, those that make them included."""
        layers = self._by_name
        needed: set[Node] = set()
        stack = [(ref.layer, ref.call) for ref in refs]
        while stack:
            checkpoint()
            node = stack.pop()
            if node not in needed and node[0] in layers:
                needed.add(node)
                stack.extend(self.parents(node))
        return needed

    def num_params(self) -> int:
        """Parameters in the source's arrays, every level, each shared layer once."""
        own = sum(weight.size for weight in self.weights if not weight.state)
        return own + sum(layer.num_params() for layer in self.layers)

    # other graphs

    def wired_as(self, other: "Graph") -> "Graph":
        """This graph, which knows what `other` knows of its order and consumers if the calls are the very same."""
        if other is not self and _called_alike(self.layers, other.layers):
            for known in ("order", "_consumers"):
                if known in other.__dict__:
                    self.__dict__.setdefault(known, other.__dict__[known])
        return self

    def replace_layers(self, change: "Callable[[str, Layer], Layer]", prefix: str = "") -> "Graph":
        """A new graph with `change(path, layer)` applied at every level, children first.

        Untouched subgraphs are the same objects as before, which keeps caches warm.
        """
        layers = []
        for layer in self.layers:
            checkpoint()
            path = prefix + layer.name
            inner = layer.inner.replace_layers(change, path + "/") if layer.inner is not None else None
            base = replace(layer, inner=inner) if inner is not layer.inner else layer
            layers.append(change(path, base))
        if all(new is old for new, old in zip(layers, self.layers, strict=True)):
            return self
        return replace(self, layers=tuple(layers))

    def with_layer(self, path: str, layer: Layer) -> "Graph":
        """A new graph with the layer at `path` replaced. Raises `KeyError`."""
        return self.with_layers({path: layer})

    def with_layers(self, fresh: Mapping[str, Layer]) -> "Graph":
        """A new graph with the layers at many paths replaced, in one pass. Raises `KeyError`.

        Where a layer and others inside it are replaced, the others go into the graph that the layer brings.
        """
        return self._with({self.trail(path): layer for path, layer in fresh.items()}) if fresh else self

    def _with(self, fresh: "Mapping[tuple[str, ...], Layer]") -> "Graph":
        here: dict[int, Layer] = {}
        below: dict[int, dict[tuple[str, ...], Layer]] = {}
        for (name, *rest), layer in fresh.items():
            if rest:
                below.setdefault(self._places[name], {})[tuple(rest)] = layer
            else:
                here[self._places[name]] = layer
        layers = list(self.layers)
        for place, layer in here.items():
            layers[place] = layer
        for place, inside in below.items():
            inner = layers[place].inner
            if inner is None:
                raise KeyError("/".join((layers[place].name, *next(iter(inside)))))
            layers[place] = replace(layers[place], inner=inner._with(inside))
        return replace(self, layers=tuple(layers))


def _down(layers: tuple[Layer, ...]) -> range:
    return range(len(layers) - 1, -1, -1)


def _called_alike(layers: tuple[Layer, ...], others: tuple[Layer, ...]) -> bool:
    """Whether two lists of layers have the very same calls, their outputs aside."""
    if len(layers) != len(others):
        return False
    for one, two in zip(layers, others, strict=True):
        if one is two:
            continue
        if one.name != two.name or len(one.calls) != len(two.calls):
            return False
        for mine, theirs in zip(one.calls, two.calls, strict=True):
            if mine.args is not theirs.args or mine.kwargs is not theirs.kwargs:
                return False
    return True


def first_paths(graph: Graph, prefix: str = "", before: str = "") -> dict[str, str]:
    """The path that each layer came with, by its path now: a name of its own says nothing of its first values."""
    found: dict[str, str] = {}
    for layer in graph.layers:
        first = layer.origin if layer.origin is not None else layer.name if layer.born is None else layer.born
        path = prefix + layer.name
        found[path] = before + first
        if layer.inner is not None:
            found.update(first_paths(layer.inner, f"{path}/", f"{before}{first}/" if first else before))
    return found


def origins(graph: Graph, prefix: str = "", before: str = "") -> dict[str, str]:
    """What the source calls each layer that came from it, as a path, by the layer's path now."""
    found = {}
    for layer in graph.layers:
        if layer.origin is None:
            continue
        path, origin = prefix + layer.name, before + layer.origin
        found[path] = origin
        if layer.inner is not None:
            found.update(origins(layer.inner, f"{path}/", f"{origin}/"))
    return found


def leaves(structure: Any) -> Iterator[TensorRef]:
    """Every `TensorRef` in nested lists, tuples and dicts, in order; dicts by sorted key, as Keras flattens them."""
    if isinstance(structure, TensorRef):
        yield structure
    elif isinstance(structure, dict):
        for key in sorted(structure):
            yield from leaves(structure[key])
    elif isinstance(structure, (list, tuple)):
        for value in structure:
            yield from leaves(value)


def _gather(structure: Any, found: list[TensorRef]) -> None:
    """`leaves` into a list: plans ask for the inputs of every call again and again, and generators take longer."""
    if isinstance(structure, TensorRef):
        found.append(structure)
    elif isinstance(structure, (list, tuple)):
        for value in structure:
            _gather(value, found)
    elif isinstance(structure, dict) and structure:
        for key in sorted(structure):
            _gather(structure[key], found)


def map_leaves(change: Callable[[TensorRef], Any], structure: Any) -> Any:
    """The same nesting with every `TensorRef` replaced by `change(ref)`."""
    if isinstance(structure, TensorRef):
        return change(structure)
    if isinstance(structure, dict):
        return {key: map_leaves(change, value) for key, value in structure.items()}
    if isinstance(structure, tuple):
        return tuple(map_leaves(change, value) for value in structure)
    if isinstance(structure, list):
        return [map_leaves(change, value) for value in structure]
    return structure
