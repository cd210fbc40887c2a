"""A size for dimensions that a model leaves open, so that it can be run: enough for croppings and valid windows."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from core.engine.problems import smallest
from core.engine.shapes import Problem, Shaper
from core.model.graph import Graph, TensorSpec
from core.surgery.inputs import DEFAULT_SIZE, concrete, declared_dtype, declared_shape

_MOST_ENTRIES = 1 << 24
"""The largest input that is tried: 64 MiB of numbers for one sample."""

_MULTIPLES = sorted(odd << shift for odd in (3, 5, 7, 9) for shift in range(3, 8))
"""Sizes for models that halve and double an odd number of times over: maps that must fit each other again."""

_ROUNDS = 6
_STRIDES = (1, 2, 4, 8)

Problems = Callable[[Mapping[str, int]], Sequence[Problem]]


def trial_sizes(shaper: Shaper, graph: Graph, *others: Graph) -> dict[str, int]:
    """The size for the open dimensions of each input at which all these models can be run, by the input's name.

    `DEFAULT_SIZE` where that will do; else a little more than the smallest that will, found by doubling and halving, a
    multiple of an odd number, or the largest below. Where inputs must differ in length, what does not fit says by how
    much. Open dimensions of one model have the size that another one gives the input of that name. Where no size will
    do it is `DEFAULT_SIZE`: running the model then says why.
    """
    graphs = [one for one in (graph, *others) if not one.opaque]
    names = {name: count for one in graphs for name, count in _open(one)}
    if not names:
        return {}

    def problems(sizes: Mapping[str, int]) -> Sequence[Problem]:
        return [problem for one in graphs for problem in _problems(shaper, one, graphs, sizes)]

    limit = int(_MOST_ENTRIES ** (1 / max(names.values())))
    size = _alike(lambda size: not problems(dict.fromkeys(names, size)), limit)
    if size is not None:
        return dict.fromkeys(names, size)
    apart = _apart(problems, list(names), limit) if len(names) > 1 else None
    return apart or dict.fromkeys(names, DEFAULT_SIZE)


def _alike(works: Callable[[int], bool], limit: int) -> int | None:
    """One size for all inputs."""
    if works(DEFAULT_SIZE):
        return DEFAULT_SIZE
    least = smallest(lambda size: size > DEFAULT_SIZE and works(size), limit)
    if least is not None:
        return least + DEFAULT_SIZE if works(least + DEFAULT_SIZE) else least
    more = (*_MULTIPLES, 32, 16, 8, 4, 2, 1)
    return next((size for size in more if size <= limit and works(size)), None)


def _apart(problems: Problems, names: list[str], limit: int) -> dict[str, int] | None:
    """Sizes that differ from input to input: large enough for each, then by as much as what meets differs."""

    def enough(size: int) -> bool:
        # what has one input does not fit because of its size, what has several because of the others
        return all(len(problem.inputs) > 1 for problem in problems(dict.fromkeys(names, size)))

    least = smallest(enough, limit)
    if least is None:
        return None
    sizes = dict.fromkeys(names, max(least + DEFAULT_SIZE, DEFAULT_SIZE))
    now = problems(sizes)
    for _ in range(_ROUNDS):
        if not now:
            return sizes
        tried = [(problems(one), one) for one in _changed(now[0], sizes, limit)]
        best = min(tried, key=lambda pair: len(pair[0]), default=None)
        if best is None or len(best[0]) >= len(now):
            return None
        now, sizes = best
    return None if now else sizes


def _changed(problem: Problem, sizes: dict[str, int], limit: int) -> Iterator[dict[str, int]]:
    """Each input longer by what two tensors that meet differ in, or by as much as strides make of it."""
    shapes = [spec.shape for spec in problem.inputs if spec.shape is not None]
    gaps = {
        abs(one - other)
        for first in shapes
        for second in shapes
        for one, other in zip(first[1:], second[1:], strict=False)
        if one is not None and other is not None and one != other
    }
    for gap in sorted(gaps):
        for stride in _STRIDES:
            for name, size in sizes.items():
                if size + gap * stride <= limit:
                    yield {**sizes, name: size + gap * stride}


def _open(graph: Graph) -> Iterator[tuple[str, int]]:
    """Inputs with open dimensions, and how many they have, the batch aside."""
    for layer in graph.input_layers():
        shape = declared_shape(layer)
        if count := 1 if shape is None else shape[1:].count(None):
            yield layer.name, count


def _problems(shaper: Shaper, graph: Graph, graphs: list[Graph], sizes: Mapping[str, int]) -> Sequence[Problem]:
    fed = []
    for layer in graph.input_layers():
        shape = declared_shape(layer)
        for other in graphs:
            twin = other.by_name().get(layer.name)
            if shape is not None and other is not graph and twin is not None and twin.is_input:
                given = declared_shape(twin) or ()
                if len(given) == len(shape):
                    shape = tuple(mine or theirs for mine, theirs in zip(shape, given, strict=True))
        size = sizes.get(layer.name, DEFAULT_SIZE)
        fed.append(TensorSpec(concrete(shape, 2, None, size), declared_dtype(layer)))
    return shaper.shape(graph, tuple(fed)).problems
