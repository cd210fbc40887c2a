"""From a model's serialised config (already in Keras 3's vocabulary, see `core.repairs`) to a graph without weights."""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from core.errors import FileError
from core.layers.foreign import call_code, layer_code
from core.layers.known import APPLICATION_LAYERS, CODE_LAYERS, LAYERS, MODELS, is_builtin_module
from core.model.calls import RawRef, is_legacy_node, read_node, read_ports, read_shape
from core.model.graph import Call, Graph, Layer, TensorRef, TensorSpec, leaves, map_leaves

_STRUCTURE = ("layers", "input_layers", "output_layers")


class _Draft(Struct):
    """A level under construction: what the file says of each layer's nodes, before references are renumbered."""

    layer: Layer
    nodes: list[Call]
    legacy: bool


def is_model_config(value: Any) -> bool:
    """Whether a serialised object is a model made of layers."""
    if not isinstance(value, dict) or not isinstance(value.get("config"), dict):
        return False
    if value.get("class_name") == "Pipeline":
        return False  # a layer that holds layers without connections
    layers = value["config"].get("layers")
    if not isinstance(layers, list) or not all(_is_serialised(item) for item in layers):
        return False
    return bool(layers) or value.get("class_name") in MODELS


def _is_serialised(value: Any) -> bool:
    return isinstance(value, dict) and "class_name" in value and isinstance(value.get("config"), dict)


def build_graph(model: dict[str, Any], path: str = "") -> Graph:
    """The graph of a serialised model. `path` names the file in errors.

    Raises `FileError` when the config contradicts itself (unknown layers referred to, two layers of one name).
    """
    config = model.get("config")
    if not isinstance(config, dict):
        raise _broken(path, "it has no fields")
    name = str(config.get("name") or model.get("name") or "model")
    base = Graph(
        name=name,
        class_name=str(model.get("class_name", "Functional")),
        module=model.get("module"),
        registered_name=model.get("registered_name"),
        config={key: value for key, value in config.items() if key not in (*_STRUCTURE, "name", "trainable")},
        trainable=bool(config.get("trainable", True)),
    )
    if not is_model_config(model):
        return replace(base, opaque=True)
    if "output_layers" in config or any("inbound_nodes" in item for item in config["layers"]):
        return _functional(base, config, path)
    return _sequential(base, model, path)


def _functional(base: Graph, config: dict[str, Any], path: str) -> Graph:
    drafts: dict[str, _Draft] = {}
    specs: dict[RawRef, TensorSpec] = {}
    for item in config["layers"]:
        layer = read_layer(item, path)
        if layer.name in drafts:
            raise _broken(path, f"two layers are named {layer.name!r}")
        nodes = item.get("inbound_nodes") or []
        if not isinstance(nodes, list) or not all(isinstance(node, (dict, list)) for node in nodes):
            raise _broken(path, f"the connections of layer {layer.name!r} have an unknown format")
        drafts[layer.name] = _Draft(layer, [read_node(node, specs) for node in nodes], any(map(is_legacy_node, nodes)))
    inputs, outputs = read_ports(config.get("input_layers", [])), read_ports(config.get("output_layers", []))
    shifts = _shifts(drafts, outputs)
    known: dict[str, dict[RawRef, TensorSpec]] = {}
    for ref, spec in specs.items():
        known.setdefault(ref[0], {})[ref] = spec
    layers = []
    for draft in drafts.values():
        calls = [
            replace(call, args=map_leaves(shifts.inbound, call.args), kwargs=map_leaves(shifts.inbound, call.kwargs))
            for call in draft.nodes
        ]
        opaque = draft.layer.opaque or any(map(call_code, calls))
        made = _with_specs(draft, calls, known.get(draft.layer.name, {}), shifts)
        layers.append(replace(draft.layer, calls=made, opaque=opaque))
    graph = _with_ends(
        replace(
            base,
            layers=tuple(layers),
            inputs=map_leaves(shifts.port, inputs),
            outputs=map_leaves(shifts.port, outputs),
        )
    )
    if graph.opaque:
        return graph
    _check(graph, path)
    return graph


def _with_ends(graph: Graph) -> Graph:
    """A model whose config names no inputs or no outputs: its input layers are the inputs, calls that nothing takes the
    outputs. Where no connections are written either, nothing is known of it but its layers.
    """
    taken = {(ref.layer, ref.call) for layer in graph.layers for call in layer.calls for ref in call.inputs()}
    if not graph.input_refs():
        graph = replace(graph, inputs=_structure([TensorRef(layer.name) for layer in graph.layers if layer.is_input]))
    if not graph.output_refs():
        loose = [
            TensorRef(layer.name, number)
            for layer in graph.layers
            for number in range(len(layer.calls))
            if not layer.is_input and (layer.name, number) not in taken
        ]
        graph = replace(graph, outputs=_structure(loose))
    if graph.input_refs() and graph.output_refs():
        return graph
    bare = tuple(replace(layer, calls=()) for layer in graph.layers)
    return replace(graph, layers=bare, inputs=(), outputs=(), opaque=True)


def _structure(refs: list[TensorRef]) -> Any:
    return refs[0] if len(refs) == 1 else refs


def _with_specs(
    draft: _Draft, calls: list[Call], specs: dict[RawRef, TensorSpec], shifts: "_Shifts"
) -> tuple[Call, ...]:
    """The calls with what is known of their outputs; `specs` are those of this layer."""
    layer = draft.layer
    if layer.is_input and not calls:
        return (Call(outputs=(_input_spec(layer),)),)
    found: dict[int, dict[int, TensorSpec]] = {}
    for (name, node, output), spec in specs.items():
        found.setdefault(shifts.inbound(TensorRef(name, node)).call, {})[output] = spec
    return tuple(
        replace(
            call,
            outputs=tuple(
                found[number][i] if i in found[number] else TensorSpec(None) for i in range(max(found[number]) + 1)
            ),
        )
        if number in found and max(found[number]) < 1000
        else call
        for number, call in enumerate(calls)
    )


class _Shifts:
    """How far a file's node numbers are from ours, for each nested model.

    Keras 2 counts the calls of a nested model from 1 everywhere (its own inputs are call 0), Keras 3 only in
    `input_layers` and `output_layers` and only for Functional ones. The number of calls tells which it was.
    """

    def __init__(self) -> None:
        self.of_inbound: dict[str, int] = {}
        self.of_ports: dict[str, int] = {}

    def inbound(self, ref: TensorRef) -> TensorRef:
        shift = self.of_inbound.get(ref.layer, 0)
        return replace(ref, call=ref.call - shift) if shift else ref

    def port(self, ref: TensorRef) -> TensorRef:
        shift = self.of_ports.get(ref.layer, 0)
        return replace(ref, call=ref.call - shift) if shift else ref


def _shifts(drafts: dict[str, _Draft], outputs: Any) -> _Shifts:
    inbound: dict[str, list[int]] = {}
    ports: dict[str, list[int]] = {}
    legacy = any(draft.legacy for draft in drafts.values())
    for draft in drafts.values():
        for call in draft.nodes:
            for ref in call.inputs():
                inbound.setdefault(ref.layer, []).append(ref.call)
    for ref in leaves(outputs):
        ports.setdefault(ref.layer, []).append(ref.call)
    shifts = _Shifts()
    for name, draft in drafts.items():
        if not draft.layer.is_model:
            continue
        count = len(draft.nodes)
        functional = draft.layer.inner is not None and not draft.layer.inner.is_sequential
        shifts.of_inbound[name] = _fitting(int(legacy), inbound.get(name, []), count)
        shifts.of_ports[name] = _fitting(int(legacy or functional), ports.get(name, []), count)
    return shifts


def _fitting(expected: int, numbers: Iterable[int], count: int) -> int:
    numbers = list(numbers)
    for shift in (expected, 1 - expected):
        if all(0 <= number - shift < count for number in numbers):
            return shift
    return expected


def _check(graph: Graph, path: str) -> None:
    layers = graph.by_name()
    refs = [ref for layer in graph.layers for call in layer.calls for ref in call.inputs()]
    for ref in [*refs, *graph.input_refs(), *graph.output_refs()]:
        if ref.layer not in layers:
            raise _broken(path, f"a connection comes from layer {ref.layer!r}, which does not exist")
        if not 0 <= ref.call < max(1, len(layers[ref.layer].calls)):
            raise _broken(path, f"a connection comes from call {ref.call} of layer {ref.layer!r}, which does not exist")
    for ref in graph.input_refs():
        if not layers[ref.layer].is_input:
            raise _broken(path, f"the model input {ref.layer!r} is not an InputLayer")
    _check_order(graph, path)


def _check_order(graph: Graph, path: str) -> None:
    """Refuse loops: every call must be computable from calls before it."""
    waiting = {
        (layer.name, number): {(ref.layer, ref.call) for ref in call.inputs()}
        for layer in graph.layers
        for number, call in enumerate(layer.calls)
    }
    followers: dict[tuple[str, int], list[tuple[str, int]]] = {}
    missing = {node: len(before) for node, before in waiting.items()}
    for node, before in waiting.items():
        for origin in before:
            followers.setdefault(origin, []).append(node)
    ready = [node for node, count in missing.items() if not count]
    done = 0
    while ready:
        node = ready.pop()
        done += 1
        for follower in followers.get(node, ()):
            missing[follower] -= 1
            if not missing[follower]:
                ready.append(follower)
    if done < len(waiting):
        stuck = next(node[0] for node, count in missing.items() if count)
        raise _broken(path, f"the connections of layer {stuck!r} form a cycle")


def _sequential(base: Graph, model: dict[str, Any], path: str) -> Graph:
    items = model["config"]["layers"]
    layers = [read_layer(item, path) for item in items]
    if not layers or not layers[0].is_input:
        layers.insert(0, _made_input(model, items, {layer.name for layer in layers}))
    names: set[str] = set()
    chain: list[Layer] = []
    for layer in layers:
        if layer.name in names:
            raise _broken(path, f"two layers are named {layer.name!r}")
        names.add(layer.name)
        call = Call(args=(TensorRef(chain[-1].name),)) if chain else Call(outputs=(_input_spec(layer),))
        chain.append(replace(layer, calls=(call,)))
    return replace(base, layers=tuple(chain), inputs=TensorRef(chain[0].name), outputs=TensorRef(chain[-1].name))


def _made_input(model: dict[str, Any], items: list[dict[str, Any]], taken: set[str]) -> Layer:
    """The InputLayer that a Sequential without one implies. Its `batch_shape` is `None` when no place tells it."""
    config = model["config"]
    first = items[0] if items else {}
    candidates = [
        config.get("build_input_shape"),
        config.get("batch_input_shape"),
        (model.get("build_config") or {}).get("input_shape"),
        first.get("config", {}).get("batch_input_shape"),
        (first.get("build_config") or {}).get("input_shape"),
    ]
    if is_model_config(first):
        inner = build_graph(first)
        found = inner.input_layers()
        declared = _input_spec(found[0]).shape if len(found) == 1 else None
        candidates.append(None if declared is None else list(declared))
    shape = next((known for value in candidates if (known := read_shape(value)) is not None), None)
    name = "input_layer"
    while name in taken:
        name += "_"
    dtype = first.get("config", {}).get("dtype")
    input_dtype = dtype if isinstance(dtype, str) and dtype not in ("mixed_float16", "mixed_bfloat16") else "float32"
    if first.get("class_name") == "Embedding":
        input_dtype = "float32"
    fields = {
        "batch_shape": None if shape is None else list(shape),
        "dtype": input_dtype,
        "sparse": False,
        "ragged": False,
        "name": name,
        "optional": False,
    }
    return Layer(name=name, class_name="InputLayer", module="keras.layers", config=fields, origin=name)


def read_layer(item: dict[str, Any], path: str) -> Layer:
    """One serialised layer, without calls and weights."""
    config = dict(item["config"])
    name = str(item.get("name") or config.get("name") or "")
    class_name = str(item["class_name"])
    module = item.get("module")
    if not name:
        raise _broken(path, f"a layer of class {class_name} has no name")
    layer = Layer(
        name=name,
        class_name=class_name,
        module=module,
        registered_name=item.get("registered_name"),
        config=config,
        build_config=item.get("build_config"),
        trainable=bool(config.get("trainable", True)),
        origin=str(item.get("saved_name") or name),
        opaque=not is_known(module, class_name),
    )
    if is_model_config(item):
        inner = build_graph({**item, "config": {**config, "name": name}}, path)
        rest = {key: value for key, value in config.items() if key not in _STRUCTURE}
        return replace(layer, config=rest, inner=inner, opaque=False)
    for key, value in config.items():
        if is_model_config(value):
            rest = {field: value for field, value in config.items() if field != key}
            layer = replace(layer, config=rest, inner=build_graph(value, path), inner_key=key)
            break
    # a layer of Keras's own that refers to other code is as opaque as one of another class
    given = layer.config.get("batch_shape")
    if layer.is_input and given is not None and read_shape(given) is None:
        raise _broken(path, f"the shape of the input {layer.name!r} is not a list of whole numbers and null")
    return replace(layer, opaque=layer.opaque or bool(layer_code(class_name, layer.config)))


def is_known(module: str | None, class_name: str) -> bool:
    """Whether Keras 3 itself has the class, and its config is enough to rebuild it."""
    if not is_builtin_module(module) or class_name in CODE_LAYERS:
        return False
    if class_name in APPLICATION_LAYERS:
        return module == APPLICATION_LAYERS[class_name]
    return class_name in LAYERS or class_name in MODELS or str(module).startswith("keras.src.ops")


def _input_spec(layer: Layer) -> TensorSpec:
    config = layer.config
    dtype = config.get("dtype")
    return TensorSpec(read_shape(config.get("batch_shape")), dtype if isinstance(dtype, str) else "float32")


def _broken(path: str, what: str) -> FileError:
    from core.readers.containers.fault import damaged

    return damaged(path or "The model", f"has an invalid model config: {what}")
