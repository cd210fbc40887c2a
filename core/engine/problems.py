"""From what Keras refuses to what a person should know: the layer, a sentence, and what would settle it."""

import re
from collections.abc import Callable

from msgspec.structs import replace

from core.analysis.mismatches import adapter_fix, changed_input
from core.edits import ChangeInput, InsertAdapter
from core.engine.shapes import SEVERAL, Problem, Shaped, Shaper
from core.findings import Finding, Fix
from core.layers.table import classes
from core.model.graph import Graph, Layer, TensorSpec
from core.phrases import sample_words, shape_words
from core.surgery.baked import rebaked, recut, target_of
from core.surgery.positions import constant_shapes

_TOO_SMALL = re.compile(r"output size would be|dimension size|Negative dimension|negative or zero", re.IGNORECASE)
_ROUNDS = 8
_STEPS = (2, 4, 8, 16, 32, 64, 128)
_JOINS = classes(family="merge", module="keras.layers")


def problem_findings(shaped: Shaped, source: Shaped, shaper: Shaper) -> list[Finding]:
    """One finding per refused call, plus one for everything that could not be followed."""
    layers = shaped.graph.by_path()
    findings = _shapeless(shaped.graph)
    for number, problem in enumerate(shaped.problems):
        layer = layers.get(problem.layer)
        found = _finding(problem, layer, shaped.graph, shaper)
        if not problem.bad_config and (number == 0 or found.code == "shape.too_small"):
            found = replace(found, actions=size_fixes(problem.layer, shaped.graph, source.graph, shaper))
        findings.append(found)
    lost = [path for path in shaped.unchecked if path not in source.unchecked and not layers[path].opaque]
    if lost and not shaped.problems:
        findings.append(
            Finding(
                "warning",
                "graph.opaque",
                lost[0],
                f"The shapes of {'1 layer' if len(lost) == 1 else f'{len(lost)} layers'} after missing code could not "
                f"be checked (first: {lost[0]}); the weights are copied unchanged.",
                detail="\n".join(lost),
            )
        )
    return findings


def _shapeless(graph: Graph) -> list[Finding]:
    """An error for each input of which nobody says how many axes it has: Keras can build no model on it."""
    return [
        Finding(
            "error",
            "shape.incompatible",
            layer.name,
            f"Neither the file nor the layers after {layer.name} define its shape; set it with change_input.",
        )
        for layer in (() if graph.opaque else graph.input_layers())
        if layer.config.get("batch_shape") is None and layer.config.get("dtype") is not None
    ]


def reshape_findings(after: Graph, before: Graph) -> list[Finding]:
    """Samples that a Reshape would cut anew: its sizes are the source's, and its batch takes what is left over."""
    found = []
    for path, layer, was, now in recut(before, after):
        text = (
            f"{path} reshapes to {target_of(layer)}, a shape fixed when the model was built for the input "
            f"{sample_words(was)}. It now receives {sample_words(now)}, so its batch size of -1 would "
            "split or mix samples. Keep the old size, or adapt the input of this layer."
        )
        found.append(Finding("error", "baked.constant", path, text, adapter_fix(after, before)))
    return found


def size_fixes(refused: str, after: Graph, before: Graph, shaper: Shaper) -> tuple[Fix, ...]:
    """What would let a model take a size that it refuses: padding to a multiple that works, or resizing to the old.

    Nothing, where the layer `refused` does not take the old size either: sizes are not what is wrong there.
    """
    back = changed_input(after, before)
    if back is None or None in back[1] or None in back[2]:
        return ()
    name, old, new = back
    if refused in _refused(after, before, name, old, shaper):
        return ()
    fixes = []
    step = next((one for one in _STEPS if _works(after, name, new, one, shaper)), None)
    if step is not None:
        pad = InsertAdapter(input=name, shape=tuple(new), fit="pad", multiple=step)
        edits = (ChangeInput(input=name, shape=tuple(old)), pad)
        fixes.append(Fix(f"Pad inputs to a multiple of {step} and crop back", edits))
    return (*fixes, *adapter_fix(after, before))


def _refused(after: Graph, before: Graph, name: str, shape: list[int | None], shaper: Shaper) -> set[str]:
    """The layers that Keras refuses with another shape of one input, constants put right for it."""
    shaped = shaper.shape(_resized(after, name, shape))
    for _ in range(_ROUNDS):
        settled = rebaked(before, shaped.graph)
        if settled is shaped.graph:
            break
        shaped = shaper.shape(settled)
    return {problem.layer for problem in shaped.problems}


def _works(graph: Graph, name: str, new: list[int | None], step: int, shaper: Shaper) -> bool:
    """Whether the model takes the next multiples of `step`, where that is another size than the wanted one."""
    padded = [-(-int(size or 0) // step) * step for size in new[:-1]]
    if padded == new[:-1]:
        return False
    return not shaper.shape(_resized(graph, name, [*padded, new[-1]])).problems


def _resized(graph: Graph, name: str, shape: list[int | None]) -> Graph:
    layer = graph.layer(name)
    batch = (layer.config.get("batch_shape") or [None])[0]
    return graph.with_layer(name, replace(layer, config={**layer.config, "batch_shape": [batch, *shape]}))


def _finding(problem: Problem, layer: Layer | None, graph: Graph, shaper: Shaper) -> Finding:
    kind = layer.class_name if layer else "layer"
    if problem.bad_config:
        message = f"Keras rejects the settings of {problem.layer} ({kind}): {_reason(problem.error)}"
        return Finding("error", "layer.unknown", problem.layer, message)
    if problem.error.startswith(SEVERAL):
        message = (
            f"{problem.layer} ({kind}) gives {len(problem.inputs)} tensors, but a Sequential model passes only one "
            "to the next layer. Rebuild it as a Functional model, or give the inner model a single output."
        )
        return Finding("error", "shape.incompatible", problem.layer, message)
    arrived = (
        " and ".join([*(sample_words(spec.shape) for spec in problem.inputs), *_constants(layer, problem.call)])
        or "nothing"
    )
    if _TOO_SMALL.search(problem.error) and any(spec.shape for spec in problem.inputs):
        smallest = smallest_size(graph, problem.layer, shaper)
        hint = f" The smallest input that works is {smallest}." if smallest else ""
        message = f"The input {arrived} is too small for {problem.layer} ({kind}): its output would be empty.{hint}"
        return Finding("error", "shape.too_small", problem.layer, message, detail=problem.error)
    if kind in _JOINS or (layer is not None and layer.is_operation and len(problem.inputs) > 1):
        reason = "all other axes must be equal" if kind == "Concatenate" else "their shapes are not compatible"
        message = f"{problem.layer} ({kind}) cannot combine {arrived}: {reason}."
        return Finding("error", "shape.incompatible", problem.layer, message, detail=problem.error)
    message = f"{problem.layer} ({kind}) does not accept its input {arrived}. {_reason(problem.error)}"
    return Finding("error", "shape.incompatible", problem.layer, message, detail=problem.error)


def _constants(layer: Layer | None, call: int) -> list[str]:
    """Arrays that stand in a call beside its tensors, in words."""
    if layer is None or call >= len(layer.calls):
        return []
    shapes = constant_shapes(layer.calls[call])
    return [f"a constant of {shape_words(shape)}" for shape in shapes]


def smallest_size(graph: Graph, layer: str, shaper: Shaper) -> str | None:
    """The smallest square (or cubic, or long) first input at which no call is refused as too small, as text.

    Size by size is too slow for big models, so: double until it works, then halve the interval. Shapes are monotonic
    in the size for everything that can shrink to nothing.
    """
    inputs = graph.input_layers()
    if not inputs:
        return None
    shape = inputs[0].config.get("batch_shape")
    if not shape or len(shape) < 3:
        return None
    axes = _spatial(graph, len(shape))

    def at(size: int) -> bool:
        trial = tuple(size if axis in axes else value for axis, value in enumerate(shape))
        fed = tuple(
            TensorSpec(trial if number == 0 else tuple(one.config.get("batch_shape") or ()), _dtype(one))
            for number, one in enumerate(inputs)
        )
        found = shaper.shape(graph, fed).problems
        return not any(_TOO_SMALL.search(problem.error) for problem in found)

    size = smallest(at)
    if size is None:
        return None
    return shape_words(size if axis in axes else value for axis, value in enumerate(shape) if axis > 0)


def smallest(works: Callable[[int], bool], limit: int = 4096) -> int | None:
    """The smallest size that works, for what works from some size on; `None` if nothing up to `limit` does."""
    high = 1
    while not works(high):
        high *= 2
        if high > limit:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if works(middle):
            high = middle
        else:
            low = middle
    return high


def _spatial(graph: Graph, rank: int) -> set[int]:
    first = any(layer.config.get("data_format") == "channels_first" for _, layer in graph.walk())
    return set(range(2, rank)) if first else set(range(1, rank - 1))


def _dtype(layer: Layer) -> str:
    dtype = layer.config.get("dtype")
    return dtype if isinstance(dtype, str) else "float32"


def _reason(error: str) -> str:
    return error if error.endswith(".") else error + "."
