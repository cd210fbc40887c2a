"""A size for dimensions that a model leaves open, so that it can be run: enough for croppings and valid windows."""

from core.engine.inputs import DEFAULT_SIZE, concrete, declared_dtype, declared_shape
from core.engine.problems import smallest
from core.engine.shapes import Shaper
from core.graph import Graph, TensorSpec

_MOST_ENTRIES = 1 << 24
"""The largest input that is tried: 64 MiB of numbers for one sample."""

_MULTIPLES = sorted(odd << shift for odd in (3, 5, 7, 9) for shift in range(3, 8))
"""Sizes for models that halve and double an odd number of times over: maps that must fit each other again."""


def trial_size(shaper: Shaper, graph: Graph, *others: Graph) -> int:
    """The size for every open dimension at which all these models can be run.

    `DEFAULT_SIZE` where that will do; else a little more than the smallest that will, found by doubling and halving, a
    multiple of an odd number, or the largest below. Open dimensions of one model have the size that another one gives
    the input of that name. Where no size will do it is `DEFAULT_SIZE`: running the model then says why.
    """
    graphs = [one for one in (graph, *others) if not one.opaque]
    free = max((_free(one) for one in graphs), default=0)
    if not free:
        return DEFAULT_SIZE

    def works(size: int) -> bool:
        return all(_works(shaper, one, graphs, size) for one in graphs)

    if works(DEFAULT_SIZE):
        return DEFAULT_SIZE
    limit = int(_MOST_ENTRIES ** (1 / free))
    least = smallest(lambda size: size > DEFAULT_SIZE and works(size), limit)
    if least is not None:
        return least + DEFAULT_SIZE if works(least + DEFAULT_SIZE) else least
    more = (*_MULTIPLES, 32, 16, 8, 4, 2, 1)
    return next((size for size in more if size <= limit and works(size)), DEFAULT_SIZE)


def _free(graph: Graph) -> int:
    """The most open dimensions that an input has, the batch aside."""
    shapes = (declared_shape(layer) for layer in graph.input_layers())
    return max((1 if shape is None else shape[1:].count(None) for shape in shapes), default=0)


def _works(shaper: Shaper, graph: Graph, graphs: list[Graph], size: int) -> bool:
    fed = []
    for layer in graph.input_layers():
        shape = declared_shape(layer)
        for other in graphs:
            twin = other.by_name().get(layer.name)
            if shape is not None and other is not graph and twin is not None and twin.is_input:
                given = declared_shape(twin) or ()
                if len(given) == len(shape):
                    shape = tuple(mine or theirs for mine, theirs in zip(shape, given, strict=True))
        fed.append(TensorSpec(concrete(shape, 2, None, size), declared_dtype(layer)))
    return not shaper.shape(graph, tuple(fed)).problems
