from typing import Any

import numpy as np
import pytest

from core.edits import CutAt
from core.errors import EditError
from tests.core.edits.bench import drift

RNG = np.random.default_rng(9)


def image() -> Any:
    return RNG.uniform(0, 1, (2, 16, 16, 3)).astype("float32")


def test_that_outputs_are_those_of_the_layers_and_the_rest_is_gone(bench: Any) -> None:
    import keras

    source = bench("flat")
    edit = CutAt(layers=("add", "dw"))
    built = source.built(edit)
    x = image()
    wanted = [source.model.get_layer(name).output for name in edit.layers]
    old = keras.Model(source.model.inputs[0], wanted)(x, training=False)
    assert [drift(new, np.asarray(one)) for new, one in zip(built(x), old, strict=True)] == [0.0, 0.0]
    assert not {"last", "pool", "predictions"} & {layer.name for layer in built.model.layers}
    assert len(built.model.get_layer("add").input) == 2


def test_that_a_sequential_cut_in_the_middle_stays_one(bench: Any) -> None:
    built = bench("sequential").built(CutAt(layers=("second",)))
    assert type(built.model).__name__ == "Sequential"
    assert built.model.output_shape == (None, 5, 5, 8)


def test_that_layers_inside_a_nested_model_become_outputs(bench: Any) -> None:
    import keras

    source = bench("nested")
    built = source.built(CutAt(layers=("backbone/stem_relu", "pool")))
    x = image() * 255
    backbone = source.model.get_layer("backbone")
    inside = keras.Model(backbone.inputs[0], backbone.get_layer("stem_relu").output)
    before = source.model.get_layer("before")(x)
    new = built(x)
    assert drift(new[0], np.asarray(inside(before, training=False))) < 1e-6
    assert drift(new[1], np.asarray(backbone(before, training=False)).mean(axis=(1, 2))) < 1e-5


def test_that_what_a_nested_model_no_longer_needs_is_gone_inside_too(bench: Any) -> None:
    built = bench("nested").built(CutAt(layers=("backbone/stem",)))
    assert set(built.fates) == {"backbone/stem/kernel"}
    assert built.model.output_shape == (None, 8, 8, 8)


def test_that_an_input_that_reaches_nothing_is_removed_and_said(bench: Any) -> None:
    source = bench("multi_input")
    edit = CutAt(layers=("pool",))
    built = source.built(edit)
    assert len(built.model.inputs) == 1
    assert "numbers" in source.outcome(edit).findings[0].message


def test_that_a_shared_layer_gives_the_output_of_every_call(bench: Any) -> None:
    source = bench("shared")
    one, two = image(), image()
    pool = source.model.get_layer("pool")
    new = source.built(CutAt(layers=("pool",)))(one, two)
    stem = source.model.get_layer("stem")
    assert [drift(n, np.asarray(pool(stem(x)))) for n, x in zip(new, (one, two), strict=True)] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("layers", "words"), [((), "is empty"), (("add", "add"), "twice"), (("ad",), "did you mean 'add'")]
)
def test_that_what_cannot_be_is_refused_in_a_sentence(bench: Any, layers: Any, words: Any) -> None:
    with pytest.raises(EditError, match=words):
        bench("flat").edited(CutAt(layers=layers))
