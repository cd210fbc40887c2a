"""What several layers are together."""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from core.analysis.frozen import frozen_layers
from core.model.graph import Graph, Layer
from core.model.plan import Cost, Plan


class Sums(Struct, frozen=True):
    """Several layers together, each once: of nested models, what is inside.

    `classes` counts them by class, most first. `macs` and `activations` leave out the layers that they are not known
    of, which `unknown` counts.
    """

    layers: int = 0
    params: int = 0
    trainable_params: int = 0
    macs: int = 0
    activations: int = 0
    unknown: int = 0
    frozen: int = 0
    classes: tuple[tuple[str, int], ...] = ()


def sums(graph: Graph, plan: Plan | None, paths: Iterable[str]) -> Sums:
    """The layers at these paths and inside them, together; paths that are not in the graph count nothing."""
    wanted, costs = set(paths), plan.costs if plan is not None else {}
    frozen = frozen_layers(graph)
    found: list[tuple[Layer, str, Cost]] = []
    around = ""
    for path, layer in graph.by_path().items():  # parents come first, and what is inside one comes right behind it
        if around and not path.startswith(around):
            around = ""
        if not around and path in wanted and layer.inner is not None:
            around = path + "/"
        if (around or path in wanted) and layer.inner is None:
            found.append((layer, path, costs[path] if path in costs else _alone(layer, path in frozen)))
    classes = Counter(layer.class_name for layer, _, _ in found)
    return Sums(
        len(found),
        sum(cost.params for _, _, cost in found),
        sum(cost.trainable_params for _, _, cost in found),
        sum(cost.macs or 0 for _, _, cost in found),
        sum(cost.activations or 0 for _, _, cost in found),
        sum(cost.macs is None or cost.activations is None for _, _, cost in found),
        sum(path in frozen for _, path, _ in found),
        tuple(classes.most_common()),
    )


def _alone(layer: Layer, frozen: bool) -> Cost:
    """What is known of a layer without a plan: its arrays."""
    held = [weight for weight in layer.weights if not weight.state]
    trained = 0 if frozen else sum(weight.size for weight in held if weight.trainable)
    return Cost(sum(weight.size for weight in held), trained, None, None)
