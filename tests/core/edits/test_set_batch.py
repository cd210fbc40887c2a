"""Another batch size: every sample gives what it gave, also in models that keep states."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.edits import SetBatch
from core.errors import RecipeError
from tests.core.edits.bench import seeded
from tests.core.engine import drive

L = keras.layers


def fixed(count: int = 6) -> Any:
    return keras.Input(batch_shape=(count, 5, 2), name="x")


def stateful() -> Any:
    x = fixed()
    y = L.LSTM(4, stateful=True, return_sequences=True, name="l")(x)
    return keras.Model(x, L.Bidirectional(L.GRU(3, stateful=True), name="b")(y))


def chain() -> Any:
    return keras.Sequential([fixed(), L.SimpleRNN(4, stateful=True, name="r"), L.Dense(2)])


def nested() -> Any:
    inner = keras.Sequential([fixed(), L.GRU(4, stateful=True, return_sequences=True)], name="inner")
    x = fixed()
    return keras.Model(x, L.Dense(2)(inner(x)))


def reshaping() -> Any:
    x = fixed()
    return keras.Model(x, L.Dense(2)(keras.ops.reshape(L.Dense(3)(x), (6, -1))))


def two() -> Any:
    one, other = keras.Input(batch_shape=(6, 4)), keras.Input(batch_shape=(6, 4))
    return keras.Model([one, other], L.Dense(2)(L.Add()([one, other])))


MODELS: dict[str, Callable[[], Any]] = {
    "stateful": stateful,
    "chain": chain,
    "nested": nested,
    "reshaping": reshaping,
    "two": two,
}


def reset(model: Any) -> Any:
    for layer in model._flatten_layers():
        if getattr(layer, "stateful", False):
            layer.reset_state()
    return model


def answers(model: Any, count: int, rows: int) -> Any:
    """The first rows of what a model gives for a batch of `count` of the same samples."""
    shapes = [tensor.shape[1:] for tensor in model.inputs]
    rng = np.random.default_rng(4)
    x = [np.resize(rng.random((2, *shape), np.float32), (count, *shape)) for shape in shapes]
    return np.asarray(reset(model)(x if len(x) > 1 else x[0]))[:rows]


@pytest.mark.parametrize(
    ("name", "batch"),
    [*((name, batch) for name in MODELS for batch in (1, 8)), ("reshaping", None), ("two", None)],
)
def test_that_each_sample_gives_what_it_gave(name: str, batch: int | None, tmp_path: Path) -> None:
    model = MODELS[name]()
    seeded(model, 1)
    engine = drive.opened(drive.saved(model, tmp_path))
    written = engine.apply(drive.recipe({"do": "set_batch", "batch": batch}), tmp_path / "out.keras")
    new = keras.saving.load_model(tmp_path / "out.keras", compile=False)
    assert {tensor.shape[0] for tensor in new.inputs} == {batch}
    assert {fate.fate for fate in written.plan.fates} == {"copied"}
    assert written.plan.contracts[0].exact
    rows = min(batch or 2, 2)
    assert drive.drift(answers(new, batch or 5, rows), answers(model, 6, rows)) < 1e-5


def test_that_verification_compares_sample_by_sample(tmp_path: Path) -> None:
    model = reshaping()
    seeded(model, 1)
    written, _ = drive.applied(drive.saved(model, tmp_path), tmp_path / "out.keras", SetBatch(batch=3))
    drive.assert_verified(written.verification)
    assert written.verification is not None
    assert [result.drift < 1e-6 for result in written.verification.contracts] == [True]


def test_that_an_operation_that_names_the_batch_follows_and_is_told(tmp_path: Path) -> None:
    source = drive.saved(reshaping(), tmp_path)
    for batch, shape in ((3, "(3, -1)"), (None, "(-1, 15)")):
        told = [one for one in drive.plan(source, SetBatch(batch=batch)).findings if one.code == "baked.constant"]
        assert [shape in one.message for one in told] == [True]


def test_that_constants_for_each_sample_are_told(tmp_path: Path) -> None:
    x = fixed()
    y = keras.ops.concatenate([x, keras.ops.ones((6, 5, 1))], axis=-1)
    plan = drive.plan(drive.saved(keras.Model(x, y), tmp_path), SetBatch(batch=2))
    assert not plan.ok
    assert any("contains sizes for a batch of 6" in one.message for one in plan.findings)


def test_that_states_without_a_fixed_batch_are_refused_with_the_way_out(tmp_path: Path) -> None:
    source = drive.saved(stateful(), tmp_path)
    with pytest.raises(RecipeError, match="set stateful to false first"):
        drive.plan(source, SetBatch())
    source = drive.saved(chain(), tmp_path)
    off = {"do": "replace_layer", "layer": "r", "config": {"stateful": False}}
    plan = drive.plan(source, off, SetBatch())
    assert plan.ok
    assert plan.inputs[0].shape == (None, 5, 2)


def test_that_one_of_several_inputs_can_be_named(tmp_path: Path) -> None:
    one, other = keras.Input(batch_shape=(6, 4), name="a"), keras.Input(batch_shape=(6, 4), name="b")
    source = drive.saved(keras.Model([one, other], [L.Dense(2)(one), L.Dense(2)(other)]), tmp_path)
    plan = drive.plan(source, SetBatch(batch=2, input="b"))
    assert [port.shape for port in plan.inputs] == [(6, 4), (2, 4)]
    with pytest.raises(RecipeError, match="the model's inputs are a, b"):
        drive.plan(source, SetBatch(batch=2, input="c"))
    with pytest.raises(RecipeError, match="at least 1"):
        drive.plan(source, {"do": "set_batch", "batch": 0})


def test_that_inputs_beside_one_of_a_fixed_batch_are_checked_with_as_many_samples(tmp_path: Path) -> None:
    one, other = keras.Input(batch_shape=(3, 4), name="one"), keras.Input((4,), name="other")
    model = keras.Model([one, other], L.Dense(2)(L.Concatenate()([one, other])))
    source = drive.saved(model, tmp_path)
    written, _ = drive.applied(
        source, tmp_path / "out.keras", {"do": "set_trainable", "layers": ["*"], "trainable": False}
    )
    drive.assert_verified(written.verification)


def test_that_a_stateful_file_of_keras_2_gets_another_batch(tmp_path: Path) -> None:
    import tf_keras

    k = tf_keras.layers
    model = tf_keras.Sequential(
        [k.LSTM(4, stateful=True, batch_input_shape=(6, 5, 2), return_sequences=True), k.TimeDistributed(k.Dense(2))]
    )
    model.save(tmp_path / "old.h5")
    drive.opened(tmp_path / "old.h5").apply(drive.recipe(SetBatch(batch=1)), tmp_path / "new.keras")
    new = keras.saving.load_model(tmp_path / "new.keras", compile=False)
    x = np.random.default_rng(0).random((6, 5, 2), np.float32)
    assert drive.drift(new(x[:1]), np.asarray(model(x))[:1]) < 1e-5


def test_that_the_recipe_says_the_size() -> None:
    assert SetBatch(batch=4).summary() == "Batch size: 4"
    assert SetBatch(input="a").summary() == "Batch size of a: any"


def test_that_other_steps_lead_to_this_one(tmp_path: Path) -> None:
    source = drive.saved(stateful(), tmp_path)
    with pytest.raises(RecipeError, match="set_batch sets its size"):
        drive.plan(source, {"do": "change_input", "shape": [1, 5, 2]})
    with pytest.raises(RecipeError, match="set_batch for its batch size"):
        drive.plan(source, {"do": "replace_layer", "layer": "x", "config": {"batch_shape": [1, 5, 2]}})
