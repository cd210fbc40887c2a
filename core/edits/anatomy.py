"""Questions about a graph, answered without Keras: where an input goes until its channels mix, and through what."""

from collections import deque
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from core.errors import EditError
from core.graph import Graph, Layer, TensorRef, Weight
from core.rules.axes import leaf_class
from core.rules.fold import Affine, Value

CONVOLUTIONS = frozenset(f"{kind}{n}D" for kind in ("Conv", "SeparableConv") for n in (1, 2, 3)) | frozenset(
    f"Conv{n}DTranspose" for n in (1, 2, 3)
)
DEPTHWISE = frozenset({"DepthwiseConv1D", "DepthwiseConv2D"})
MIXING = CONVOLUTIONS | frozenset(
    {"Dense", "EinsumDense", "LSTM", "GRU", "SimpleRNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"}
    | {"MultiHeadAttention", "RNN"}
)
_TOKENS = frozenset({"Embedding", "Hashing", "StringLookup", "IntegerLookup", "CategoryEncoding", "TextVectorization"})
_VECTOR_LAYERS = frozenset({"Normalization", "BatchNormalization", "LayerNormalization", "RMSNormalization", "PReLU"})
_PLAIN_PREFIXES = ("Cropping", "UpSampling", "SpatialDropout", "Random", "MaxPooling", "AveragePooling", "Global")
_PLAIN = frozenset(
    {"Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout"}
    | {"Identity", "Masking", "Resizing", "CenterCrop", "ActivityRegularization", "Solarization", "AutoContrast"}
    | {"AugMix", "CutMix", "MixUp", "RandAugment", "Equalization"}
)
_NONLINEAR = frozenset({"Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "PReLU", "LayerNormalization"})
_ARITHMETIC = {"Add": 1, "Subtract": -1, "Multiply": 1, "Divide": -1, "TrueDivide": -1}


class State(Struct, frozen=True):
    """How a tensor follows from the input: its channels, the affine steps behind it, what happened on the way.

    A channel axis holds `inner` numbers per channel after depthwise convolutions. `linear` is false after an
    activation, `padded` says that zeros were added after the first affine step, `flat` is the map's shape (without
    batch) when it was flattened, `axis` the channel axis with the batch counted, if somebody said it.
    """

    steps: tuple[Affine, ...] = ()
    inner: int = 1
    linear: bool = True
    padded: bool = False
    flat: tuple[int | None, ...] | None = None


class Site(Struct, frozen=True):
    """A layer that the input's channels reach. `role`: `mixing` sums over channels, `depthwise` and `vector` treat
    them one by one, `constants` holds per-channel numbers in its config or call, `blocked` is where nothing is known.
    """

    path: str
    layer: Layer
    role: str
    state: State


class Trace(Struct, frozen=True):
    """Everything one input reaches before and where its channels mix, in order."""

    input: str
    sites: tuple[Site, ...]

    def mixing(self) -> tuple[Site, ...]:
        """The first layers that mix channels."""
        return tuple(site for site in self.sites if site.role == "mixing")

    def blocked(self) -> tuple[Site, ...]:
        """Where the way could not be followed."""
        return tuple(site for site in self.sites if site.role == "blocked")


def find_input(graph: Graph, name: str | None) -> Layer:
    """The InputLayer called `name`, or the only one. Raises `EditError`."""
    if graph.opaque:
        what = "The file holds arrays without the model they belong to, so there is"
        if graph.class_name != "Unknown":
            what = f"The model is of the class {graph.class_name}, whose code is not in the file, so it shows"
        raise EditError(
            f"{what} no input that could be changed here. Build the model at the size you want, save it, open that "
            "file and take the weights over from this one with transfer_weights."
        )
    inputs = graph.input_layers()
    names = [layer.name for layer in inputs]
    if name is None:
        if len(inputs) == 1:
            return inputs[0]
        known = ", ".join(names) or "none"
        raise EditError(f"The model has {len(inputs)} inputs ({known}); say which one with input.")
    for layer in inputs:
        if layer.name == name:
            return layer
    raise EditError(f"There is no input {name!r}; the model's inputs are {', '.join(names) or 'unknown'}.")


_REMEMBERED = 16
_TRACES: dict[tuple[int, str], tuple[Graph, Trace]] = {}


def trace_input(graph: Graph, name: str) -> Trace:
    """Follow one input through everything that keeps channels apart, into nested models at any depth.

    An edit asks this several times of the same graph, so the last answers are remembered by the graph object.
    """
    known = _TRACES.get((id(graph), name))
    if known is None or known[0] is not graph:
        sites: dict[str, Site] = {}
        _follow(graph, "", {TensorRef(name): State()}, sites)
        if len(_TRACES) >= _REMEMBERED:
            _TRACES.clear()
        known = _TRACES[id(graph), name] = (graph, Trace(name, tuple(sites.values())))
    return known[1]


def first_convs(graph: Graph, name: str | None = None) -> tuple[str, ...]:
    """Paths of the first convolutions behind an input (`None`: behind any)."""
    inputs = graph.input_layers() if name is None and not graph.opaque else (find_input(graph, name),)
    found: dict[str, None] = {}
    for layer in inputs:
        for site in trace_input(graph, layer.name).sites:
            if site.layer.class_name in CONVOLUTIONS or site.role == "depthwise":
                found[site.path] = None
    return tuple(found)


def channel_axis(graph: Graph, name: str) -> int | None:
    """The channel axis of an input, batch counted; `None` when it has none (tokens that go into an Embedding)."""
    layer = graph.layer(name)
    shape = layer.config.get("batch_shape")
    rank = len(shape) if shape else 0
    trace = trace_input(graph, name)
    for site in trace.sites:
        class_name, config = leaf_class(site.layer)
        if class_name in _TOKENS:
            return None
        if config.get("data_format") == "channels_first" and rank > 2:
            return 1
        if site.role == "mixing":
            break
    return rank - 1 if rank >= 2 else None


def batch_norms(graph: Graph) -> tuple[str, ...]:
    """Paths of every BatchNormalization."""
    return tuple(path for path, layer in graph.walk() if layer.class_name == "BatchNormalization")


def _follow(graph: Graph, prefix: str, start: dict[TensorRef, State], sites: dict[str, Site]) -> dict[TensorRef, State]:
    layers, consumers = graph.by_name(), graph.consumers()
    states = dict(start)
    queue = deque(start)
    while queue:
        ref = queue.popleft()
        for name, number in consumers.get(ref, ()):
            layer = layers[name]
            for out, state in _through(graph, prefix, layer, number, ref, states[ref], sites):
                if out not in states:
                    states[out] = state
                    queue.append(out)
    return states


def _through(
    graph: Graph, prefix: str, layer: Layer, number: int, ref: TensorRef, state: State, sites: dict[str, Site]
) -> list[tuple[TensorRef, State]]:
    """What one call makes of a followed tensor: the tensors that are still followable. Sites are noted."""
    path = prefix + layer.name

    def note(role: str) -> None:
        sites.setdefault(path, Site(path, layer, role, state))

    if layer.inner is not None and not layer.opaque:
        return _into(layer, path, number, ref, state, sites)
    class_name, _ = leaf_class(layer)
    here = TensorRef(layer.name, number)
    if class_name in MIXING:
        note("mixing")
        return []
    if layer.opaque or class_name == "Embedding":
        note("blocked")
        return []
    if class_name in DEPTHWISE:
        note("depthwise")
        return [(here, replace(state, inner=state.inner * int(layer.config.get("depth_multiplier", 1)), linear=False))]
    if class_name == "Flatten":
        shape = graph.spec(ref).shape
        return [(here, replace(state, flat=tuple(shape[1:]) if shape else ()))]
    kept = _kept(layer, class_name, number, ref, state)
    if kept is None:
        note("blocked")
        return []
    role, after = kept
    if role:
        note(role)
    return [(here, after)]


def _kept(layer: Layer, class_name: str, number: int, ref: TensorRef, state: State) -> tuple[str, State] | None:
    """Role and state after a layer that keeps channels apart, or `None` when it is not known to."""
    if class_name.startswith("ZeroPadding"):
        return "", replace(state, padded=state.padded or bool(state.steps))
    if class_name == "Rescaling":
        step = Affine(kind="rescaling", scale=_numbers(layer.config["scale"]), offset=_numbers(layer.config["offset"]))
        return "constants" if step.per_channel() else "", _after(state, step)
    if class_name in ("Normalization", "BatchNormalization"):
        found = _statistics(layer)
        return ("vector", _after(state, found)) if found else ("vector", replace(state, linear=False))
    if class_name in _VECTOR_LAYERS:
        return "vector", replace(state, linear=False)
    if layer.is_operation:
        arithmetic = _arithmetic(layer, number, ref)
        if arithmetic is not None:
            return "constants" if arithmetic.per_channel() else "", _after(state, arithmetic)
        return None
    if class_name in _PLAIN or class_name.startswith(_PLAIN_PREFIXES):
        return "", replace(state, linear=state.linear and class_name not in _NONLINEAR)
    return None


def _after(state: State, step: Affine) -> State:
    if not state.linear:
        return state
    return replace(state, steps=(*state.steps, step), padded=False)


def _into(
    layer: Layer, path: str, number: int, ref: TensorRef, state: State, sites: dict[str, Site]
) -> list[tuple[TensorRef, State]]:
    """Through a nested model: in by the position of the argument, out by the position of the output."""
    inner = layer.inner
    assert inner is not None
    if inner.opaque:
        sites.setdefault(path, Site(path, layer, "blocked", state))
        return []
    ports = inner.input_refs()
    start = {port: state for port, given in zip(ports, layer.calls[number].inputs(), strict=False) if given == ref}
    states = _follow(inner, path + "/", start, sites)
    return [
        (TensorRef(layer.name, number, position), states[out])
        for position, out in enumerate(inner.output_refs())
        if out in states
    ]


def _numbers(value: Any) -> Value:
    """A number or a flat tuple of them, from what a config holds (lists, nested lists, serialised arrays)."""
    if isinstance(value, dict):
        value = value.get("config", {}).get("value", 0.0)
    flat: list[float] = []

    def collect(item: Any) -> None:
        if isinstance(item, (list, tuple)):
            for one in item:
                collect(one)
        else:
            flat.append(float(item))

    collect(value)
    return tuple(flat) if isinstance(value, (list, tuple)) else flat[0]


def _array(layer: Layer, name: str, default: float) -> Value:
    weight: Weight | None = next((one for one in layer.weights if one.name == name), None)
    return weight.source if weight is not None and weight.source is not None else default


def _statistics(layer: Layer) -> Affine | None:
    """The affine step of a Normalization or BatchNormalization over channels, with its arrays by identity."""
    config = layer.config
    if layer.class_name == "Normalization":
        if config.get("mean") is not None:
            mean, variance = _numbers(config["mean"]), _numbers(config.get("variance", 1.0))
        else:
            mean, variance = _array(layer, "mean", 0.0), _array(layer, "variance", 1.0)
        return Affine(kind="normalization", mean=mean, variance=variance, invert=bool(config.get("invert")))
    return Affine(
        kind="batch_norm",
        scale=_array(layer, "gamma", 1.0) if config.get("scale", True) else 1.0,
        offset=_array(layer, "beta", 0.0) if config.get("center", True) else 0.0,
        mean=_array(layer, "moving_mean", 0.0),
        variance=_array(layer, "moving_variance", 1.0),
        epsilon=float(config.get("epsilon", 1e-3)),
    )


def _arithmetic(layer: Layer, number: int, ref: TensorRef) -> Affine | None:
    """An operation with one tensor and one constant, as a step: `x - 127.5`, `x / 127.5`, `x * scale`."""
    call = layer.calls[number]
    operands = [*call.args, *call.kwargs.values()]
    if layer.class_name not in _ARITHMETIC or len(operands) != 2 or operands[0] != ref:
        return None
    try:
        constant = _numbers(operands[1])
    except (TypeError, ValueError):
        return None
    values = constant if isinstance(constant, tuple) else (float(constant),)  # type: ignore[arg-type]
    sign = _ARITHMETIC[layer.class_name]
    if layer.class_name in ("Add", "Subtract"):
        moved = tuple(sign * one for one in values)
        return Affine(kind="rescaling", offset=moved if isinstance(constant, tuple) else moved[0])
    if sign < 0 and not all(values):
        return None
    return Affine(kind="rescaling", divisor=constant) if sign < 0 else Affine(kind="rescaling", scale=constant)
