"""Channel changes in a row: what earlier ones did to a layer, and how a later one starts from the source again.

Rules are about the source's arrays and constants in a config are mapped at once, so a second change must know of the
first. Where both keep gray images, the later one is made from the source as if it were the only one: three channels
that become one and three again are copies. All else is composed: what the first change made is what the second changes.
"""

from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from core.layers.axes import leaf_class
from core.layers.table import row
from core.model.graph import Graph, Layer
from core.rules import AnyRule
from core.rules.channels import ChannelRule
from core.rules.composed import ComposedChannels
from core.surgery.anatomy import Site, Trace, channel_axis, trace_input
from core.surgery.channels import Change, apply_change, choose, describe
from core.surgery.recording import configured, forget

_ABSENT = "(not there)"


class History(Struct, frozen=True):
    """The channel changes made to a layer: `rules` in order, `through` the numbers of channels from the source on.

    `exact` says whether gray images still give what the source gives. `config` and `operands` pair what was there
    before with what was made of it, by config key and by `(call, position)` of an operation's constants.
    """

    through: tuple[int, ...]
    rules: tuple[ChannelRule, ...]
    exact: bool
    config: dict[str, tuple[Any, Any]]
    operands: dict[tuple[int, int | str], tuple[Any, Any]]


class Decision(Struct, frozen=True):
    """A change with the graph that it is made on, and the trace through it."""

    graph: Graph
    trace: Trace
    change: Change
    through: tuple[int, ...]
    rules: tuple[ChannelRule, ...]
    gray: bool

    def applied(self) -> Graph:
        """The graph after the change, every layer it touched knowing of it."""
        after = apply_change(self.graph, self.trace, self.change)
        fresh: dict[str, Layer] = {}
        for site in _touched(self.trace):
            before, now = self.graph.find(site.path), after.find(site.path)
            config = {
                key: (before.config.get(key, _ABSENT), value)
                for key, value in now.config.items()
                if before.config.get(key, _ABSENT) != value
            }
            history = History(self.through, self.rules, self.gray, config, _operands(before, now))
            fresh[site.path] = replace(now, history=history)
        return after.with_layers(fresh)


def decide(graph: Graph, name: str, now: int, new: int, wanted: str | AnyRule) -> Decision:
    """What happens when the input `name` goes from `now` channels to `new`. Raises `EditError`."""
    trace = trace_input(graph, name)
    past = _past(trace)
    if past is None or now not in (past.through[0], past.through[-1]):
        return _first(graph, trace, now, new, wanted)
    base = _fed(_undone(graph, trace), name, channel_axis(graph, name), past.through[0])
    whole = trace_input(base, name)
    if past.through[-1] != now:
        return _first(base, whole, now, new, wanted)  # layers shared with another input, which was changed first
    rule = choose(whole, now, new, wanted)
    step = describe(trace, now, new, rule)
    if step.contract == "gray" and _keeps_gray(past):
        made = _first(base, whole, past.through[0], new, wanted)
        return replace(made, change=replace(made.change, now=now, exact=made.change.exact and past.exact))
    rules, through = (*past.rules, rule), (*past.through, new)
    total = ComposedChannels(rules=rules, through=through)
    exact = step.exact and not any(_rebuilt(site) for site in trace.sites)
    change = replace(step, old=past.through[0], rule=total, exact=exact)
    gray = past.exact and change.exact and _gain(step.matrix)
    return Decision(base, whole, change, through, rules, gray)


def _first(graph: Graph, trace: Trace, now: int, new: int, wanted: str | AnyRule) -> Decision:
    change = describe(trace, now, new, choose(trace, now, new, wanted))
    return Decision(graph, trace, change, (now, new), (change.rule,), change.exact and _gain(change.matrix))


def _keeps_gray(past: History) -> bool:
    """Whether the channels weigh as much together as the source's do."""
    total = ComposedChannels(rules=past.rules, through=past.through)
    return _gain(total.matrix(past.through[-1], past.through[0]))


def _gain(matrix: Any) -> bool:
    return bool(np.allclose(np.sum(matrix, axis=0), 1.0))


def _touched(trace: Trace) -> tuple[Site, ...]:
    return tuple(site for site in trace.sites if site.role != "blocked")


def _past(trace: Trace) -> History | None:
    """What all layers on the way agree happened before; `None` when nothing did, or when some were replaced since."""
    found = [site.layer.history for site in _touched(trace)]
    first = found[0] if found else None
    if not isinstance(first, History) or not all(isinstance(one, History) for one in found):
        return None
    same = all((one.through, one.rules) == (first.through, first.rules) for one in found)
    return first if same else None


def _undone(graph: Graph, trace: Trace) -> Graph:
    """The graph with constants as the source has them and no rules for channels."""
    return graph.with_layers({site.path: _restored(graph.find(site.path)) for site in _touched(trace)})


def _fed(graph: Graph, name: str, axis: int | None, channels: int) -> Graph:
    """The graph with as many channels at its input as its constants are for again."""
    layer = graph.layer(name)
    shape = list(layer.config.get("batch_shape") or ())
    if axis is None or not shape:
        return graph
    shape[axis] = channels
    return graph.with_layer(name, configured(layer, batch_shape=shape))


def _restored(layer: Layer) -> Layer:
    history: History = layer.history
    config = dict(layer.config)
    for key, (old, made) in history.config.items():
        if config.get(key, _ABSENT) == made:  # what another edit set since stays
            config[key] = old
    config = {key: value for key, value in config.items() if value != _ABSENT}
    for weight, _ in layer.rules:
        layer = forget(layer, weight, "channels")
    calls = list(layer.calls)
    for (number, place), (old, made) in history.operands.items():
        call = calls[number]
        if isinstance(place, str) and call.kwargs.get(place) == made:
            calls[number] = replace(call, kwargs={**call.kwargs, place: old})
        elif isinstance(place, int) and call.args[place] == made:
            calls[number] = replace(call, args=(*call.args[:place], old, *call.args[place + 1 :]))
    return replace(layer, config=config, calls=tuple(calls), history=None)


def _operands(before: Layer, after: Layer) -> dict[tuple[int, int | str], tuple[Any, Any]]:
    """Constants of an operation that were mapped."""
    found: dict[tuple[int, int | str], tuple[Any, Any]] = {}
    for number, (one, other) in enumerate(zip(before.calls, after.calls, strict=True)):
        places: list[tuple[int | str, Any, Any]] = [
            (at, *pair) for at, pair in enumerate(zip(one.args, other.args, strict=True))
        ]
        places += [(key, value, other.kwargs[key]) for key, value in one.kwargs.items()]
        found.update({(number, place): (old, made) for place, old, made in places if old != made})
    return found


def _rebuilt(site: Site) -> bool:
    """Whether a channel change rebuilds the layer in a way of its own, which does not compose."""
    return row(leaf_class(site.layer)[0]).kind == "separable"
