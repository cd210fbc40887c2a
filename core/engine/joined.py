"""What two joined models must give: each run by itself, one on the other's answers where they are in series."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from core.edits.join_models import JoinModels, wiring
from core.engine.inputs import ordered
from core.engine.running import numbers
from core.model.graph import Graph, TensorRef
from core.rules.base import Array


def joined_outputs(
    edit: JoinModels,
    graphs: tuple[Graph, Graph, Graph],
    model: Any,
    inputs: Mapping[str, Array],
    outputs: Mapping[TensorRef, Array],
    inner: Mapping[TensorRef, Array],
) -> list[Array]:
    """The outputs of the joined model, in its order.

    `graphs` are those before, of the other file, and after; `model` is the other file's. `inputs` are the joined
    model's by name, `outputs` what the model before gives on them, `inner` the tensors of it that go on.
    """
    before, other, after = graphs
    wires = wiring(edit, before, other)
    fed: dict[str, Array] = {}
    for ref, tensor in zip(other.input_refs(), wires.fed, strict=True):
        if tensor is None:
            fed[ref.layer] = inputs[wires.names[ref.layer]]
        else:
            fed[ref.layer] = inputs[tensor.layer] if before.layer(tensor.layer).is_input else inner[tensor]
    theirs = numbers(model, ordered(other, fed))
    if edit.merge is not None:
        return [_one(edit.merge, outputs[mine], array) for mine, array in zip(wires.kept, theirs, strict=True)]
    if edit.how == "series" and wires.kept:
        return [*(outputs[ref] for ref in wires.kept), *theirs]
    table = {ref: outputs[ref] for ref in wires.kept}
    table.update({wires.port(ref, place): theirs[place] for place, ref in enumerate(other.output_refs())})
    return [table[ref] for ref in after.output_refs()]


def _one(how: str, mine: Array, theirs: Array) -> Array:
    """Two outputs as one, in NumPy."""
    if how == "concatenate":
        return np.concatenate([mine, theirs], axis=-1)
    total: Array = mine + theirs
    return total / 2 if how == "average" else total
