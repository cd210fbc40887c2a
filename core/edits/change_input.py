"""Change a model's input: its size, its channels, or both."""

from typing import Any, ClassVar, Self

from msgspec.structs import replace

from core.edits.base import Context, Edit, Outcome
from core.edits.insert_adapter import InsertAdapter
from core.edits.insert_front import InsertFront
from core.errors import EditError
from core.findings import Finding, Fix
from core.model.contract import Contract
from core.model.graph import Graph, Layer, Shape
from core.phrases import sample_words, shape_words
from core.rules import AnyRule, FoldChannels, MapChannels
from core.surgery import contracts
from core.surgery.anatomy import channel_axis, find_input
from core.surgery.baked import baked_findings, rebaked
from core.surgery.channel_history import Decision, decide
from core.surgery.channel_losses import lossy, unfollowed
from core.surgery.channels import choose, missing
from core.surgery.positions import counts_places
from core.surgery.recording import configured

_FEW = 4
"""Images have up to so many channels; a size is larger."""
_CHANGES_WITH_SIZE = frozenset({"Flatten", "Reshape"})


class ChangeInput(Edit, frozen=True, kw_only=True, tag="change_input"):
    """New `shape` (without batch, `None` = dynamic) for `input` (`None`: the only one).

    `channels` is the rule for the weights that follow the channels: `auto`, a rule's name, or a rule with fields.
    """

    about: ClassVar[str] = "input"
    shape: tuple[int | None, ...]
    input: str | None = None
    channels: str | AnyRule = "auto"

    def check(self) -> None:
        """Sizes are whole numbers from 1, or null."""
        for size in self.shape:
            if size is not None and size < 1:
                raise EditError(f"shape contains {size}; every size must be at least 1, or null for any.")

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The InputLayer with its new shape, channel rules on everything the channels reach, and constants that the
        model froze at its old size recomputed where the right value follows.
        """
        self.check()
        layer, old = self._before(graph)
        decision = self._decision(graph, layer, old)
        changed = graph if decision is None else decision.applied()
        fresh = configured(changed.layer(layer.name), batch_shape=[old[0], *self.shape])
        calls = tuple(replace(call, outputs=None) for call in fresh.calls)
        changed = changed.with_layer(layer.name, replace(fresh, calls=calls))
        after = context.settled(changed, lambda now: rebaked(graph, now))
        same = self._contracts(graph, after, layer, old, decision)
        return Outcome(after, same, self._findings(graph, after, layer, old, decision))

    def _contracts(
        self, before: Graph, after: Graph, layer: Layer, old: Shape, decision: Decision | None
    ) -> tuple[Contract, ...]:
        """Channels: gray, old bands or mapped; size alone: the old size."""
        resized = any(mine != new for axis, (mine, new) in self._sizes(before, layer, old))
        if resized and size_matters(before, after):
            return ()
        if decision is None:
            return (contracts.old_size(layer.name, old[1:], True),) if resized else ()
        change = decision.change
        if decision.trace.outputs:
            return ()  # what comes out has another number of channels
        axis = channel_axis(before, layer.name)
        assert axis is not None
        shape = tuple(change.new if place == axis - 1 else size for place, size in enumerate(old[1:]))
        make = {"gray": contracts.gray, "old_bands": contracts.old_bands}.get(change.contract)
        if make is not None:
            return (make(layer.name, axis, shape, change.now, change.new, change.exact),)
        return (contracts.mapped(layer.name, axis, shape, change.matrix, change.exact),)

    def _findings(
        self, before: Graph, after: Graph, layer: Layer, old: Shape, decision: Decision | None
    ) -> tuple[Finding, ...]:
        """What is only nearly kept, and where channels could not be followed."""
        baked = baked_findings(before, after)
        turned = _turned(layer, channel_axis(before, layer.name), old, self.shape, self._shaped)
        if turned is not None:
            baked = (turned, *baked)
        if decision is None:
            return baked
        trace, change = decision.trace, decision.change
        better = self._better(before, layer.name, decision)
        found = unfollowed(layer.name, trace, change, better)
        if not change.exact:
            found.append(lossy(layer.name, trace, change, better))
        return (*found, *baked)

    def summary(self) -> str:
        """For the recipe list."""
        if isinstance(self.channels, MapChannels):
            rule = self.channels.words()
        else:
            rule = self.channels if isinstance(self.channels, str) else self.channels.name
        how = "" if rule == "auto" else f" (channels: {rule})"
        return f"Input {self.input + ' ' if self.input else ''}becomes {shape_words(self.shape)}{how}"

    def _better(self, before: Graph, name: str, decision: Decision) -> tuple[Fix, ...]:
        """Ways to lose less. Each begins with this edit changed, so it replaces the edit where it is taken."""
        change, axis = decision.change, channel_axis(before, name)
        fixes = []
        if isinstance(self.channels, str) and self.channels not in ("auto", "fold"):
            steps = choose(decision.trace, change.now, change.new, "auto")
            if isinstance(steps, FoldChannels):
                fixes.append(Fix("Fold the channels' statistics into the kernel", (replace(self, channels="fold"),)))
        if change.new == 1 and change.now > 1 and axis is not None:
            back = tuple(change.now if place == axis - 1 else size for place, size in enumerate(self.shape))
            edits = (
                ChangeInput(input=self.input, shape=back),
                InsertAdapter(input=self.input, shape=self.shape, fit="repeat"),
            )
            fixes.append(Fix(f"Repeat gray {change.now} times before the model (exact)", edits))
        lost = decision.trace.blocked() or any(missing(site, change) for site in decision.trace.sites)
        if change.new > 1 and lost and axis is not None and len(self.shape) > 1:
            back = tuple(change.now if place == axis - 1 else size for place, size in enumerate(self.shape))
            adapter = InsertAdapter(input=self.input, shape=self.shape, fit="project")
            title = f"Convert to {change.now} channels with a 1\N{MULTIPLICATION SIGN}1 convolution before the model"
            fixes.append(Fix(title, (ChangeInput(input=self.input, shape=back), adapter)))
        return tuple(fixes)

    def _shaped(self, shape: Shape) -> Self:
        return replace(self, shape=shape)

    def _before(self, graph: Graph) -> tuple[Layer, Shape]:
        layer = find_input(graph, self.input)
        old = contracts.batch_shape(layer)
        if old is None:
            return layer, (None, *self.shape)
        if len(self.shape) != len(old) - 1:
            whole = len(self.shape) == len(old) and self.shape[1:] == old[1:]
            batch = " Leave the batch out of the shape; set_batch sets its size." if whole else ""
            raise EditError(
                f"The input {layer.name!r} has {len(old) - 1} dimensions, {sample_words(old)}, but shape gives "
                f"{len(self.shape)}.{batch}"
            )
        return layer, old

    def _sizes(self, graph: Graph, layer: Layer, old: Shape) -> list[tuple[int, tuple[int | None, int | None]]]:
        axis = channel_axis(graph, layer.name)
        pairs = enumerate(zip(old[1:], self.shape, strict=True), 1)
        return [(place, pair) for place, pair in pairs if place != axis]

    def _decision(self, graph: Graph, layer: Layer, old: Shape) -> Decision | None:
        """What happens to the channels, or `None` when they stay as they are."""
        axis = channel_axis(graph, layer.name)
        if axis is None:
            return None
        before, new = old[axis], self.shape[axis - 1]
        asked = not isinstance(self.channels, str)
        if before == new and not asked:
            return None
        if new is None:
            raise EditError(f"The number of channels of {layer.name!r} cannot be dynamic; it is {before}.")
        if before is None:
            return None
        if before * new > _MOST_PAIRS:
            raise EditError(f"{layer.name!r} goes from {before} to {new} channels; that is too many to map.")
        return decide(graph, layer.name, before, new, self.channels)


# old times new channels: a rule is a matrix of them
_MOST_PAIRS = 2**24


def size_matters(before: Graph, after: Graph) -> bool:
    """Whether some layer's weights or constants depend on the map's size: a Flatten or Reshape that meets another one.

    Squeeze-and-excitation blocks reshape what was pooled, which is of the same shape at every size. What holds
    positions depends on how many arrive.
    """
    old = _reshaped_shapes(before)
    return any(old.get(path, shape) != shape for path, shape in _reshaped_shapes(after).items())


def _reshaped_shapes(graph: Graph, prefix: str = "") -> dict[str, Any]:
    """What arrives at each Flatten and Reshape, by path."""
    found: dict[str, Any] = {}
    for layer in graph.layers:
        if layer.inner is not None:
            found.update(_reshaped_shapes(layer.inner, f"{prefix}{layer.name}/"))
        elif layer.class_name in _CHANGES_WITH_SIZE or counts_places(layer, graph):
            found[prefix + layer.name] = [[graph.spec(ref).shape for ref in call.inputs()] for call in layer.calls]
    return found


def _turned(layer: Layer, axis: int | None, old: Shape, given: Shape, change: Any) -> Finding | None:
    """A warning where `given` (without batch) looks like an image in the other order than the input has; or `None`.

    `change(shape)` makes the edit that gives the input this shape instead.
    """
    rank = len(given)
    if rank < 2 or axis not in (1, rank) or None in old[1:] or old[axis] is None:
        return None
    first = axis == 1
    mine, other = (0, rank - 1) if first else (rank - 1, 0)
    channels, elsewhere = given[mine], given[other]
    if channels is None or elsewhere is None or channels == old[axis] or channels <= _FEW:
        return None
    if elsewhere != old[axis] and elsewhere > _FEW:
        return None
    turned = (given[-1], *given[:-1]) if first else (*given[1:], given[0])
    order = [*range(2, rank + 1), 1] if not first else [rank, *range(1, rank)]
    front = InsertFront(input=layer.name, shape=given, layers=({"class_name": "Permute", "config": {"dims": order}},))
    words = ("first", "last") if first else ("last", "first")
    text = (
        f"The input {layer.name!r} has its channels {words[0]}: {shape_words(given)} is read as {channels} "
        "channels. If it "
        f"was meant with the channels {words[1]}, write {shape_words(turned)}, or let a Permute in front "
        "turn the images; "
        "the weights are the same either way."
    )
    fixes = (
        Fix(f"Read it as {shape_words(turned)}", (change(turned),)),
        Fix(f"Accept images with channels {words[1]}", (change(turned), front)),
    )
    return Finding("warning", "shape.incompatible", layer.name, text, fixes)
