"""What must stay equal after an edit, by kind, so that the engine can check it by running both models.

In every kind `old` is the model before and `new` the model after; the fields say how their inputs follow from
each other.
`input` names the InputLayer, `axis` is the channel axis with the batch counted, `shape` is the shape (without batch) at
which the new model is fed: where sizes changed both models run at the old size. Inputs not named are the same for both.

| kind         | the inputs |
|--------------|------------|
| `gray`       | one random channel `g`; `x_old` repeats it over the old channels, `x_new` over the new ones |
| `old_bands`  | `x_old` random; `x_new` is `x_old` with zeros for the new channels after it |
| `mapped`     | `x_new` random; `x_old[..., c] = sum_j x_new[..., j] * matrix[j][c]` |
| `same_input` | the same random input for both |
| `old_size`   | the same random input of the old size (`shape`) for both, the new model built at that size |
| `adapted`    | `x_new` random of the new shape; `x_old` is what `x_new` is after the first layer called `layer` |
| `padded`     | `x_new` random, `x_old` it within `gaps` of zeros, the old model at that size; outputs `crop` are cut |
| `features`   | the same input; `pairs` of tensors, new and old: an output's number or an inner tensor's `place` |
| `classes`    | the same input; ahead of its activation the classifier's columns `new` equal the old one's `old` |
| `batch`      | `x_old` is `x_new` again and again until its batch is full; the first `rows` samples are compared |
| `kept_words` | the same for both, made of words that the vocabularies of both hold |
| `tail`       | `inputs` pairs new inputs with tensors inside the old model, which it is given; `outputs` says which |
| `transposed` | `x_new` is `x_old` with the axes of `inputs`; `outputs` are the orders of axes of the new outputs |
| `joined`     | `edit` (a `JoinModels`) says what goes where; the other file's model runs by itself |
| `stacked`    | `x_new` repeats `x_old` along the axis `at`; so do `outputs`, where their number is no 0 |

A `place` is `[layer path, calls from the outermost model in, output]`. With `pool` (`avg`, `max`) the old tensors are
pooled over their map in NumPy before they are compared.
"""

from collections.abc import Sequence
from typing import Any

from core.model.graph import Graph, Layer, Shape
from core.model.plan import Contract
from core.phrases import shape_words

Place = list[Any]


def batch_shape(layer: Layer) -> Shape | None:
    """The shape an InputLayer declares, batch first."""
    shape = layer.config.get("batch_shape")
    return None if shape is None else tuple(shape)


def gray(name: str, axis: int, shape: Shape, old: int, new: int, exact: bool) -> Contract:
    """Gray images give what they gave."""
    fields = {"input": name, "axis": axis, "shape": list(shape), "old": old, "new": new}
    return Contract(f"new({_channels(new)}) == old({_channels(old)})", "gray", exact, fields)


def old_bands(name: str, axis: int, shape: Shape, old: int, new: int, exact: bool) -> Contract:
    """The old bands with nothing in the new ones give what they gave."""
    fields = {"input": name, "axis": axis, "shape": list(shape), "old": old, "new": new}
    return Contract(f"new({old} old bands, {new - old} at 0) == old({old} bands)", "old_bands", exact, fields)


def mapped(name: str, axis: int, shape: Shape, matrix: list[list[float]], exact: bool) -> Contract:
    """The old model on the mapped channels gives what the new one gives."""
    fields: dict[str, Any] = {"input": name, "axis": axis, "shape": list(shape), "matrix": matrix}
    return Contract("new(x) == old(x mapped to the old channels)", "mapped", exact, fields)


def old_size(name: str, shape: Shape, exact: bool) -> Contract:
    """Inputs of the old size give what they gave."""
    text = shape_words(shape)
    return Contract(f"new({text}) == old({text})", "old_size", exact, {"input": name, "shape": list(shape)})


def kept_words(path: str, exact: bool) -> Contract:
    """Words that the lookup at `path` knew before and after give what they gave."""
    return Contract("new(words that stay) == old(words that stay)", "kept_words", exact, {"lookup": path})


def same_input(name: str, exact: bool) -> Contract:
    """The same input gives the same output. `name` is the sentence."""
    return Contract(name, "same_input", exact, {})


def batches(rows: int) -> Contract:
    """Each sample gives what it gave, whatever the size of the batch; `rows` samples are compared."""
    return Contract("each sample of new(x) == the same sample of old(x)", "batch", True, {"rows": rows})


def features(name: str, pairs: Sequence[tuple[int | Place, int | Place]], **fields: Any) -> Contract:
    """Tensors of the new model equal tensors of the old one. `name` is the sentence, `fields` may say `pool`."""
    return Contract(name, "features", True, {"pairs": [list(pair) for pair in pairs], **fields})


def classes(name: str, fields: dict[str, Any]) -> Contract:
    """Columns of a classifier ahead of its activation: `new`, `old`, `layer`, `calls` and `axis`."""
    return Contract(name, "classes", True, fields)


def places(graph: Graph, path: str) -> list[Place]:
    """Every tensor that the layer at `path` gives, in the order in which `cut_at` makes outputs of them."""
    for layer in graph.layers:
        count = max(1, len(layer.calls))
        if layer.name == path:
            return [
                [path, [number], output]
                for number in range(count)
                for output in range(max(1, len((layer.calls[number].outputs if layer.calls else None) or (0,))))
            ]
        if layer.is_model and layer.inner is not None and path.startswith(layer.name + "/"):
            inner = places(layer.inner, path[len(layer.name) + 1 :])
            return [[path, [number, *calls], output] for number in range(count) for _, calls, output in inner]
    return []


def passes_through(class_name: str, config: dict[str, Any]) -> bool:
    """Whether a layer hands on what it gets when a model answers (and acts only while one is trained)."""
    if class_name == "Activation":
        return config.get("activation") == "linear"
    return class_name in _IDLE


_IDLE = frozenset(
    {"Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization", "Identity"}
    | {f"SpatialDropout{rank}D" for rank in (1, 2, 3)}
)


def fed(graph: Graph, path: str) -> tuple[Contract, ...]:
    """What a layer that is changed or taken out was given stays what it was. `path` is the layer's in `graph`."""
    prefix, level = "", graph
    name = path
    while all(layer.name != name for layer in level.layers):
        around = next(one for one in level.layers if one.inner is not None and name.startswith(one.name + "/"))
        if not around.is_model or around.inner is None:
            return ()
        prefix, level, name = f"{prefix}{around.name}/", around.inner, name[len(around.name) + 1 :]
    layer = level.layer(name)
    refs = [ref for ref in (layer.calls[0].inputs() if layer.calls else ()) if not level.layer(ref.layer).is_input]
    # the first call, on every level: what a layer gets in later ones may come from itself
    found: list[Place] = [
        [prefix + ref.layer, [0] * (prefix.count("/") + 1), ref.output] for ref in dict.fromkeys(refs)
    ]
    if not found or any(ref.call for ref in refs):
        return ()
    names = ", ".join(dict.fromkeys(prefix + ref.layer for ref in refs))
    return (features(f"{names} of new(x) == {names} of old(x)", [(place, place) for place in found]),)


def _channels(count: int) -> str:
    return ", ".join(["gray"] * count) if count <= 4 else f"gray x {count}"
