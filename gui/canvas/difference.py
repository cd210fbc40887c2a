"""Before and after in one graph: what was removed stays as a ghost beside what is there now."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from msgspec.structs import replace as with_fields

from core.model.graph import Graph, Layer, TensorRef, map_leaves
from core.model.plan import Plan
from gui.canvas.badges import NO_MARKS, Marks, source_paths
from gui.models.digest import gone_fates


@dataclass(frozen=True)
class Difference:
    """The union of two graphs. `ghosts` maps the paths of removed layers in it to their paths before;
    `added` and `changed` are paths in the union (and in the graph after).
    """

    graph: Graph
    ghosts: Mapping[str, str]
    added: frozenset[str]
    changed: frozenset[str]

    def badges(self, after: Mapping[str, Marks], plan: Plan | None = None) -> dict[str, Marks]:
        """The badges of the planned graph with what was added, changed and removed (dropped or merged) marked."""
        made = dict(after)
        for path in self.changed:
            made[path] = replace(made.get(path, NO_MARKS), changed=True)
        for path in self.added:
            known = made.get(path, NO_MARKS)
            made[path] = replace(known, fate=known.fate or "initialized", changed=True)
        gone = gone_fates(plan) if plan is not None else {}
        for path, origin in self.ghosts.items():
            made[path] = Marks(fate=gone.get(origin, "dropped"), ghost=True)
        return made


def difference(before: Graph, after: Graph) -> Difference:
    """Both graphs in one. Layers belong together by their origin."""
    was = before.by_path()
    sources = source_paths(before, after)
    now = {source: path for path, source in sources.items()}
    ghosts: dict[str, str] = {}
    graph = _union(before, after, "", "", now, ghosts)
    added, changed = set(), set()
    for path, layer in after.walk():
        if path not in sources:
            added.add(path)
        elif _differs(was[sources[path]], layer):
            changed.add(path)
    inside = added | changed | set(ghosts)
    for path, layer in after.walk():
        if layer.inner is not None and path not in added and any(other.startswith(path + "/") for other in inside):
            changed.add(path)
    return Difference(graph, ghosts, frozenset(added), frozenset(changed))


def _differs(old: Layer, new: Layer) -> bool:
    """Whether a person would say that the layer changed: its arguments, code, training, weights' shapes or files."""
    return (
        old.config != new.config
        or old.class_name != new.class_name
        or old.trainable != new.trainable
        or bool(new.rules) != bool(old.rules)
        or [weight.shape for weight in old.weights] != [weight.shape for weight in new.weights]
        or any(weight.source is not None and weight.source.file for weight in new.weights)
    )


def _union(
    before: Graph, after: Graph, was_prefix: str, prefix: str, now: Mapping[str, str], ghosts: dict[str, str]
) -> Graph:
    """One level of the union: the layers after, with those that are gone put back where they were."""
    names = {layer.name for layer in after.layers}
    renamed: dict[str, str] = {}
    removed: list[tuple[str | None, Layer]] = []
    previous: str | None = None
    for layer in before.layers:
        path = now.get(was_prefix + layer.name)
        if path is None:
            name = layer.name
            while name in names:
                name += " (removed)"
            names.add(name)
            renamed[layer.name] = name
            removed.append((previous, layer))
            ghosts[prefix + name] = was_prefix + layer.name
            if layer.inner is not None:
                for inside, _ in layer.inner.walk():
                    ghosts[f"{prefix}{name}/{inside}"] = f"{was_prefix}{layer.name}/{inside}"
            previous = name
        elif path.startswith(prefix) and "/" not in path[len(prefix) :]:
            renamed[layer.name] = previous = path[len(prefix) :]
    was = {layer.name: layer for layer in before.layers}
    gone = {renamed[layer.name] for _, layer in removed}
    source_of = {renamed[name]: name for name in renamed}
    layers = []
    for layer in after.layers:
        own = layer
        old = was.get(source_of.get(layer.name, ""))
        if old is not None:
            if old.inner is not None and layer.inner is not None and old.inner is not layer.inner:
                was_inside, inside = f"{was_prefix}{old.name}/", f"{prefix}{layer.name}/"
                inner = _union(old.inner, layer.inner, was_inside, inside, now, ghosts)
                own = with_fields(own, inner=inner)
            own = _with_ghost_inputs(own, old, renamed, gone)
        layers.append(own)
    for place, layer in removed:
        calls = tuple(
            with_fields(call, args=_renamed(call.args, renamed), kwargs=_renamed(call.kwargs, renamed))
            for call in layer.calls
        )
        ghost = with_fields(layer, name=renamed[layer.name], calls=calls)
        index = next((index + 1 for index, known in enumerate(layers) if known.name == place), 0)
        layers.insert(index, ghost)
    return with_fields(after, layers=tuple(layers))


def _renamed(structure: Any, names: Mapping[str, str]) -> Any:
    """Call arguments with the names of the union; what has none there is left out."""

    def change(ref: TensorRef) -> Any:
        return TensorRef(names[ref.layer], ref.call, ref.output) if ref.layer in names else None

    return map_leaves(change, structure)


def _with_ghost_inputs(layer: Layer, old: Layer, names: Mapping[str, str], gone: set[str]) -> Layer:
    """The layer as it is now, also fed by the removed layers that fed it before."""
    calls = list(layer.calls)
    for number, call in enumerate(old.calls[: len(calls)]):
        lost = [
            TensorRef(names[ref.layer], ref.call, ref.output) for ref in call.inputs() if names.get(ref.layer) in gone
        ]
        if lost:
            calls[number] = with_fields(calls[number], args=(*calls[number].args, *lost))
    return with_fields(layer, calls=tuple(calls)) if calls != list(layer.calls) else layer
