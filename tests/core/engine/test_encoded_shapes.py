"""Shapes of layers that encode words and numbers, as they really come out."""

from typing import Any

import keras
import numpy as np
import pytest

from core.engine.specs import Specs
from core.model.graph import Call, Layer, TensorRef, TensorSpec

layers = keras.layers


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("shape", [(1,), (4,), (None,), (3, 2)])
@pytest.mark.parametrize("kind", ["Hashing", "StringLookup", "IntegerLookup", "CategoryEncoding"])
def test_that_encoded_entries_are_planned_in_the_shape_that_they_really_have(
    kind: str, shape: tuple[int | None, ...], mode: str
) -> None:
    fields: dict[str, dict[str, Any]] = {
        "Hashing": {"num_bins": 5},
        "StringLookup": {"vocabulary": ["a", "b"]},
        "IntegerLookup": {"vocabulary": [1, 2]},
        "CategoryEncoding": {"num_tokens": 4},
    }
    layer = getattr(layers, kind)(output_mode=mode, **fields[kind])
    words = np.full((2, *(size or 7 for size in shape)), "a" if kind in ("Hashing", "StringLookup") else 1)
    found = layer(keras.ops.convert_to_tensor(words, "string") if words.dtype.kind == "U" else words)
    given = Layer("x", kind, config={**keras.layers.serialize(layer)["config"], "name": "x"})
    dtype = "string" if words.dtype.kind == "U" else "int64"
    ref = TensorRef("in")
    answer = Specs().outputs(given, Call((ref,)), {ref: TensorSpec((None, *shape), dtype)})
    assert answer.error is None
    planned = answer.outputs[0].shape or ()
    assert len(planned) == len(found.shape)
    assert all(one in (None, size) for one, size in zip(planned, found.shape, strict=True)), (planned, found.shape)
