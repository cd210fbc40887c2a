"""A model's layers with one more axis, followed from an input to the outputs: 1-D to 2-D, 2-D to 3-D.

Carreira and Zisserman 2017, "Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset", section 2.3. A
tensor is *tall* when it has the new axis. Whatever has no counterpart with one more axis is refused by name.
"""

from typing import Any, Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from core.errors import EditError
from core.layers.channel_ops import ALONE_OPS, TOGETHER_OPS
from core.layers.table import classes
from core.model.graph import Call, Graph, Layer, TensorRef
from core.model.levels import free_name
from core.rules.arranged import Inflated
from core.stopping import checkpoint
from core.surgery.arranging import arranged, expanded_constant, named, put_back
from core.surgery.recording import configured

How = Literal["mean", "centre"]
Extent = Literal["one", "same"]

_ALONE = classes(acts="number")
_AXES = classes(family="normalization") | {"Softmax", "Concatenate"}
_TOGETHER = classes(kind="together")


class Plan3(Struct, frozen=True):
    """How much the new axis gets: `depth` taps for kernels (`None`: as many as the others), strides and pools of one
    or the others' size, and how kernels are made.
    """

    how: How
    depth: int | None
    stride: Extent
    pool: Extent


class State(Struct, frozen=True):
    """Whether a tensor has the new axis; or, flattened, how many entries lie before it, and how many there were."""

    tall: bool = False
    outer: int = 0
    rows: int = 0


class FlatDense(Struct, frozen=True):
    """A Dense behind a flattened map with the new axis: `outer` entries lie before it, the source has `rows`."""

    path: str
    outer: int
    rows: int


class Grown(Struct, frozen=True):
    """The graph with one more axis at `at` (batch counted); which outputs have it, and what has to be known of it."""

    graph: Graph
    at: int
    outputs: tuple[bool, ...]
    dense: tuple[FlatDense, ...]
    padded: tuple[str, ...]
    """Convolutions whose averaged kernel reaches over the ends of the new axis."""
    split: tuple[tuple[str, str], ...]
    """Separable convolutions that became two layers: the old path and the new first one."""


def grow(graph: Graph, name: str, shape: tuple[int | None, ...], at: int, plan: Plan3) -> Grown:
    """The model with the input `name` of this shape (without batch). Raises `EditError` with the layer that cannot."""
    grower = _Grower(at, plan)
    states = tuple(State(ref.layer == name) for ref in graph.input_refs())
    fresh, out = grower.level(graph, "", states)
    for ref, state in zip(graph.output_refs(), out, strict=True):
        if state.rows:
            raise EditError(f"The output {ref.layer} is flattened, so its size would change; cut the model before it.")
    layer = fresh.layer(name)
    batch = (layer.config.get("batch_shape") or [None])[0]
    fresh = fresh.with_layer(name, configured(layer, batch_shape=[batch, *shape]))
    tall = tuple(state.tall for state in out)
    return Grown(fresh, at, tall, tuple(grower.dense), tuple(grower.padded), tuple(grower.split))


class _Grower:
    """One run over the whole model."""

    def __init__(self, at: int, plan: Plan3) -> None:
        self.at, self.plan = at, plan
        self.first = at == 2
        self.known: dict[str, tuple[State, ...]] = {}
        self.inner: dict[str, tuple[Graph, tuple[State, ...]]] = {}
        self.dense: list[FlatDense] = []
        self.padded: list[str] = []
        self.split: list[tuple[str, str]] = []

    def level(self, graph: Graph, prefix: str, given: tuple[State, ...]) -> tuple[Graph, tuple[State, ...]]:
        states = dict(zip(graph.input_refs(), given, strict=True))
        made: dict[str, Layer] = {}
        ahead: dict[str, Layer] = {}
        layers = graph.by_name()
        taken = set(layers)
        for name, number in graph.order:
            checkpoint()
            layer, path = layers[name], prefix + name
            if layer.is_input:
                state = states.setdefault(TensorRef(name, number), State())
                made[name] = configured(layer, batch_shape=None) if prefix and (state.tall or state.rows) else layer
                continue
            refs = layer.calls[number].inputs()
            arrives = tuple(states.get(ref, State()) for ref in refs)
            known = self.known.setdefault(path, arrives)
            if known != arrives:
                raise EditError(
                    f"{path} is shared, and only some of its calls get the new axis, so it cannot be inflated."
                )
            fresh, state = made.get(name), State()
            if fresh is None or layer.inner is not None:
                shapes = [graph.spec(ref).shape for ref in refs]
                fresh, out, before = self.layer(path, layer, arrives, shapes, graph.spec(TensorRef(name, number)).shape)
                made[name] = fresh
                if before is not None:
                    free = free_name(taken, before.name)
                    taken.add(free)
                    ahead[name] = replace(before, name=free, config={**before.config, "name": free})
                    self.split.append((path, prefix + free))
                self.inner.setdefault(path, (graph, out))
            out = self.inner[path][1]
            for output in range(max(1, len(layer.calls[number].outputs or ()), len(out))):
                state = out[output] if output < len(out) else out[0]
                states[TensorRef(name, number, output)] = state
        done: list[Layer] = []
        for layer in graph.layers:
            fresh = made.get(layer.name, layer)
            calls = tuple(replace(call, outputs=None) for call in fresh.calls)
            first = ahead.get(layer.name)
            if first is not None:
                done.append(replace(first, calls=calls))
                calls = tuple(Call(args=(TensorRef(first.name, number),)) for number in range(len(calls)))
            done.append(replace(fresh, calls=calls))
        out = tuple(states.get(ref, State()) for ref in graph.output_refs())
        return replace(graph, layers=tuple(done)), out

    def layer(
        self, path: str, layer: Layer, states: tuple[State, ...], shapes: list[Any], gives: Any
    ) -> tuple[Layer, tuple[State, ...], Layer | None]:
        """The layer as it follows, the states of what it gives, and a layer that has to come before it."""
        class_name, config = layer.class_name, layer.config
        kind = f"{class_name} with causal padding" if config.get("padding") == "causal" else class_name
        refused = EditError(
            f"{path} is a {kind}, which has no counterpart with one more axis; replace or remove it first."
        )
        tall = any(state.tall for state in states)
        flat = next((state for state in states if state.rows), None)
        if not tall and flat is None and not (class_name == "Reshape" and self._spreads(layer)):
            return layer, (State(),), None
        if layer.is_model and layer.inner is not None and not layer.inner.opaque and not layer.opaque:
            if path not in self.inner:
                inner, out = self.level(layer.inner, path + "/", states)
                self.inner[path] = (inner, out)
            inner, out = self.inner[path]
            return replace(layer, inner=inner), out, None
        if layer.opaque or layer.inner is not None or not (layer.module or "keras").startswith("keras"):
            raise refused
        if flat is not None:
            return self._after_flatten(path, layer, states, flat, refused)
        if class_name == "Reshape" and not tall:
            target = [*config["target_shape"]]
            target.insert(self.at - 1, 1)
            return configured(layer, target_shape=target), (State(True),), None
        if layer.is_operation:
            return self._operation(layer, states, len(shapes[0] or ()), refused)
        rank = len(shapes[0] or ())
        known = self._spatial(path, layer, shapes[0], rank - 2)
        if known is not None:
            return known
        if class_name == "Flatten":
            return self._flatten(path, layer, shapes[0])
        if class_name in _ALONE and not config.get("noise_shape"):
            return layer, (State(True),), None
        if class_name == "Dense":
            return layer, (State(True),), None
        if class_name == "Rescaling":
            fields = {key: self._constant(config[key], rank) for key in ("scale", "offset") if key in config}
            return configured(layer, **fields), (State(True),), None
        if class_name in _TOGETHER | {"Concatenate"} and not all(state.tall for state in states):
            raise EditError(f"{path} combines a tensor with the new axis and one without it, so it cannot be inflated.")
        if class_name in _TOGETHER:
            return layer, (State(True),), None
        if class_name in _AXES:
            given = config.get("axis", -1)
            if given is None:
                return layer, (State(True),), None
            several = isinstance(given, (list, tuple))
            axes = [self._axis(int(axis), rank) for axis in (given if several else [given])]
            return configured(layer, axis=axes if several else axes[0]), (State(True),), None
        if class_name == "PReLU":
            shared = [self._axis(int(axis), rank) for axis in config.get("shared_axes") or ()]
            for weight in named(layer, "alpha"):
                layer = self._taller(path, layer, weight.name, self.at - 1, 1, "repeat")
            return configured(layer, shared_axes=sorted([*shared, self.at])), (State(True),), None
        raise refused

    # layers with a number of dimensions in their name

    def _spatial(
        self, path: str, layer: Layer, shape: Any, n: int
    ) -> tuple[Layer, tuple[State, ...], Layer | None] | None:
        """Layers that know how many dimensions they have."""
        name, config = layer.class_name, layer.config
        if f"{n}D" not in name or n not in (1, 2):
            return None
        kind = name.replace(f"{n}D", "#")
        fresh = name.replace(f"{n}D", f"{n + 1}D")
        if self.first and "data_format" not in config:
            return None  # it works along the axis after the batch whatever the model's format is
        if kind == "Conv#" and config.get("padding") in ("same", "valid"):
            return self._convolution(path, layer, n, fresh), (State(True),), None
        if kind == "Conv#Transpose" and config.get("output_padding") is None:
            steps = _sizes(config.get("strides", 1), n)
            step = steps[0] if self.plan.stride == "same" else 1
            fields = {"kernel_size": [step, *_sizes(config["kernel_size"], n)], "strides": [step, *steps]}
            fields["dilation_rate"] = [1, *_sizes(config.get("dilation_rate", 1), n)]
            return self._kernels(path, _as(layer, fresh, **fields), ("kernel",), step, "repeat"), (State(True),), None
        if kind == "DepthwiseConv#":
            return self._depthwise(path, layer, n, shape), (State(True),), None
        if kind == "SeparableConv#":
            return self._separable(path, layer, n, shape)
        if kind in ("MaxPooling#", "AveragePooling#"):
            pool = _sizes(config.get("pool_size", 2), n)
            steps = _sizes(config["strides"], n) if config.get("strides") is not None else pool
            along = self.plan.pool == "same"
            fields = {"pool_size": [pool[0] if along else 1, *pool], "strides": [steps[0] if along else 1, *steps]}
            return _as(layer, fresh, **fields), (State(True),), None
        if kind in ("GlobalMaxPooling#", "GlobalAveragePooling#"):
            return _as(layer, fresh), (State(bool(config.get("keepdims"))),), None
        if kind in ("ZeroPadding#", "Cropping#"):
            key = "padding" if kind == "ZeroPadding#" else "cropping"
            return _as(layer, fresh, **{key: [[0, 0], *_pairs(config.get(key, 1), n)]}), (State(True),), None
        if kind == "UpSampling#" and config.get("interpolation", "nearest") == "nearest":
            size = _sizes(config.get("size", 2), n)
            grown = _as(layer, fresh, size=[size[0] if self.plan.pool == "same" else 1, *size])
            kept = {key: value for key, value in grown.config.items() if n == 1 or key != "interpolation"}
            return replace(grown, config=kept), (State(True),), None
        if kind == "SpatialDropout#":
            return _as(layer, fresh), (State(True),), None
        return None

    def _taps(self, config: dict[str, Any], n: int) -> tuple[int, int, list[int], list[int]]:
        """Taps and step along the new axis, and the sizes and steps that there are."""
        sizes, steps = _sizes(config["kernel_size"], n), _sizes(config.get("strides", 1), n)
        wide = any(size > 1 for size in sizes)
        taps = (self.plan.depth or sizes[0]) if wide else 1
        return taps, steps[0] if self.plan.stride == "same" else 1, sizes, steps

    def _convolution(self, path: str, layer: Layer, n: int, fresh: str) -> Layer:
        taps, step, sizes, steps = self._taps(layer.config, n)
        fields = {"kernel_size": [taps, *sizes], "strides": [step, *steps]}
        fields["dilation_rate"] = [1, *_sizes(layer.config.get("dilation_rate", 1), n)]
        self._note(path, layer.config, taps)
        return self._kernels(path, _as(layer, fresh, **fields), ("kernel",), taps, self.plan.how)

    def _note(self, path: str, config: dict[str, Any], taps: int) -> None:
        if self.plan.how == "mean" and taps > 1 and config.get("padding") == "same":
            self.padded.append(path)

    def _depthwise(self, path: str, layer: Layer, n: int, shape: Any) -> Layer:
        """The class with one more axis, or a grouped convolution with a group for each channel."""
        config = layer.config
        taps, step, sizes, steps = self._taps(config, n)
        self._note(path, config, taps)
        wide = _sizes(config.get("dilation_rate", 1), n)
        if n == 1 and step == steps[0] and wide == [1]:
            fields = {"kernel_size": [taps, *sizes], "strides": [step, *steps], "dilation_rate": [1, 1]}
            fresh = _as(layer, "DepthwiseConv2D", **fields)
            return self._kernels(path, fresh, ("kernel", "depthwise_kernel"), taps, self.plan.how)
        grouped = self._grouped(path, layer, n, shape, layer.name)
        fields = {key: config[key] for key in ("activation", "use_bias", "bias_initializer") if key in config}
        return configured(grouped, **fields)

    def _grouped(self, path: str, layer: Layer, n: int, shape: Any, name: str) -> Layer:
        """A depthwise kernel as that of a convolution with as many groups as channels, which is the same sum."""
        config = layer.config
        channels = shape[1 if self.first else -1]
        if channels is None:
            raise EditError(f"The number of channels of {path} is unknown, so it cannot be inflated.")
        taps, step, sizes, steps = self._taps(config, n)
        filters = int(channels) * int(config.get("depth_multiplier", 1))
        fields: dict[str, Any] = {
            "name": name,
            "filters": filters,
            "groups": int(channels),
            "kernel_size": [taps, *sizes],
            "strides": [step, *steps],
            "padding": config.get("padding", "valid"),
            "dilation_rate": [1, *_sizes(config.get("dilation_rate", 1), n)],
            "use_bias": False,
        }
        fields.update({key: config[key] for key in ("data_format", "dtype", "trainable") if key in config})
        for part in ("initializer", "regularizer", "constraint"):
            if config.get(f"depthwise_{part}") is not None:
                fields[f"kernel_{part}"] = config[f"depthwise_{part}"]
        kernel = [replace(one, name="kernel") for one in named(layer, "kernel", "depthwise_kernel")]
        rules = tuple(("kernel", rules) for key, rules in layer.rules if key in ("kernel", "depthwise_kernel"))
        weights = (*kernel, *named(layer, "bias"))
        fresh = replace(
            layer, name=name, class_name=f"Conv{n + 1}D", config=fields, weights=weights, build_config=None, rules=rules
        )
        make = (taps, *sizes, 1, filters)
        return self._taller(path, fresh, "kernel", 0, taps, self.plan.how, make)

    def _separable(self, path: str, layer: Layer, n: int, shape: Any) -> tuple[Layer, tuple[State, ...], Layer | None]:
        config = layer.config
        taps, step, sizes, steps = self._taps(config, n)
        self._note(path, config, taps)
        if n == 1 and step == steps[0] and _sizes(config.get("dilation_rate", 1), n) == [1]:
            fields = {"kernel_size": [taps, *sizes], "strides": [step, *steps], "dilation_rate": [1, 1]}
            fresh = _as(layer, "SeparableConv2D", **fields)
            fresh = self._kernels(path, fresh, ("depthwise_kernel",), taps, self.plan.how)
            return self._kernels(path, fresh, ("pointwise_kernel",), 1, "repeat"), (State(True),), None
        first = self._grouped(path, layer, n, shape, f"{layer.name}_depthwise")
        first = replace(first, weights=tuple(one for one in first.weights if one.name == "kernel"), origin=None)
        fields2: dict[str, Any] = {"filters": config["filters"], "kernel_size": 1}
        kept = ("data_format", "dtype", "trainable", "activation", "use_bias", "bias_initializer", "bias_regularizer")
        fields2.update({key: config[key] for key in kept if key in config})
        for part in ("initializer", "regularizer", "constraint"):
            if config.get(f"pointwise_{part}") is not None:
                fields2[f"kernel_{part}"] = config[f"pointwise_{part}"]
        weights = [replace(one, name="kernel", key="vars/0") for one in named(layer, "pointwise_kernel")]
        weights += [replace(one, key="vars/1") for one in named(layer, "bias")]
        rules = tuple(("kernel" if key == "pointwise_kernel" else key, rules) for key, rules in layer.rules)
        second = replace(
            layer,
            class_name=f"Conv{n + 1}D",
            config={"name": layer.name, **fields2},
            weights=tuple(weights),
            rules=tuple(pair for pair in rules if pair[0] in ("kernel", "bias")),
            build_config=None,
        )
        return self._kernels(path, second, ("kernel",), 1, "repeat"), (State(True),), first

    def _kernels(self, path: str, layer: Layer, names: tuple[str, ...], taps: int, how: Any) -> Layer:
        for weight in named(layer, *names):
            layer = self._taller(path, layer, weight.name, 0, taps, how)
        return layer

    def _taller(
        self, path: str, layer: Layer, name: str, at: int, size: int, how: Any, shape: tuple[int, ...] | None = None
    ) -> Layer:
        """One array with the new axis. What earlier steps do to it would have to be known in the old rank."""
        if layer.rules_for(name):
            raise EditError(f"An earlier step adapts {name} of {path}; put this step before it.")

        def make(old: tuple[int, ...]) -> Inflated:
            return Inflated(shape=shape or (*old[:at], size, *old[at:]), at=at, size=size, how=how)

        return arranged(path, layer, name, None, make)

    # what loses the axis, and what only passes it on

    def _flatten(self, path: str, layer: Layer, shape: Any) -> tuple[Layer, tuple[State, ...], None]:
        if shape is None or None in shape[1:]:
            raise EditError(
                f"{path} flattens a map of unknown size, so the rows of the next layer cannot be determined."
            )
        last = not self.first or layer.config.get("data_format") == "channels_first"
        rows = int(np.prod([int(size) for size in shape[1:]]))
        return layer, (State(False, 1 if last else int(shape[1]), rows),), None

    def _after_flatten(
        self, path: str, layer: Layer, states: tuple[State, ...], flat: State, refused: EditError
    ) -> tuple[Layer, tuple[State, ...], None]:
        """Dense takes rows for every frame; what works number by number passes them on."""
        if len(states) == 1 and layer.class_name == "Dense":
            if layer.rules_for("kernel"):
                raise EditError(f"An earlier step adapts the kernel of {path}; put this step before it.")
            self.dense.append(FlatDense(path, flat.outer, flat.rows))
            return layer, (State(),), None
        if len(states) == 1 and layer.class_name in _ALONE and not layer.config.get("noise_shape"):
            return layer, (flat,), None
        raise refused

    def _operation(
        self, layer: Layer, states: tuple[State, ...], rank: int, refused: EditError
    ) -> tuple[Layer, tuple[State, ...], None]:
        name, config = layer.class_name, layer.config
        if name in ALONE_OPS and len(states) == 1:
            return layer, (State(True),), None
        if name in TOGETHER_OPS and all(state.tall for state in states):
            calls = tuple(
                replace(
                    call,
                    args=tuple(self._constant(value, rank) for value in call.args),
                    kwargs={key: self._constant(value, rank) for key, value in call.kwargs.items()},
                )
                for call in layer.calls
            )
            return replace(layer, calls=calls), (State(True),), None
        spatial = set(range(2, rank)) if self.first else set(range(1, rank - 1))
        axes = config.get("axis")
        if name in ("Mean", "Max") and isinstance(axes, (list, tuple)) and {int(one) % rank for one in axes} == spatial:
            fresh = sorted({*(self._axis(int(one), rank) for one in axes), self.at})
            return configured(layer, axis=fresh), (State(bool(config.get("keepdims"))),), None
        raise refused

    def _spreads(self, layer: Layer) -> bool:
        """Whether a Reshape makes a map of one place of a vector, as squeeze-and-excitation does."""
        target = layer.config.get("target_shape") or ()
        return not layer.is_operation and len(target) in (2, 3) and sum(size != 1 for size in target) == 1

    def _axis(self, axis: int, rank: int) -> int:
        axis %= rank
        return axis + (axis >= self.at)

    def _constant(self, value: Any, rank: int) -> Any:
        array = expanded_constant(value, rank)
        return value if array is None else put_back(value, np.expand_dims(array, self.at))


def _as(layer: Layer, class_name: str, **fields: Any) -> Layer:
    """The layer as one of the class with one more axis."""
    config = {**layer.config, **fields}
    # only classes for signals take masks
    calls = tuple(
        replace(call, kwargs={key: value for key, value in call.kwargs.items() if key != "mask"})
        for call in layer.calls
    )
    return replace(layer, class_name=class_name, registered_name=None, build_config=None, config=config, calls=calls)


def _sizes(value: Any, n: int) -> list[int]:
    return [int(one) for one in value] if isinstance(value, (list, tuple)) else [int(value)] * n


def _pairs(value: Any, n: int) -> list[list[int]]:
    """Padding or cropping as pairs, one for each axis."""
    if isinstance(value, int):
        return [[value, value]] * n
    if n == 1:
        flat = list(value[0]) if isinstance(value[0], (list, tuple)) else list(value)
        return [[int(flat[0]), int(flat[-1])]]
    return [[int(one), int(one)] if isinstance(one, int) else [int(one[0]), int(one[1])] for one in value]
