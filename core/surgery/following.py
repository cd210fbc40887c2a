"""Following an input's channels through a graph until they mix: where they lie, and what was done to them.

Everything that is not known to treat channels one by one ends the way (`blocked`): nothing is guessed.
"""

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from core.layers import channel_ops as known
from core.layers import table
from core.layers.leaves import leaf, steps
from core.layers.rows import Row
from core.model.graph import Graph, Layer, Node, Shape, TensorRef, Weight
from core.rules.fold import Affine, Value
from core.stopping import checkpoint
from core.surgery.lanes import UP, WHOLE, Block, Blocks, flipped, grown, multiplied, repeated, reshaped, single, width

if TYPE_CHECKING:
    from collections.abc import Callable


class State(Struct, frozen=True):
    """How a tensor follows from the input: where its channels lie, and what happened to them on the way.

    `axis` is the channel axis with the batch counted, `blocks` what lies on it. `known`: `steps` are all that was
    done, channel by channel. `linear`: each channel is a linear function of the input's (plus a constant). `alike`: the
    same was done to every channel, so that equal ones are still equal. `zero`: a channel of zeros is still one.
    `padded`: zeros were put around the map after the first step. `filtered`: a depthwise convolution was met.
    """

    blocks: Blocks = WHOLE
    axis: int = -1
    steps: tuple[Affine, ...] = ()
    known: bool = True
    linear: bool = True
    alike: bool = True
    zero: bool = True
    padded: bool = False
    filtered: bool = False

    @property
    def inner(self) -> int:
        """How many numbers there are for a channel, side by side."""
        return self.blocks[0].inner if self.blocks else 1


class Site(Struct, frozen=True):
    """A layer that the input's channels reach. `role`: `mixing` sums over channels, `depthwise` and `vector` treat
    them one by one, `constants` holds per-channel numbers in its config or call, `order` and `picked` name channels by
    number, `reduced` takes them together without weights, `blocked` is where nothing is known.
    """

    path: str
    layer: Layer
    role: str
    state: State
    shape: Shape | None = None


class Trace(Struct, frozen=True):
    """Everything one input reaches before and where its channels mix, in order.

    `outputs` are those of the model that hold the channels themselves.
    """

    input: str
    sites: tuple[Site, ...]
    outputs: tuple[str, ...] = ()

    def mixing(self) -> tuple[Site, ...]:
        """The first layers that mix channels."""
        return tuple(site for site in self.sites if site.role == "mixing")

    def blocked(self) -> tuple[Site, ...]:
        """Where the way could not be followed."""
        return tuple(site for site in self.sites if site.role == "blocked")


def traced(graph: Graph, name: str, axis: int, channels: int | None) -> Trace:
    """Follow one input from its channel axis on, into nested models at any depth."""
    walk = _Walk(channels)
    states = walk.level(graph, "", {TensorRef(name): State(axis=axis)})
    outputs = tuple(dict.fromkeys(ref.layer for ref in graph.output_refs() if ref in states))
    return Trace(name, tuple(walk.sites.values()), outputs)


Found = dict[TensorRef, State]


class _Walk:
    """One run; `channels` is the number that the input has, where it is known."""

    def __init__(self, channels: int | None) -> None:
        self.channels = channels
        self.sites: dict[str, Site] = {}

    def level(self, graph: Graph, prefix: str, start: Found) -> Found:
        """The states of all tensors of one level that are followed."""
        layers = graph.by_name()
        states = dict(start)
        for name, number in _in_order(graph, start):
            checkpoint()
            layer = layers[name]
            given = {ref: states[ref] for ref in layer.calls[number].inputs() if ref in states}
            if given:
                states.update(_Call(self, graph, prefix, layer, number, given).run())
        return states

    def note(self, site: Site) -> None:
        """A layer that several calls reach is one site: what holds of all of them."""
        first = self.sites.get(site.path)
        if first is None or first.role == "blocked":
            self.sites.setdefault(site.path, site)
            return
        one, other = first.state, site.state
        if site.role != first.role or (one.blocks, one.axis) != (other.blocks, other.axis):
            self.sites[site.path] = replace(first, role="blocked")
            return
        both = replace(
            one,
            known=one.known and other.known and one.steps == other.steps,
            linear=one.linear and other.linear,
            alike=one.alike and other.alike,
            zero=one.zero and other.zero,
            padded=one.padded or other.padded,
        )
        self.sites[site.path] = replace(first, state=both)


def _in_order(graph: Graph, start: Found) -> list[Node]:
    """The calls that the channels can reach, each after those it depends on."""
    layers, consumers = graph.by_name(), graph.consumers()
    reached: set[Node] = set()
    queue = deque(start)
    seen = set(start)
    while queue:
        for node in consumers.get(queue.popleft(), ()):
            if node in reached:
                continue
            reached.add(node)
            if _ends(layers[node[0]]):
                continue
            count = max(1, len(layers[node[0]].calls[node[1]].outputs or (None,)))
            fresh = [TensorRef(*node, output) for output in range(count)]
            queue.extend(ref for ref in fresh if ref not in seen)
            seen.update(fresh)
    return [node for node in graph.order if node in reached]


def _ends(layer: Layer) -> bool:
    """Whether no channel is ever followed beyond a layer."""
    return layer.inner is None and (
        layer.opaque or (leaf(layer).class_name in known.MIXING - table.classes(family="dense"))
    )


class _Call:
    """What one call makes of the tensors that are followed."""

    def __init__(self, walk: _Walk, graph: Graph, prefix: str, layer: Layer, number: int, given: Found) -> None:
        self.walk = walk
        self.graph = graph
        self.path = prefix + layer.name
        self.whole = layer
        self.layer = leaf(layer)
        self.number = number
        self.given = given
        self.times = steps(layer)
        self.refs = layer.calls[number].inputs()
        self.ref = next(ref for ref in self.refs if ref in given)
        self.state = given[self.ref]
        shape = graph.spec(self.ref).shape
        self.shape: Shape | None = None if shape is None else shape[self.times :]
        self.axis = self.state.axis - self.times
        self.rank = len(self.shape) if self.shape is not None else 0

    def run(self) -> Found:
        if self.whole.inner is not None and not self.whole.opaque:
            return self._into()
        if self.layer.opaque or self.shape is None or not 1 <= self.axis < self.rank:
            return self._blocked()
        name = self.layer.class_name
        if name == "Concatenate":
            return self._concatenated()
        if name == "Stack":
            return self._stacked()
        if name in known.TOGETHER:
            return self._together(name)
        return self._alone(name) if len(self.given) == 1 else self._several(name)

    # what there is to say

    def _note(self, role: str, state: State | None = None) -> None:
        self.walk.note(Site(self.path, self.whole, role, self.state if state is None else state, self.shape))

    def _blocked(self) -> Found:
        self._note("blocked")
        return {}

    def _out(self, state: State, axis: int | None = None) -> Found:
        """The state of everything that the call gives."""
        moved = replace(state, axis=(self.axis if axis is None else axis) + self.times)
        count = max(1, len(self.whole.calls[self.number].outputs or (None,)))
        return {TensorRef(self.whole.name, self.number, output): moved for output in range(count)}

    def _same(self, **changes: Any) -> Found:
        return self._out(replace(self.state, **changes))

    def _into(self) -> Found:
        """Through a nested model: in by the position of the argument, out by the position of the output."""
        layer = self.whole
        inner = layer.inner
        assert inner is not None
        time = 1 if layer.class_name == "TimeDistributed" else 0
        if inner.opaque or (layer.inner_key is not None and not time):
            return self._blocked()
        start = {}
        for port, ref in zip(inner.input_refs(), self.refs, strict=False):
            if ref in self.given:
                if self.given[ref].axis - time < 1:
                    return self._blocked()
                start[port] = replace(self.given[ref], axis=self.given[ref].axis - time)
        states = self.walk.level(inner, f"{self.path}/", start)
        return {
            TensorRef(layer.name, self.number, position): replace(states[out], axis=states[out].axis + time)
            for position, out in enumerate(inner.output_refs())
            if out in states
        }

    # one tensor

    def _alone(self, name: str) -> Found:
        config = self.layer.config
        if self.refs[0] != self.ref and not self.layer.is_operation:
            return self._blocked()
        if self.layer.is_operation:
            return self._operation(name)
        if name in known.MIXING:
            return self._mixing(name, config)
        if name in known.TOKENS:
            return self._blocked()
        row = table.row(name)
        if row.idle:
            return self._same()
        if row.acts in ("map", "filter"):
            return self._spatial(name, row, config)
        if name == "Masking":
            return self._same(known=False, linear=False)
        if name in known.ACTIVATIONS:
            zero = self.state.zero and not float(config.get("threshold") or 0)
            return self._same(known=False, linear=False, zero=zero)
        if name in ("Activation", "Softmax"):
            return self._activation(
                "softmax" if name == "Softmax" else config.get("activation"), config.get("axis", -1)
            )
        special: dict[str, Callable[[], Found]] = {
            "Flatten": self._flatten,
            "Reshape": lambda: self._reshape(config.get("target_shape")),
            "Permute": lambda: self._transposed((0, *config["dims"])),
            "RepeatVector": lambda: self._out(self.state, 2),
            "Rescaling": self._rescaled,
            "PReLU": self._parametric,
        }
        if name in special:
            return special[name]()
        if row.kind in ("batch", "sample"):
            return self._normalized(name, config)
        return self._blocked()

    def _mixing(self, name: str, config: dict[str, Any]) -> Found:
        axis = table.channel_axis(name, config, self.rank)
        if name == "EinsumDense" and not _plain_equation(str(config.get("equation"))):
            return self._blocked()
        if name == "MultiHeadAttention" and config.get("output_shape") is None:
            return self._blocked()  # it gives as many channels as it gets
        if axis != self.axis:
            if name != "Dense":
                return self._blocked()
            # each channel goes by itself through a Dense that works along another axis
            linear = self.state.linear and config.get("activation") in (None, "linear")
            return self._same(known=False, linear=linear, zero=False)
        self._note("mixing")
        return {}

    def _spatial(self, name: str, row: Row, config: dict[str, Any]) -> Found:
        if table.channel_axis(name, config, self.rank) != self.axis:
            return self._blocked()
        state = self.state
        if row.acts == "filter":
            self._note("depthwise")
            linear = state.linear and config.get("activation") in (None, "linear")
            blocks = multiplied(state.blocks, int(config.get("depth_multiplier") or 1))
            return self._same(blocks=blocks, known=False, linear=linear, alike=False, zero=False, filtered=True)
        if row.kind == "padding":
            return self._same(padded=state.padded or bool(state.steps))
        if row.kind.startswith("global"):
            mean = row.kind == "global average"
            return self._out(
                replace(state, known=state.known and mean, linear=state.linear and mean),
                self.axis if config.get("keepdims") else 1,
            )
        if row.kind in ("max", "adaptive max") or name == "AutoContrast":
            return self._same(known=False, linear=False)
        return self._same()

    def _activation(self, activation: Any, axis: Any) -> Found:
        state = self.state
        if isinstance(activation, dict):
            activation = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu"}.get(
                str(activation.get("class_name"))
            )
        if activation in (None, "linear"):
            return self._same() if activation else self._blocked()
        if activation in known.ACROSS:
            if self.axis in known.normalised(axis, self.rank):
                return self._blocked()
            return self._same(known=False, linear=False, zero=False)
        if activation not in known.ZERO_AT_ZERO | known.ELSEWHERE:
            return self._blocked()
        return self._same(known=False, linear=False, zero=state.zero and activation in known.ZERO_AT_ZERO)

    def _flatten(self) -> Found:
        shape, axis = self.shape or (), self.axis
        if self.layer.config.get("data_format") == "channels_first" and self.rank > 2:
            # Keras moves axis 1 behind the others first
            shape = (shape[0], *shape[2:], shape[1])
            axis = self.rank - 1 if axis == 1 else axis - 1
        found = reshaped(self.state.blocks, axis, shape, (shape[0], None))
        return self._blocked() if found is None else self._out(replace(self.state, blocks=found[0]), found[1])

    def _reshape(self, target: Any) -> Found:
        shape = self.shape or ()
        given = self.whole.calls[self.number].outputs
        after = given[0].shape if given else None
        if after is None or len(after) < 2:
            return self._blocked()
        after = after[self.times :] if self.times else after
        if self.layer.is_operation and not _keeps_batch(shape, after, target):
            return self._blocked()
        found = reshaped(self.state.blocks, self.axis, shape, after)
        return self._blocked() if found is None else self._out(replace(self.state, blocks=found[0]), found[1])

    def _transposed(self, order: tuple[int, ...]) -> Found:
        order = known.normalised(order, self.rank)
        return self._blocked() if order[0] != 0 else self._out(self.state, order.index(self.axis))

    def _parametric(self) -> Found:
        alpha = next((weight for weight in self.layer.weights if weight.name.rpartition("/")[2] == "alpha"), None)
        axis = self.axis - 1
        if alpha is None or axis >= len(alpha.shape):
            return self._blocked()
        if alpha.shape[axis] == 1:
            return self._same(known=False, linear=False)
        if axis != len(alpha.shape) - 1:
            return self._blocked()
        self._note("vector")
        return self._same(known=False, linear=False, alike=False)

    def _rescaled(self) -> Found:
        config = self.layer.config
        return self._affine([("scale", config.get("scale", 1.0)), ("offset", config.get("offset", 0.0))])

    def _affine(self, values: list[tuple[str, Any]], turned: bool = False) -> Found:
        """After constants: a step where they are one number or one for each channel; noted where channels differ."""
        state, per, noted, elsewhere = self.state, False, False, False
        fields: dict[str, Any] = {}
        for kind, value in values:
            array = known.constant(value)
            found = None if array is None else known.spread_over(array, self.rank, self.axis)
            if array is None or found is None:
                return self._blocked()
            count, others = found
            if count not in self._widths():
                return self._blocked()
            per, elsewhere = per or count > 1, elsewhere or others
            noted = noted or self._holds_each(array, count)
            flat = array.reshape(-1)
            fields[kind] = float(flat[0]) if flat.size == 1 else tuple(float(one) for one in flat)
        if noted:
            self._note("constants")
        zero = state.zero and not np.any(fields.get("offset", 0.0))
        if elsewhere or (per and not single(state.blocks)):
            return self._same(known=False, alike=state.alike and not per, zero=zero)
        step = Affine(kind="rescaling", order=self._order() if per else (), **fields)
        return self._stepped(step, zero, per)

    def _holds_each(self, array: Any, count: int) -> bool:
        """Whether an array has a number for each channel, be it for the only one, or had when another input changed."""
        each = width(self.state.blocks, self.walk.channels or 0)
        return array.ndim >= self.rank - self.axis and (count == each or self.whole.history is not None)

    def _widths(self) -> set[int | None]:
        """How many numbers a constant may have along the channel axis.

        A layer that is shared with an input which was changed first has them for as many channels as that has now.
        """
        through = self.whole.history.through if self.whole.history is not None else ()
        return {1, *(width(self.state.blocks, count) for count in (self.walk.channels or 0, *through))}

    def _order(self) -> tuple[int, ...]:
        """At which place each channel lies, where that is not its number."""
        order = self.state.blocks[0].order
        if order == UP:
            return ()
        count = self.walk.channels or 0
        return tuple(int(one) for one in np.argsort(grown(order, count)))

    def _stepped(self, step: Affine, zero: bool, per: bool) -> Found:
        state = self.state
        if not state.known:
            return self._same(alike=state.alike and not per, zero=zero)
        return self._same(steps=(*state.steps, step), padded=False, alike=state.alike and not per, zero=zero)

    def _normalized(self, name: str, config: dict[str, Any]) -> Found:
        state, axes = self.state, config.get("axis", -1)
        across = table.row(name).kind == "sample"
        if axes is None:
            return self._stepped(replace(statistics(self.layer), uniform=True), False, False)
        many = known.normalised(axes, self.rank)
        if self.axis not in many:
            # every channel alike, though not every place of the map
            return self._same(known=False, linear=state.linear and not across, zero=False)
        if len(many) > 1 and self.axis != max(many):
            return self._blocked()  # its arrays do not end in the channels
        self._note("vector")
        if across:
            return self._same(known=False, linear=False, alike=False, zero=False)
        if len(many) > 1 or not single(state.blocks):
            return self._same(known=False, alike=False, zero=False)
        return self._stepped(replace(statistics(self.layer), order=self._order()), False, True)

    # operations

    def _operation(self, name: str) -> Found:
        config, state, rank = self.layer.config, self.state, self.rank
        if name in known.LINEAR_OPS:
            if name == "Negative":
                return self._stepped(Affine(kind="rescaling", scale=-1.0), state.zero, False)
            floats = "Cast" not in name or str(config.get("dtype", "float")).startswith(("float", "bfloat"))
            return self._same() if floats else self._same(known=False, linear=False)
        if name in known.ZERO_OPS or name in known.OTHER_OPS:
            zero = state.zero and name in known.ZERO_OPS and _clips_around_zero(name, self.layer, self.number)
            return self._same(known=False, linear=False, zero=zero)
        if name in ("Softmax", "LogSoftmax", "Sparsemax"):
            return self._activation("softmax", config.get("axis", -1))
        if name in known.REDUCING:
            return self._reduced(name, config)
        shapes: dict[str, Callable[[], Found]] = {
            "Transpose": lambda: self._transposed(tuple(config.get("axes") or reversed(range(rank)))),
            "Moveaxis": lambda: self._transposed(_moved(rank, config["source"], config["destination"])),
            "Swapaxes": lambda: self._transposed(_swapped(rank, config["axis1"], config["axis2"])),
            "ExpandDims": self._expanded,
            "Squeeze": self._squeezed,
            "Reshape": lambda: self._reshape(config.get("newshape")),
            "GetItem": self._indexed,
            "Flip": self._flipped,
            "Take": self._taken,
            "Pad": self._padded,
            "Roll": lambda: self._elsewhere(config.get("axis")),
            "Repeat": lambda: self._repeated(config.get("repeats"), config.get("axis")),
            "Tile": lambda: self._tiled(config.get("repeats")),
            "Split": lambda: self._parted(config.get("axis", 0)),
            "Unstack": self._unstacked,
            "Stack": self._stacked,
            "MaxPool": lambda: self._pooled(False),
            "AveragePool": lambda: self._pooled(True),
            "Resize": lambda: self._pooled(True),
        }
        return shapes[name]() if name in shapes else self._blocked()

    def _pooled(self, linear: bool) -> Found:
        first = self.layer.config.get("data_format") == "channels_first"
        if self.axis != (1 if first else self.rank - 1):
            return self._blocked()
        return self._same() if linear else self._same(known=False, linear=False)

    def _elsewhere(self, axis: Any) -> Found:
        """What acts along one axis leaves channels alone on another."""
        if axis is None or self.axis in known.normalised(axis, self.rank):
            return self._blocked()
        return self._same()

    def _reduced(self, name: str, config: dict[str, Any]) -> Found:
        axes = config.get("axis")
        if axes is None:
            return self._blocked()
        many = known.normalised(axes, self.rank)
        if 0 in many:
            return self._blocked()
        if self.axis in many:
            self._note("reduced" if name in known.GRAY_KEPT else "blocked")
            return {}
        linear = name in ("Mean", "Sum")
        shift = 0 if config.get("keepdims") else sum(one < self.axis for one in many)
        state = replace(
            self.state,
            known=self.state.known and name == "Mean",
            linear=self.state.linear and linear,
            zero=self.state.zero and name != "Logsumexp",
        )
        return self._out(state, self.axis - shift)

    def _expanded(self) -> Found:
        axes = known.normalised(self.layer.config.get("axis", -1), self.rank + 1)
        return (
            self._blocked()
            if len(axes) != 1 or axes[0] == 0
            else self._out(self.state, self.axis + (axes[0] <= self.axis))
        )

    def _squeezed(self) -> Found:
        axes, shape = self.layer.config.get("axis"), self.shape or ()
        many = (
            tuple(place for place, size in enumerate(shape) if size == 1)
            if axes is None
            else known.normalised(axes, self.rank)
        )
        if self.axis in many or 0 in many:
            return self._blocked()
        return self._out(self.state, self.axis - sum(one < self.axis for one in many))

    def _indexed(self) -> Found:
        found = known.operands(self.layer, self.number)
        place = known.indexed(found[1], self.rank, self.axis) if len(found) == 2 else None
        if place is None:
            return self._blocked()
        axis, part = place
        if part == slice(None):
            return self._out(self.state, axis)
        if part == slice(None, None, -1):
            return self._turned(axis)
        return self._numbered(part)

    def _numbered(self, part: Any) -> Found:
        """Channels taken by their numbers: what comes behind does not change, if they are there as they were."""
        start = part if isinstance(part, int) else (part.start or 0)
        ends = (start, 0 if isinstance(part, int) else (part.stop if part.stop is not None else -1))
        if not regular_whole(self.state.blocks) or min(ends) < 0 or (isinstance(part, slice) and (part.step or 1) < 1):
            return self._blocked()
        self._note("picked")
        return {}

    def _turned(self, axis: int | None) -> Found:
        return self._out(replace(self.state, blocks=flipped(self.state.blocks)), axis)

    def _flipped(self) -> Found:
        axes = self.layer.config.get("axis")
        if axes is None or 0 in (many := known.normalised(axes, self.rank)):
            return self._blocked()
        return self._turned(None) if self.axis in many else self._same()

    def _taken(self) -> Found:
        axis = self.layer.config.get("axis")
        found = known.operands(self.layer, self.number)
        if axis is None or known.normalised(axis, self.rank) == (0,) or len(found) != 2:
            return self._blocked()
        numbers = known.constant(found[1])
        if self.axis not in known.normalised(axis, self.rank):
            return self._same() if numbers is not None and numbers.ndim == 1 else self._blocked()
        if numbers is None or numbers.ndim != 1 or not regular_whole(self.state.blocks):
            return self._blocked()
        order = tuple(int(one) for one in numbers)
        if sorted(order) == list(range(self.walk.channels or 0)):
            self._note("order")
            return self._same(blocks=(Block(order=order),))
        if order and min(order) >= 0:
            self._note("picked")
            return {}
        return self._blocked()

    def _padded(self) -> Found:
        config, state = self.layer.config, self.state
        pads, values = config.get("pad_width"), self.layer.calls[self.number].kwargs.get("constant_values")
        if not isinstance(pads, (list, tuple)) or len(pads) != self.rank or any(pads[self.axis]) or any(pads[0]):
            return self._blocked()
        zeros = config.get("mode", "constant") == "constant" and not values
        if zeros:
            return self._same(padded=state.padded or bool(state.steps))
        return self._same(known=state.known and config.get("mode") != "constant", zero=state.zero and not values)

    def _repeated(self, times: Any, axis: Any) -> Found:
        if not isinstance(times, int) or axis is None:
            return self._blocked()
        if self.axis not in known.normalised(axis, self.rank):
            return self._same()
        return self._same(blocks=multiplied(self.state.blocks, times))

    def _tiled(self, times: Any) -> Found:
        if not isinstance(times, (list, tuple)) or len(times) != self.rank or times[0] != 1:
            return self._blocked()
        blocks = repeated(self.state.blocks, int(times[self.axis]))
        return self._blocked() if blocks is None else self._same(blocks=blocks)

    def _unstacked(self) -> Found:
        (axis,) = known.normalised(self.layer.config.get("axis", 0), self.rank)
        if axis in (0, self.axis):
            return self._parted(axis)
        return self._out(self.state, self.axis - (axis < self.axis))

    def _parted(self, axis: Any) -> Found:
        """Cut along one axis; along that of the channels the parts are channels by their numbers."""
        (one,) = known.normalised(axis, self.rank)
        if one != self.axis:
            return self._blocked() if one == 0 else self._same()
        if not regular_whole(self.state.blocks):
            return self._blocked()
        self._note("picked")
        return {}

    def _stacked(self) -> Found:
        (axis,) = known.normalised(self.layer.config.get("axis", 0), self.rank + 1)
        if axis == 0 or len(self.given) != len(set(self.refs)):
            return self._blocked()
        joined = self._joined()
        return self._blocked() if joined is None else self._out(joined, self.axis + (axis <= self.axis))

    # several tensors

    def _joined(self) -> State | None:
        """What holds of all followed tensors of a call; `None` where their channels do not lie alike."""
        first, *rest = self.given.values()
        for one in rest:
            if (one.blocks, one.axis) != (first.blocks, first.axis):
                return None
            first = replace(
                first,
                known=first.known and one.known and first.steps == one.steps,
                linear=first.linear and one.linear,
                alike=first.alike and one.alike,
                zero=first.zero and one.zero,
                padded=first.padded or one.padded,
                filtered=first.filtered or one.filtered,
            )
        return first

    def _together(self, name: str) -> Found:
        """Tensors and constants combined number by number."""
        joined, values = self._joined(), known.operands(self.layer, self.number)
        if joined is None or self.times:
            return self._blocked()
        self.state = joined
        tensors = [value for value in values if isinstance(value, TensorRef)]
        constants = [value for value in values if not isinstance(value, TensorRef) and value is not None]
        if len(tensors) == 1 and len(constants) == 1 and name in _ARITHMETIC:
            found = self._arithmetic(name, values, constants[0])
            if found is not None:
                return found
        per = noted = False
        for value in constants:
            array = known.constant(value)
            spread = None if array is None else known.spread_over(array, self.rank, self.axis)
            if array is None or spread is None or spread[0] not in self._widths():
                return self._blocked()
            per = per or spread[0] > 1
            noted = noted or self._holds_each(array, spread[0])
        if not all(ref in self.given or self._alike_along_channels(ref) for ref in tensors):
            return self._blocked()
        if noted:
            self._note("constants")
        followed = sum(ref in self.given for ref in tensors)
        alone = followed == 1
        divided = (
            name in ("Divide", "TrueDivide") and alone and isinstance(values[0], TensorRef) and values[0] in self.given
        )
        linear = name in known.SUMS or divided or (name == "Multiply" and alone)
        zero = (
            name == "Multiply"
            or divided
            or (name in (*known.SUMS, "Maximum", "Minimum") and followed == len(tensors) and not constants)
        )
        return self._same(
            known=False,
            linear=joined.linear and linear,
            alike=joined.alike and not per,
            zero=joined.zero and zero,
        )

    def _alike_along_channels(self, ref: TensorRef) -> bool:
        """Whether a tensor from elsewhere says the same to every channel."""
        shape = self.graph.spec(ref).shape
        if shape is None or len(shape) > self.rank:
            return False
        place = self.axis - (self.rank - len(shape))
        return place < 0 or shape[place] == 1

    def _arithmetic(self, name: str, values: list[Any], value: Any) -> Found | None:
        """One tensor and one constant: `x - 127.5`, `x / 127.5`, `x * scale`, `1 - x`."""
        first = isinstance(values[0], TensorRef)
        array = known.constant(value)
        if array is None:
            return None
        if name in ("Add", "Subtract"):
            if name == "Add" or first:
                return self._affine([("offset", (array if name == "Add" else -array).tolist())])
            if array.size != 1:
                return None
            step = Affine(kind="rescaling", scale=-1.0, offset=float(array.reshape(-1)[0]))
            return self._stepped(step, False, False)
        if name == "Multiply":
            return self._affine([("scale", array.tolist())])
        if not first or not np.all(array):
            return None
        return self._affine([("divisor", array.tolist())])

    def _several(self, name: str) -> Found:
        """Other layers that get several of the tensors, which sum over the channels of each if over any."""
        joined = self._joined()
        if joined is None or name != "MultiHeadAttention" or set(self.refs) != set(self.given):
            return self._blocked()
        return self._mixing(name, self.layer.config)

    def _concatenated(self) -> Found:
        config = self.layer.config
        rank, axis = self.rank, self.axis
        refs = [value for value in known.operands(self.layer, self.number) if isinstance(value, TensorRef)]
        (along,) = known.normalised(config.get("axis", -1), rank)
        if any(state.axis != self.state.axis for state in self.given.values()) or along == 0:
            return self._blocked()
        if along != axis:
            joined = self._joined() if all(ref in self.given for ref in refs) else None
            return self._blocked() if joined is None else self._out(joined)
        blocks: list[Block] = []
        for ref in refs:
            if ref in self.given:
                blocks += self.given[ref].blocks
                continue
            shape = self.graph.spec(ref).shape
            size = None if shape is None else shape[along + self.times]
            if size is None:
                return self._blocked()
            blocks.append(Block(foreign=size))
        states = list(self.given.values())
        same = all(one.steps == states[0].steps for one in states)
        return self._out(
            State(
                blocks=tuple(blocks),
                steps=states[0].steps if same else (),
                known=all(one.known for one in states) and same,
                linear=all(one.linear for one in states),
                alike=all(one.alike for one in states),
                zero=all(one.zero for one in states),
                padded=any(one.padded for one in states),
                filtered=any(one.filtered for one in states),
            )
        )


_SUMMING = table.classes(acts="mixing") - table.classes(family="dense")
_ARITHMETIC = frozenset({"Add", "Subtract", "Multiply", "Divide", "TrueDivide"})


def regular_whole(blocks: Blocks) -> bool:
    """Whether the axis holds the channels once, in order, and nothing else."""
    return single(blocks) and blocks[0].order == UP


def _keeps_batch(shape: Shape, after: Shape, target: Any) -> bool:
    """Whether a reshape written with the batch leaves that alone: as many numbers in each sample as before."""
    if not isinstance(target, (list, tuple)) or None in shape[1:] or None in after[1:]:
        return False
    old, new = np.prod([int(size or 0) for size in shape[1:]]), np.prod([int(size or 0) for size in after[1:]])
    return bool(old == new)


def _plain_equation(equation: str) -> bool:
    """Whether an EinsumDense sums over the last axis of what it gets and the first of its kernel, and over no other."""
    left, arrow, right = equation.replace(" ", "").replace("...", "").partition("->")
    given, comma, kernel = left.partition(",")
    summed = [letter for letter in given if letter in kernel and letter not in right]
    return bool(arrow and comma) and summed == [given[-1:]] == [kernel[:1]] and not set(given[:-1]) & set(kernel)


def _clips_around_zero(name: str, layer: Layer, number: int) -> bool:
    if name != "Clip":
        return True
    low, high = layer.config.get("x_min"), layer.config.get("x_max")
    numbers = all(isinstance(one, (int, float)) for one in (low, high))
    return numbers and float(low or 0) <= 0 <= float(high or 0)


def _moved(rank: int, source: Any, destination: Any) -> tuple[int, ...]:
    froms, tos = known.normalised(source, rank), known.normalised(destination, rank)
    order = [axis for axis in range(rank) if axis not in froms]
    for place, axis in sorted(zip(tos, froms, strict=True)):
        order.insert(place, axis)
    return tuple(order)


def _swapped(rank: int, one: int, other: int) -> tuple[int, ...]:
    order = list(range(rank))
    order[one % rank], order[other % rank] = order[other % rank], order[one % rank]
    return tuple(order)


def _array(layer: Layer, name: str, default: float) -> Value:
    weight: Weight | None = next((one for one in layer.weights if one.name.rpartition("/")[2] == name), None)
    return weight.source if weight is not None and weight.source is not None else default


def _numbers(value: Any) -> Value:
    array = known.constant(value)
    if array is None:
        return 0.0
    flat = array.reshape(-1)
    return float(flat[0]) if array.ndim == 0 or flat.size == 1 else tuple(float(one) for one in flat)


def statistics(layer: Layer) -> Affine:
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
