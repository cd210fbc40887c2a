"""Nodes that only act while a model is trained: losses and metrics added to it, regularization, noise, dropout.

`AddLoss` and `AddMetric` are Keras 2's; Keras 3 has no such layers and cannot load them. What computes only what they
are given goes with them.
"""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from core.edits.base import Context, Edit, Outcome
from core.edits.set_trainable import made_by_code
from core.errors import EditError
from core.findings import Finding
from core.layers.table import classes
from core.model.graph import Graph, Layer, TensorRef
from core.model.splice import remapped
from core.surgery import contracts
from core.surgery.choosing import ALL, named
from core.surgery.linear import view
from core.surgery.selectors import chosen, refuse_named

KINDS: dict[str, frozenset[str]] = {
    "losses": frozenset({"AddLoss"}),
    "metrics": frozenset({"AddMetric"}),
    "regularization": classes(kind="penalty"),
    "noise": classes(kind="noise"),
    "dropout": classes(kind="dropout") | {"FixedDropout"},
    "augmentation": classes(family="augmentation", idle=True),
}
DEFAULT = ("losses", "metrics", "regularization", "noise")
_ADDED = KINDS["losses"] | KINDS["metrics"]


class DropTrainingOnly(Edit, frozen=True, kw_only=True, tag="drop_training_only"):
    """`kinds` of layers (`losses`, `metrics`, `regularization`, `noise`; on wish `dropout`, `augmentation`).

    `layers` are globs on layer paths (`*`: all of these kinds). Outputs stay as they are.
    """

    kinds: tuple[str, ...] = DEFAULT
    layers: tuple[str, ...] = ALL

    def check(self) -> None:
        """Known kinds, at least one."""
        unknown = next((kind for kind in self.kinds if kind not in KINDS), None)
        if unknown is not None:
            raise EditError(f"There is no kind {unknown!r}; the kinds are {', '.join(KINDS)}.")
        if not self.kinds or not self.layers:
            raise EditError(f"kinds and layers must not be empty; the kinds are {', '.join(KINDS)}.")

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph without these layers and without what only they needed: a model that answers needs neither."""
        self.check()
        meant = self._chosen(graph)
        kept = {path: why for path in meant if (why := _stays(graph, path))}
        coded = made_by_code(graph)
        kept.update({path: f"the code of {coded[path]} calls it" for path in meant if path in coded})
        refuse_named(self.layers, kept, meant - kept.keys(), "dropped")
        after = _without(graph, meant - kept.keys(), "")
        return Outcome(after, (contracts.unchanged(),), _told(graph, after, meant, kept))

    def summary(self) -> str:
        """For the recipe list."""
        what = "what is active only in training" if self.kinds == DEFAULT else ", ".join(self.kinds)
        return f"Drop {what}" + named(self.layers)

    def _chosen(self, graph: Graph) -> set[str]:
        wanted = frozenset[str]().union(*(KINDS[kind] for kind in self.kinds))
        known = [path for path, layer in graph.walk() if _class(layer) in wanted]
        return chosen(known, self.layers, f"layer that is active only in training ({', '.join(self.kinds)})", graph)


def _told(before: Graph, after: Graph, meant: set[str], kept: Mapping[str, str]) -> tuple[Finding, ...]:
    """What is gone, what went with it, what stays and why."""
    left = {path for path, _ in after.walk()}
    gone = sorted(path for path in meant if path not in left)
    found = []
    if gone:
        kinds = ", ".join(dict.fromkeys(_class(before.find(path)) for path in gone))
        which = gone[0] if len(gone) == 1 else f"{len(gone)} layers (first: {gone[0]})"
        text = f"{which}: dropped, because {kinds} {'is' if ', ' not in kinds else 'are'} active only in training."
        found.append(Finding("info", "layers.changed", gone[0], text, detail="\n".join(gone)))
    served = [
        (path, layer) for path, layer in before.walk() if path not in left and path not in meant and layer.weights
    ]
    if served:
        names = [f"{path}/{weight.name}" for path, layer in served for weight in layer.weights]
        which = names[0] if len(names) == 1 else f"{len(names)} arrays (first: {names[0]})"
        verb = "is" if len(names) == 1 else "are"
        text = f"{which}: used only by a loss or metric that is dropped, so {verb} dropped too."
        found.append(Finding("warning", "weight.unmatched", served[0][0], text, detail="\n".join(names)))
    stays = sorted(kept.keys() & left)
    found += [Finding("info", "layers.changed", path, f"{path} is not dropped: {kept[path]}.") for path in stays]
    return tuple(found)


def called_to_train(layer: Layer) -> bool:
    """Whether a call tells the layer to act as in training, whatever the model does."""
    return any(call.kwargs.get("training") is True or True in call.args[1:] for call in layer.calls)


def _class(layer: Layer) -> str:
    """The class that acts: that of a layer, or of the one in a TimeDistributed."""
    seen = view(layer)
    return (seen.class_name if seen is not None else layer.class_name).rpartition(">")[2]


def _stays(graph: Graph, path: str) -> str:
    """Why a layer cannot go, or nothing."""
    layer = graph.find(path)
    if called_to_train(layer):
        return "it is called with training=True, so it is also active during inference"
    added = layer.class_name in _ADDED
    if not layer.calls or any(len(call.inputs()) != 1 and not added for call in layer.calls):
        return "its connections are unknown"
    return ""


def _without(graph: Graph, gone: set[str], prefix: str) -> Graph:
    layers = []
    for layer in graph.layers:
        inner = _without(layer.inner, gone, f"{prefix}{layer.name}/") if layer.inner is not None else None
        layers.append(replace(layer, inner=inner) if inner is not layer.inner else layer)
    if any(new is not old for new, old in zip(layers, graph.layers, strict=True)):
        graph = replace(graph, layers=tuple(layers))
    here = [layer for layer in graph.layers if prefix + layer.name in gone]
    if not here:
        return graph
    table: dict[TensorRef, TensorRef] = {}
    for layer in here:
        for number, call in enumerate(layer.calls):
            table.update({TensorRef(layer.name, number, at): ref for at, ref in enumerate(call.inputs())})
    for ref in table:
        while table[ref] in table:
            table[ref] = table[table[ref]]
    names = {layer.name for layer in here}
    feeders = {ref.layer for layer in here for call in layer.calls for ref in call.inputs()}
    graph = replace(graph, layers=tuple(layer for layer in graph.layers if layer.name not in names))
    return _unneeded_gone(remapped(graph, table), feeders - names)


def _unneeded_gone(graph: Graph, candidates: Iterable[str]) -> Graph:
    """The level without those candidates whose outputs nobody takes any more, and without what only they took."""
    layers = graph.by_name()
    needed = {ref.layer for ref in (*graph.output_refs(), *graph.input_refs())}
    users: dict[str, set[str]] = {}
    for layer in graph.layers:
        for call in layer.calls:
            for ref in call.inputs():
                users.setdefault(ref.layer, set()).add(layer.name)
    stack, dead = list(candidates), set[str]()
    while stack:
        name = stack.pop()
        if name in dead or name in needed or name not in layers or layers[name].is_input:
            continue
        if users.get(name, set()) - dead - {name}:
            continue
        dead.add(name)
        stack += [ref.layer for call in layers[name].calls for ref in call.inputs()]
    return replace(graph, layers=tuple(layer for layer in graph.layers if layer.name not in dead)) if dead else graph
