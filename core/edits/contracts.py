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
| `features`   | the same input; `outputs` pairs new outputs with layer paths of the old model: `[[0, "block3"]]` |
| `classes`    | the same input; the new output's columns `new` equal the old one's columns `old` |
| `tail`       | `inputs` pairs new inputs with tensors inside the old model, which it is given; `outputs` says which |
"""

from typing import Any

from core.graph import Layer, Shape
from core.plan import Contract


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
    text = " x ".join("any" if size is None else str(size) for size in shape)
    return Contract(f"new({text}) == old({text})", "old_size", exact, {"input": name, "shape": list(shape)})


def same_input(name: str, exact: bool) -> Contract:
    """The same input gives the same output. `name` is the sentence."""
    return Contract(name, "same_input", exact, {})


def _channels(count: int) -> str:
    return ", ".join(["gray"] * count) if count <= 4 else f"gray x {count}"
