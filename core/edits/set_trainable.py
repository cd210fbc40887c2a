"""Freeze and unfreeze layers.

Keras keeps a flag per layer, and setting a parent's flag overwrites its children's. A saved parent flag is not
restored for nested models, the flags of the layers inside are (measured, Keras 3.15). So flags are written on the
layers that hold weights, and models around them are left trainable: nothing wipes what was set on a child.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from msgspec.structs import replace

from core.caches import IdentityCache
from core.edits.base import Context, Edit, Outcome
from core.errors import EditError
from core.findings import Finding, Fix
from core.layers.axes import leaf_class
from core.layers.table import CARRIERS, classes, tracks_batches
from core.model.graph import Graph, Layer
from core.phrases import did_you_mean
from core.surgery import contracts
from core.surgery.choosing import Names
from core.surgery.selectors import Term, choice, nothing_left, reached, takes_away, terms, words

_FORGETFUL = classes(forgets=True)


class SetTrainable(Edit, frozen=True, kw_only=True, tag="set_trainable"):
    """`layers` are selectors of layers (see `core.surgery.selectors`); a nested model means everything inside.

    `batch_norm` says what BatchNormalization does: `with_layer` like all others, always `frozen`, or `trainable`.
    """

    follows: ClassVar[bool] = True
    layers: tuple[str, ...]
    trainable: bool = False
    batch_norm: Literal["with_layer", "frozen", "trainable"] = "with_layer"

    def check(self) -> None:
        """At least one glob."""
        if not self.layers:
            raise EditError('layers is empty; give layer paths or globs such as "block2_*".')

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph with the flags of all matched layers set, which matter to training alone."""
        self.check()
        chosen = matched(graph, self.layers)
        graph = spread(graph)
        inside = made_by_code(graph)

        def change(path: str, layer: Layer) -> Layer:
            return flagged(layer, self._wanted(layer)) if path in chosen and path not in inside else layer

        after = graph.replace_layers(change)
        told = (*self._forgotten(after, chosen, inside), *self._moving(after))
        return Outcome(after, (contracts.unchanged(),), told)

    def _forgotten(self, after: Graph, chosen: set[str], inside: Mapping[str, str]) -> tuple[Finding, ...]:
        """Layers whose flag Keras forgets, so that they train although they are frozen."""
        frozen = [(path, layer) for path, layer in after.walk() if path in chosen and not self._wanted(layer)]
        found = []
        lost = [(path, layer) for path, layer in frozen if leaf_class(layer)[0] in _FORGETFUL]
        if lost:
            path, kind = lost[0][0], leaf_class(lost[0][1])[0]
            message = (
                f"Frozen layers are trained again after the file is loaded ({path}{_more(lost)}), because Keras does "
                f"not pass the flag on to the layers it creates inside {kind}. After loading, set trainable to True "
                "and then to False."
            )
            found.append(Finding("warning", "freeze.forgotten", path, message, (), "\n".join(one for one, _ in lost)))
        own = [(path, layer) for path, layer in frozen if path in inside or makes_its_parts(layer)]
        if own:
            path = own[0][0]
            maker = inside.get(path, leaf_class(own[0][1])[0]).rpartition(">")[2]
            which = f"{path} cannot" if len(own) == 1 else f"{len(own)} layers (first: {path}) cannot"
            message = (
                f"{which} be frozen in a file: the code of {maker} creates the trained parts, and has no flag for "
                f"them. After loading, set trainable to False on {'it' if len(own) == 1 else 'them'}."
            )
            found.append(Finding("warning", "freeze.forgotten", path, message, (), "\n".join(one for one, _ in own)))
        return tuple(found)

    def _moving(self, after: Graph) -> tuple[Finding, ...]:
        """BatchNormalization that trains behind what is frozen."""
        moving = [] if self.trainable else behind_frozen(after)
        if not moving:
            return ()
        fix = Fix("Freeze these BatchNormalization layers", (SetTrainable(layers=tuple(moving), trainable=False),))
        message = (
            f"BatchNormalization after frozen layers is still trained ({moving[0]}{_more(moving)}): its statistics "
            "follow the new data. If frozen, it runs in inference mode, even with training=True."
        )
        return (Finding("info", "freeze.batch_norm", moving[0], message, (fix,), "\n".join(moving)),)

    def summary(self) -> str:
        """For the recipe list."""
        norms = {"with_layer": "", "frozen": ", BatchNormalization frozen", "trainable": ", BatchNormalization trains"}
        return f"{'Train' if self.trainable else 'Freeze'} {words(self.layers)}{norms[self.batch_norm]}"

    def _wanted(self, layer: Layer) -> bool:
        if tracks_batches(layer) and self.batch_norm != "with_layer":
            return self.batch_norm == "trainable"
        return self.trainable


_NAMES: IdentityCache[Names] = IdentityCache(4)


def matched(graph: Graph, selectors: tuple[str, ...]) -> set[str]:
    """Paths of the leaf layers that selectors mean. Raises `EditError` for a term that means nothing.

    Linear in the number of layers plus the number of terms without wildcards; a term with them costs a pass.
    """
    found, unknown = meant(graph, selectors)
    if unknown is not None:
        raise EditError(f"No layer matches {unknown!r}{did_you_mean(unknown, graph.by_path())}")
    if not found and takes_away(selectors):
        raise EditError(nothing_left(selectors))
    return found


def meant(graph: Graph, selectors: tuple[str, ...]) -> tuple[set[str], str | None]:
    """`matched`, and the first glob that means nothing (what it may have been meant for takes long to find)."""
    layers = graph.by_path()
    names = _NAMES.get((graph,), lambda: Names(layers))
    named: list[tuple[Term, Sequence[str]]] = []
    anchors: list[list[str]] = []
    for term in terms(selectors, layers):
        paths = names.meant(term.glob)
        if not paths:
            return set(), term.glob
        if term.way and named and (named[-1][0].way, named[-1][0].out) == (term.way, term.out):
            anchors[-1].extend(paths)
        else:
            anchors.append(list(paths))
            named.append((term, anchors[-1]))
    # ranges that follow each other are one walk: a walk for each would be quadratic
    named = [(term, reached(term, paths, graph) if term.way else paths) for term, paths in named]
    made = choice(named)
    found: set[str] = set()
    around: list[tuple[str, int]] = []
    for path, layer in layers.items():  # parents come first, and what is inside one comes right behind it
        while around and not path.startswith(around[-1][0]):
            around.pop()
        number = max(made.last.get(path, -1), around[-1][1] if around else -1)
        if layer.inner is not None:
            around.append((path + "/", number))
        elif made.takes(number) and _is_leaf(layer):
            found.add(path)
    return found, None


def spread(graph: Graph) -> Graph:
    """The same behaviour with flags on leaves only: a frozen model becomes a trainable one with frozen layers."""

    def level(inner: Graph, frozen: bool) -> Graph:
        frozen = frozen or not inner.trainable
        layers = []
        for layer in inner.layers:
            if layer.inner is not None:
                below = level(layer.inner, frozen or not layer.trainable)
                changed = below is not layer.inner or not layer.trainable
                layers.append(replace(flagged(layer, True), inner=below) if changed else layer)
            else:
                layers.append(flagged(layer, False) if frozen and _is_leaf(layer) and layer.trainable else layer)
        if inner.trainable and all(new is old for new, old in zip(layers, inner.layers, strict=True)):
            return inner
        return replace(inner, layers=tuple(layers), trainable=True)

    return level(graph, False)


def makes_its_parts(layer: Layer) -> bool:
    """Whether a class that is not Keras's holds layers of its own: it makes them anew, and they know of no flag."""
    depth = 0
    entry: dict[str, Any] = {"module": layer.module, "config": layer.config}
    if not layer.opaque and (layer.module or "keras").partition(".")[0] == "keras":
        return False
    while str(entry.get("module")).partition(".")[0] == "keras":
        inside = next((entry["config"][key] for key in CARRIERS if isinstance(entry["config"].get(key), dict)), None)
        if inside is None or not isinstance(inside.get("config"), dict):
            return False  # Keras's own class, which takes its flag from the config
        depth, entry = depth + 1, inside
    return layer.inner is None and any(weight.name.count("/") > depth for weight in layer.weights)


def forgets_flag(layer: Layer) -> bool:
    """Whether what trains inside a layer trains again once Keras has loaded the file, whatever the layer's flag is."""
    return leaf_class(layer)[0] in _FORGETFUL or makes_its_parts(layer)


def made_by_code(graph: Graph) -> dict[str, str]:
    """The paths inside models whose own code makes their layers, with the class of the model."""
    found = {path: graph.class_name for path, _ in graph.walk()} if graph.opaque else {}
    for path, layer in graph.walk():
        if layer.inner is not None and layer.inner.opaque:
            found |= {f"{path}/{inside}": layer.inner.class_name for inside, _ in layer.inner.walk()}
    return found


def flagged(layer: Layer, trainable: bool) -> Layer:
    """The layer with its flag set, also where its config repeats it (wrapped layers, cells).

    A layer whose own code makes what trains in it stays as it was: a flag would not reach its parts, and in an `.h5`
    file it would only tell Keras to look for its arrays in another order.
    """
    if makes_its_parts(layer):
        return layer
    if layer.trainable is trainable and layer.config.get("trainable", trainable) is trainable and _has_none(layer):
        return layer
    config = dict(layer.config)
    if "trainable" in config:
        config["trainable"] = trainable
    for carrier in CARRIERS:
        inside = config.get(carrier)
        if isinstance(inside, dict) and isinstance(inside.get("config"), dict) and layer.inner_key != carrier:
            config[carrier] = _flagged_config(inside, trainable)
    return replace(layer, trainable=trainable, config=config)


def _has_none(layer: Layer) -> bool:
    """Whether the layer's config holds no other layer, which would have a flag of its own."""
    return not any(isinstance(layer.config.get(carrier), dict) for carrier in CARRIERS)


def _flagged_config(entry: dict[str, Any], trainable: bool) -> dict[str, Any]:
    config = {**entry["config"], "trainable": trainable}
    for carrier in CARRIERS:
        inside = config.get(carrier)
        if isinstance(inside, dict) and isinstance(inside.get("config"), dict):
            config[carrier] = _flagged_config(inside, trainable)
    if isinstance(config.get("cells"), list):
        config["cells"] = [_flagged_config(cell, trainable) for cell in config["cells"] if isinstance(cell, dict)]
    return {**entry, "config": config}


def behind_frozen(graph: Graph) -> list[str]:
    """Paths of trainable BatchNormalization layers that take the output of a frozen layer with weights."""
    found: list[str] = []

    def level(inner: Graph, prefix: str) -> None:
        layers = inner.by_name()
        for layer in inner.layers:
            if layer.inner is not None:
                level(layer.inner, f"{prefix}{layer.name}/")
            if not tracks_batches(layer) or not layer.trainable:
                continue
            feeders = [layers[ref.layer] for call in layer.calls for ref in call.inputs() if ref.layer in layers]
            if any(one.weights and not one.trainable for one in feeders):
                found.append(prefix + layer.name)

    level(graph, "")
    return found


def _more(names: Sequence[object]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


def _is_leaf(layer: Layer) -> bool:
    return layer.inner is None and not layer.is_input and not layer.is_operation
