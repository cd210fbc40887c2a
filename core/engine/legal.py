"""Which sizes an input may have: the smallest that works, the step between them, and who forbids the rest."""

from core.engine.problems import smallest
from core.engine.shapes import Problem, Shaper
from core.model.graph import Graph, TensorSpec
from core.model.plan import LegalSizes

STEPS = (1, 2, 4, 8, 16, 32, 64, 128)
_LIMIT = 4096


def legal_sizes(
    shaper: Shaper, graph: Graph, name: str, axes: tuple[int, ...], wanted: int | None = None
) -> LegalSizes:
    """What is known of the spatial `axes` (batch counted) of the input `name`, all set to the same size.

    `wanted` is a size the person asks about. Shapes are followed at some forty sizes, so this is asked for, not typed
    along with. A model whose weights depend on the size (Dense after Flatten) admits only the sizes where they fit. Of
    an input that a recipe has taken away nothing is known.
    """
    if all(layer.name != name for layer in graph.input_layers()):
        return LegalSizes(name, None, None, None, "")
    trial = _Trial(shaper, graph, name, axes)
    least = smallest(lambda size: trial.problem(size) is None or not _shrinks(trial, size), _LIMIT)
    if least is None:
        return LegalSizes(name, None, None, None, "")
    step = next((one for one in STEPS if _all_work(trial, least, one)), None)
    if step is None:
        now = trial.now()
        works = now is not None and trial.problem(now) is None
        tried = (wanted,) if wanted and wanted != now else ((now or least) + 1, 2 * (now or least))
        forbids = next((problem for size in tried if (problem := trial.problem(size)) is not None), None)
        return LegalSizes(name, now if works else None, None, now if works else None, _sentence(forbids))
    first = next((size for size in range(step, _LIMIT, step) if size >= least and trial.problem(size) is None), None)
    forbids = trial.problem(wanted) if wanted else None
    return LegalSizes(name, first, step, None, _sentence(forbids))


class _Trial:
    """Shapes at one size after another, remembered."""

    def __init__(self, shaper: Shaper, graph: Graph, name: str, axes: tuple[int, ...]) -> None:
        self._shaper, self._graph, self._axes = shaper, graph, axes
        self._inputs = graph.input_layers()
        self._position = next(number for number, layer in enumerate(self._inputs) if layer.name == name)
        self._found: dict[int, Problem | None] = {}
        self._needs = {
            path: [weight.shape for weight in answer.weights] for path, answer in shaper.shape(graph).needs.items()
        }

    def now(self) -> int | None:
        """The size the input has."""
        shape = self._inputs[self._position].config.get("batch_shape") or ()
        sizes = {shape[axis] for axis in self._axes if axis < len(shape)}
        return sizes.pop() if len(sizes) == 1 else None

    def problem(self, size: int) -> Problem | None:
        """The first call that does not work at this size, or the first layer whose weights would not fit."""
        if size not in self._found:
            fed = []
            for number, layer in enumerate(self._inputs):
                shape = tuple(layer.config.get("batch_shape") or ())
                if number == self._position:
                    shape = tuple(size if axis in self._axes else value for axis, value in enumerate(shape))
                dtype = layer.config.get("dtype")
                fed.append(TensorSpec(shape, dtype if isinstance(dtype, str) else "float32"))
            shaped = self._shaper.shape(self._graph, tuple(fed))
            self._found[size] = next(iter(shaped.problems), None) or next(
                (
                    Problem(path, 0, "its weights fit one size only")
                    for path, answer in shaped.needs.items()
                    if path in self._needs and [weight.shape for weight in answer.weights] != self._needs[path]
                ),
                None,
            )
        return self._found[size]


def _shrinks(trial: _Trial, size: int) -> bool:
    problem = trial.problem(size)
    return problem is not None and "size would be" in problem.error


def _all_work(trial: _Trial, least: int, step: int) -> bool:
    """Whether multiples of `step` work: tried at several that are no multiples of twice the step."""
    start = -(-least // step)
    odd = [number for number in range(start, start + 8) if number % 2][:3]
    return all(trial.problem(number * step) is None for number in (*odd, odd[0] + 1))


def _sentence(problem: Problem | None) -> str:
    return "" if problem is None else f"{problem.layer}: {problem.error}"
