"""Shapes through a whole graph, level by level, with Keras's own shape functions (see `core.engine.specs`).

The result is the same graph with `Call.outputs` filled in and nested InputLayers set to what reaches them, the arrays
every layer needs, and a list of problems: the calls Keras would refuse. Nothing is built.
"""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from core.caches import IdentityCache
from core.engine.specs import LayerAnswer, Specs, WeightsAnswer
from core.model.graph import Call, Graph, Layer, Shape, TensorRef, TensorSpec, leaves
from core.stopping import checkpoint

UNKNOWN = TensorSpec(None)
_MOST_ANSWERS = 60_000
_MOST_MODELS = 2_000


SEVERAL = "A layer of a Sequential gives"
"""How the reason begins where a layer gives more tensors than the next one can take."""


class Problem(Struct, frozen=True):
    """A call that Keras would refuse: where, what arrives there, and Keras's reason."""

    layer: str
    call: int
    error: str
    inputs: tuple[TensorSpec, ...] = ()
    bad_config: bool = False


class Shaped(Struct, frozen=True):
    """A graph with its shapes. `needs` are the arrays every layer wants, by path; unknown layers are not in it.

    `unchecked` are paths of layers whose shapes could not be followed (opaque code, or downstream of a problem).
    """

    graph: Graph
    needs: dict[str, WeightsAnswer]
    problems: tuple[Problem, ...] = ()
    unchecked: tuple[str, ...] = ()

    def outputs(self) -> tuple[TensorSpec, ...]:
        """Specs of the graph's outputs, flat."""
        return tuple(self.graph.spec(ref) for ref in self.graph.output_refs())


class Shaper:
    """Propagates shapes, remembering nested models it has already followed."""

    def __init__(self, specs: Specs) -> None:
        self.specs = specs
        self.reference: dict[tuple[str, int], tuple[tuple[Shape | None, ...], tuple[TensorSpec, ...]]] = {}
        self._nested: IdentityCache[Shaped] = IdentityCache(_MOST_MODELS)
        self._answers: IdentityCache[tuple[LayerAnswer, WeightsAnswer | None]] = IdentityCache(_MOST_ANSWERS)
        self._last: dict[tuple[str, int], Graph] = {}

    def shape(self, graph: Graph, fed: tuple[TensorSpec, ...] | None = None) -> Shaped:
        """Follow the shapes from the inputs (`fed`, or what the InputLayers say) to every layer."""
        if graph.opaque:
            return Shaped(graph, {}, (), tuple(path for path, _ in graph.walk()))
        return _Pass(self, graph, fed).run()

    def nested(self, graph: Graph, fed: tuple[TensorSpec, ...]) -> Shaped:
        """`shape` for a model inside a model, cached by the graph object and what is fed to it."""
        return self._nested.get((graph,), lambda: self.shape(graph, fed), fed)

    def wired(self, graph: Graph) -> Graph:
        """The graph, with the order of the last one of that name if its calls are the same: most edits leave them."""
        place = (graph.name, len(graph.layers))
        last = self._last.get(place)
        if last is not None:
            graph.wired_as(last)
        if len(self._last) > 64:
            self._last.clear()
        self._last[place] = graph
        return graph

    def answers(
        self, layer: Layer, call: Call, refs: tuple[TensorRef, ...], inputs: tuple[TensorSpec, ...]
    ) -> tuple[LayerAnswer, WeightsAnswer | None]:
        """What Keras says of one call: its outputs, and the arrays the layer needs where it is no wrapper of a model.

        Remembered by the layer's and the call's own parts: an edit leaves nearly all of them as they are, and `Specs`
        takes long to find that out.
        """

        def ask() -> tuple[LayerAnswer, WeightsAnswer | None]:
            known = dict(zip(refs, inputs, strict=True))
            answer = self.specs.outputs(layer, call, known)
            needed = None
            if answer.error is None and layer.inner is None:
                needed = self.specs.weights(layer, call, known)
            return answer, needed

        objects = (layer.config, layer.inner, call.args, call.kwargs)
        return self._answers.get(objects, ask, (layer.class_name, layer.module, layer.trainable, inputs))


class _Pass:
    """One walk through one level."""

    def __init__(self, shaper: Shaper, graph: Graph, fed: tuple[TensorSpec, ...] | None) -> None:
        self.shaper = shaper
        self.graph = shaper.wired(graph)
        self.fed = {ref.layer: spec for ref, spec in zip(graph.input_refs(), fed, strict=False)} if fed else {}
        self.layers = graph.by_name()
        self.tensors: dict[TensorRef, TensorSpec] = {}
        self.outputs: dict[tuple[str, int], tuple[TensorSpec, ...]] = {}
        self.inner: dict[str, Shaped] = {}
        self.needs: dict[str, WeightsAnswer] = {}
        self.problems: list[Problem] = []
        self.unchecked: list[str] = []
        self.configs: dict[str, dict[str, Any]] = {}

    def run(self) -> Shaped:
        for name, number in self.graph.order:
            checkpoint()
            layer = self.layers[name]
            call = layer.calls[number]
            outputs = self._input(layer) if layer.is_input else self._call(layer, number, call)
            self.outputs[name, number] = outputs
            for index, spec in enumerate(outputs):
                self.tensors[TensorRef(name, number, index)] = spec
            if len(outputs) > 1 and self.graph.is_sequential and name != self.graph.layers[-1].name:
                reason = f"{SEVERAL} {len(outputs)} tensors"
                self.problems.append(Problem(name, number, reason, tuple(outputs)))
        layers = tuple(self._annotated(layer) for layer in self.graph.layers)
        graph = replace(self.graph, layers=layers).wired_as(self.graph)
        return Shaped(graph, self.needs, tuple(self.problems), tuple(self.unchecked))

    def _input(self, layer: Layer) -> tuple[TensorSpec, ...]:
        own = layer.config.get("batch_shape")
        dtype = layer.config.get("dtype") or "float32"
        dtype = dtype if isinstance(dtype, str) else "float32"
        fed = self.fed.get(layer.name)
        if fed is not None and layer.config.get("dtype") is None:
            dtype = fed.dtype  # an input that declares nothing takes what arrives
        if fed is None or fed.shape is None:
            return (TensorSpec(tuple(own) if own is not None else None, dtype),)
        if own is None or not _fits(tuple(own), fed.shape):
            self.configs[layer.name] = {**layer.config, "batch_shape": list(fed.shape), "dtype": dtype}
        return (replace(fed, dtype=dtype),)

    def _call(self, layer: Layer, number: int, call: Call) -> tuple[TensorSpec, ...]:
        refs = call.inputs()
        inputs = tuple([self.tensors.get(ref, UNKNOWN) for ref in refs])
        if any(spec.shape is None for spec in inputs):
            self._skip(layer)
            return (call.outputs and tuple(UNKNOWN for _ in call.outputs)) or (UNKNOWN,)
        if layer.opaque:
            self._skip(layer)
            return self._unchanged(layer, number, call, inputs)
        if layer.is_model:
            return self._model(layer, number, call, inputs)
        if layer.class_name == "TimeDistributed" and layer.inner is not None and not layer.inner.opaque:
            return self._at_every_step(layer, number, inputs)
        answer, needed = self.shaper.answers(layer, call, refs, inputs)
        if answer.error is not None:
            self.problems.append(Problem(layer.name, number, answer.error, inputs, answer.bad_config))
            return (call.outputs and tuple(UNKNOWN for _ in call.outputs)) or (UNKNOWN,)
        if layer.inner is not None:
            self.unchecked.append(layer.name)
        elif needed is not None:
            self._need(layer, number, needed, inputs)
        return answer.outputs

    def _need(self, layer: Layer, number: int, answer: WeightsAnswer, inputs: tuple[TensorSpec, ...]) -> None:
        before = self.needs.get(layer.name)
        if answer.error is not None:
            self.problems.append(Problem(layer.name, number, answer.error, inputs))
        elif before is None:
            self.needs[layer.name] = answer
        elif before is not answer and [one.shape for one in before.weights] != [one.shape for one in answer.weights]:
            reason = "this layer is shared, and its calls need weights of different shapes"
            self.problems.append(Problem(layer.name, number, reason, inputs))

    def _model(self, layer: Layer, number: int, call: Call, inputs: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
        assert layer.inner is not None
        fed = inputs if len(call.args) != 1 else _by_structure(layer.inner.inputs, call.args[0], self.tensors, inputs)
        wanted = layer.inner.input_refs()
        if len(fed) < len(wanted):
            reason = f"the inner model takes {len(wanted)} inputs, but the call gives {len(fed)}"
            self.problems.append(Problem(layer.name, number, reason, inputs))
            return (UNKNOWN,)
        for ref, spec in zip(wanted, fed, strict=False):
            own = layer.inner.layer(ref.layer).config.get("batch_shape")
            if own is not None and spec.shape is not None and len(own) != len(spec.shape):
                reason = f"the inner model takes {len(own)} dimensions, but receives {len(spec.shape)} (batch included)"
                self.problems.append(Problem(layer.name, number, reason, inputs))
                return (UNKNOWN,)
        shaped = self.shaper.nested(layer.inner, fed)
        known = self.inner.get(layer.name)
        if known is None:
            self._keep(layer, shaped)
        elif known is not shaped:
            self._merge(layer, number, known, shaped, inputs)
        return shaped.outputs()

    def _keep(self, layer: Layer, shaped: Shaped) -> None:
        self.inner[layer.name] = shaped
        prefix = layer.name + "/"
        self.needs.update({prefix + path: answer for path, answer in shaped.needs.items()})
        self.problems.extend(replace(problem, layer=prefix + problem.layer) for problem in shaped.problems)
        self.unchecked.extend(prefix + path for path in shaped.unchecked)

    def _merge(self, layer: Layer, number: int, first: Shaped, other: Shaped, inputs: tuple[TensorSpec, ...]) -> None:
        """A nested model called at two shapes: its InputLayers must admit both, its weights must be the same."""
        for path, answer in other.needs.items():
            before = first.needs.get(path)
            if before and [one.shape for one in before.weights] != [one.shape for one in answer.weights]:
                reason = f"this model is shared, and its calls need different weight shapes in {path}"
                self.problems.append(Problem(layer.name, number, reason, inputs))
                return
        graph = first.graph
        for ref in graph.input_refs():
            mine, theirs = graph.layer(ref.layer), other.graph.layer(ref.layer)
            shape = _common(mine.config.get("batch_shape"), theirs.config.get("batch_shape"))
            if shape != mine.config.get("batch_shape"):
                graph = graph.with_layer(ref.layer, replace(mine, config={**mine.config, "batch_shape": shape}))
        self.inner[layer.name] = replace(first, graph=graph)
        self.problems.extend(replace(one, layer=f"{layer.name}/{one.layer}", call=number) for one in other.problems)

    def _at_every_step(self, layer: Layer, number: int, inputs: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
        """A model inside TimeDistributed sees the input without its time axis; so its InputLayer follows the size."""
        assert layer.inner is not None
        shape = inputs[0].shape or ()
        wanted = layer.inner.input_refs()
        own = layer.inner.layer(wanted[0].layer).config.get("batch_shape") if wanted else None
        if len(shape) < 2 or (own is not None and len(own) != len(shape) - 1):
            reason = "it has no time axis"
            if own is not None and len(shape) > 1:
                reason = f"the inner model takes {len(own) - 1} dimensions per step, but receives {len(shape) - 2}"
            self.problems.append(Problem(layer.name, number, reason, inputs))
            return (UNKNOWN,)
        shaped = self.shaper.nested(layer.inner, (replace(inputs[0], shape=(shape[0], *shape[2:])),))
        known = self.inner.get(layer.name)
        if known is None:
            self._keep(layer, shaped)
        elif known is not shaped:
            self._merge(layer, number, known, shaped, inputs)
        return tuple(
            spec if spec.shape is None else replace(spec, shape=(*shape[:2], *spec.shape[1:]))
            for spec in shaped.outputs()
        )

    def _unchanged(
        self, layer: Layer, number: int, call: Call, inputs: tuple[TensorSpec, ...]
    ) -> tuple[TensorSpec, ...]:
        """Code that is missing gives what it gave before, as long as the same shapes reach it."""
        before = self.shaper.reference.get((layer.origin or layer.name, number))
        if before is None and layer.origin is not None:
            known = tuple(self.graph.spec(ref).shape for ref in call.inputs())
            before = self.shaper.reference[layer.origin, number] = (known, call.outputs or ())
        if before and before[1] and before[0] == tuple(spec.shape for spec in inputs):
            return before[1]
        return tuple(UNKNOWN for _ in call.outputs or (None,))

    def _skip(self, layer: Layer) -> None:
        self.unchecked.append(layer.name)
        if layer.inner is not None:
            self.unchecked.extend(path for path, _ in layer.inner.walk(layer.name + "/"))

    def _annotated(self, layer: Layer) -> Layer:
        calls = []
        same = True
        for number, call in enumerate(layer.calls):
            found = self.outputs.get((layer.name, number), call.outputs)
            if found is call.outputs or found == call.outputs:
                calls.append(call)
            else:
                same = False
                calls.append(replace(call, outputs=found))
        shaped = self.inner.get(layer.name)
        inner = shaped.graph if shaped else layer.inner
        config = self.configs.get(layer.name, layer.config)
        if same and inner is layer.inner and config is layer.config:
            return layer
        return replace(layer, calls=layer.calls if same else tuple(calls), inner=inner, config=config)


def _fits(own: Shape, fed: Shape) -> bool:
    return len(own) == len(fed) and all(
        mine is None or mine == theirs for mine, theirs in zip(own[1:], fed[1:], strict=True)
    )


def _common(first: Any, second: Any) -> list[int | None] | None:
    if first is None or second is None or len(first) != len(second):
        return None
    return [mine if mine == theirs else None for mine, theirs in zip(first, second, strict=True)]


def _by_structure(
    wanted: Any, given: Any, tensors: dict[TensorRef, TensorSpec], flat: tuple[TensorSpec, ...]
) -> tuple[TensorSpec, ...]:
    """The given tensors in the order of the nested model's inputs: by key where both are dicts, else as they come."""
    if isinstance(wanted, dict) and isinstance(given, dict) and set(wanted) <= set(given):
        return tuple(tensors.get(ref, UNKNOWN) for key in sorted(wanted) for ref in leaves(given[key]))
    return flat
