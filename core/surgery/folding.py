"""BatchNormalization made part of the linear layers around it, one level of a graph at a time.

Folded behind the layer that gives it its input where that is possible, else in front of those that take its output.
Either way all calls must agree: a layer that also serves somewhere else would change there too.
"""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from core.model.graph import Graph, Layer, Shape, TensorRef
from core.model.splice import remapped
from core.rules.merged import Norm, Part
from core.stopping import checkpoint
from core.surgery.held import Fates, Unfoldable, decided, part
from core.surgery.linear import View, carried, folded_behind, folded_in_front, linear, one_input, view

NORM = "BatchNormalization"


class Folded(Struct, frozen=True):
    """A graph with what could be folded, the paths of the layers that are gone, and why others stay."""

    graph: Graph
    gone: tuple[str, ...]
    kept: Mapping[str, str]
    into: Mapping[str, tuple[str, ...]]
    decided: bool


def folded(graph: Graph, chosen: set[str], fates: Fates) -> Folded:
    """The graph without those of the `chosen` BatchNormalization layers that can be folded exactly."""
    gone: list[str] = []
    kept: dict[str, str] = {}
    into: dict[str, tuple[str, ...]] = {}
    touched: list[Layer] = []

    def level(inner: Graph, prefix: str) -> Graph:
        layers = []
        for layer in inner.layers:
            below = level(layer.inner, f"{prefix}{layer.name}/") if layer.inner is not None else None
            layers.append(replace(layer, inner=below) if below is not layer.inner else layer)
        if any(new is not old for new, old in zip(layers, inner.layers, strict=True)):
            inner = replace(inner, layers=tuple(layers))
        norms = [layer.name for layer in inner.layers if prefix + layer.name in chosen]
        if not norms:
            return inner
        if inner.opaque:
            kept.update({prefix + name: "its connections are unknown" for name in norms})
            return inner
        work = _Level(inner, prefix, fates)
        for name in norms:
            checkpoint()
            reasons = work.fold(name)
            if reasons:
                kept[prefix + name] = reasons
        gone.extend(prefix + name for name in work.gone)
        into.update({prefix + name: tuple(prefix + one for one in names) for name, names in work.gone.items()})
        touched.extend(work.touched)
        return work.result()

    after = level(graph, "")
    return Folded(after, tuple(gone), kept, into, decided(touched))


class _Level:
    """One level while its layers are folded: who uses which tensor, with the folded layers already out of the way."""

    def __init__(self, graph: Graph, prefix: str, fates: Fates) -> None:
        self.graph, self.prefix, self.fates = graph, prefix, fates
        self.layers = dict(graph.by_name())
        self.users = dict(graph.consumers())
        self.outputs = set(graph.output_refs())
        self.alias: dict[TensorRef, TensorRef] = {}
        self.gone: dict[str, tuple[str, ...]] = {}
        self.touched: list[Layer] = []
        self.changed: dict[str, Layer] = {}

    def result(self) -> Graph:
        """The level after folding."""
        if not self.gone:
            return self.graph
        layers = tuple(self.changed.get(one.name, one) for one in self.graph.layers if one.name not in self.gone)
        return remapped(replace(self.graph, layers=layers), {ref: self.now(ref) for ref in self.alias})

    def now(self, ref: TensorRef) -> TensorRef:
        """What a tensor is, with the folded layers passed over."""
        while ref in self.alias:
            ref = self.alias[ref]
        return ref

    def shape(self, ref: TensorRef) -> Shape:
        """The shape of a tensor. Raises `Unfoldable` where it is not known."""
        calls = self.layers[ref.layer].calls
        outputs = calls[ref.call].outputs if ref.call < len(calls) else None
        shape = outputs[ref.output].shape if outputs and ref.output < len(outputs) else None
        if shape is None:
            raise Unfoldable(f"the output shape of {self.prefix}{ref.layer} is unknown")
        return shape

    def fold(self, name: str) -> str:
        """Fold a BatchNormalization; why not, or nothing."""
        layer = self.layers[name]
        try:
            norm = self.norm(layer)
        except Unfoldable as why:
            return why.reason
        reasons = []
        for way in (self.behind, self.in_front):
            try:
                changed = way(layer, norm)
            except Unfoldable as why:
                reasons.append(why.reason)
                continue
            self.take_out(layer, changed)
            return ""
        return "; and it cannot be folded into what follows: ".join(reasons)

    def norm(self, layer: Layer) -> Norm:
        """The arrays of a BatchNormalization. Raises `Unfoldable` for one that works on the batch it is given."""
        found = view(layer)
        if found is None or found.class_name != NORM:
            raise Unfoldable(f"the code of {layer.class_name} is not part of Keras")
        if any(call.kwargs.get("training") is True for call in layer.calls):
            raise Unfoldable("it is called with training=True, so it uses the statistics of each batch")
        if not layer.calls or any(not one_input(call) for call in layer.calls):
            raise Unfoldable("its connections are unknown")
        path = self.prefix + layer.name

        def array(name: str, start: str) -> Part:
            return part(path, layer, found.prefix + name, self.fates, found.config.get(f"{name}_initializer", start))

        scale, center = (found.config.get(name, True) is not False for name in ("scale", "center"))
        return Norm(
            array("moving_mean", "zeros"),
            array("moving_variance", "ones"),
            array("gamma", "ones") if scale else None,
            array("beta", "zeros") if center else None,
            float(found.config.get("epsilon", 1e-3)),
        )

    def axis(self, layer: Layer, found: View, number: int) -> tuple[TensorRef, int, int]:
        """The tensor that a call works on, its channel axis with the batch counted, and the number of channels."""
        ref = self.now(layer.calls[number].inputs()[0])
        shape = self.shape(ref)
        given = found.config.get("axis", -1)
        given = given[0] if isinstance(given, (list, tuple)) and len(given) == 1 else given
        if not isinstance(given, int):
            raise Unfoldable("it works on several axes at once")
        axis = given + found.lift if given >= 0 else given + len(shape)
        channels = shape[axis] if 0 < axis < len(shape) else None
        if channels is None:
            raise Unfoldable("its number of channels is unknown")
        return ref, axis, channels

    def behind(self, layer: Layer, norm: Norm) -> dict[str, Layer]:
        """The layers that give it its input, with it made part of them. Raises `Unfoldable`."""
        found = view(layer)
        assert found is not None
        makers: dict[str, tuple[int, int, int, set[int]]] = {}
        for number in range(len(layer.calls)):
            ref, axis, channels = self.axis(layer, found, number)
            user = (layer.name, number)
            while True:
                self.alone(ref, user)
                maker = self.layers[ref.layer]
                if linear(maker) is not None:
                    break
                user = (ref.layer, ref.call)
                ref, axis = self.before(maker, ref, axis)
            rank = len(self.shape(ref))
            known = makers.setdefault(maker.name, (axis, rank, channels, set()))
            if known[:3] != (axis, rank, channels):
                raise Unfoldable(f"{self.prefix}{maker.name} would have to absorb it in two different ways")
            known[3].add(ref.call)
        changed = {}
        for name, (axis, rank, channels, calls) in makers.items():
            if len(calls) != len(self.layers[name].calls):
                raise Unfoldable(
                    f"{self.prefix}{name} is shared, and not all of its outputs go through this normalization"
                )
            path = self.prefix + name
            changed[name] = folded_behind(path, self.layers[name], axis, rank, channels, norm, self.fates)
        return changed

    def alone(self, ref: TensorRef, user: tuple[str, int]) -> None:
        """Raise `Unfoldable` if a tensor also goes elsewhere than to `user`."""
        if ref in self.outputs:
            raise Unfoldable(f"the output of {self.prefix}{ref.layer} is also an output of its model")
        other = next((one for one, call in self.users.get(ref, ()) if (one, call) != user), None)
        if other is not None:
            raise Unfoldable(f"the output of {self.prefix}{ref.layer} also goes to {self.prefix}{other}")

    def before(self, maker: Layer, ref: TensorRef, axis: int) -> tuple[TensorRef, int]:
        """The tensor before a layer that passes scale and shift on, and its channel axis."""
        path = self.prefix + maker.name
        if maker.class_name.rpartition(">")[2] in ("SpectralNormalization", "WeightNormalization"):
            raise Unfoldable(f"{path} is a {maker.class_name}; turn it into a plain layer first with fold_weights")
        call = maker.calls[ref.call] if ref.call < len(maker.calls) else None
        if maker.is_input:
            raise Unfoldable("no layer of its model comes before it")
        if call is None or not one_input(call) or ref.output:
            raise Unfoldable(f"{path} ({maker.class_name}) comes before it")
        given = self.now(call.inputs()[0])
        shape, gives = self.shape(given), self.shape(ref)
        for place in range(1, len(shape)):
            found = carried(maker, place, shape, gives)
            if found is not None and found == (axis, (1, 1)):
                return given, place
        raise Unfoldable(f"{path} ({maker.class_name}) comes before it")

    def in_front(self, layer: Layer, norm: Norm) -> dict[str, Layer]:
        """The layers that take its output, with it made part of them. Raises `Unfoldable`."""
        found = view(layer)
        assert found is not None
        takers: dict[str, tuple[tuple[int, tuple[int, int], Shape], set[int]]] = {}
        for number in range(len(layer.calls)):
            given, axis, _ = self.axis(layer, found, number)
            stack = [(TensorRef(layer.name, number), axis, (1, 1), self.shape(given))]
            while stack:
                ref, axis, around, shape = stack.pop()
                if ref in self.outputs:
                    raise Unfoldable(f"the output of {self.prefix}{ref.layer} is an output of its model")
                for name, call in self.users.get(ref, ()):
                    taker = self.layers[name]
                    path = self.prefix + name
                    if not one_input(taker.calls[call]):
                        raise Unfoldable(f"{path} ({taker.class_name}) comes after it")
                    if linear(taker) is not None:
                        known = takers.setdefault(name, ((axis, around, shape), set()))
                        if known[0] != (axis, around, shape):
                            raise Unfoldable(f"{path} would have to absorb it in two different ways")
                        known[1].add(call)
                        continue
                    gives = self.shape(TensorRef(name, call))
                    through = carried(taker, axis, shape, gives) if around == (1, 1) else None
                    if through is None:
                        raise Unfoldable(f"{path} ({taker.class_name}) comes after it")
                    stack.append((TensorRef(name, call), *through, gives))
        if not takers:
            raise Unfoldable("no layer comes after it")
        changed = {}
        for name, ((axis, around, shape), calls) in takers.items():
            if len(calls) != len(self.layers[name].calls):
                raise Unfoldable(
                    f"{self.prefix}{name} is shared, and not all of its inputs come from this normalization"
                )
            path, one = self.prefix + name, self.layers[name]
            changed[name] = folded_in_front(path, one, axis, shape, around, norm, self.fates)
        return changed

    def take_out(self, layer: Layer, changed: dict[str, Layer]) -> None:
        """Leave a folded layer out, and put the layers that took it up in place of what they were."""
        self.touched += [layer, *(self.layers[name] for name in changed)]
        self.gone[layer.name] = tuple(changed)
        self.layers.update(changed)
        self.changed.update(changed)
        for number, call in enumerate(layer.calls):
            out, given = TensorRef(layer.name, number), self.now(call.inputs()[0])
            self.alias[out] = given
            others = tuple(user for user in self.users.get(given, ()) if user != (layer.name, number))
            self.users[given] = others + self.users.pop(out, ())
            if out in self.outputs:
                self.outputs = (self.outputs - {out}) | {given}


def norms(graph: Graph) -> set[str]:
    """Paths of every BatchNormalization, those that a TimeDistributed carries included."""
    found = set()
    for path, layer in graph.walk():
        seen = view(layer)
        if seen is not None and seen.class_name == NORM:
            found.add(path)
    return found
