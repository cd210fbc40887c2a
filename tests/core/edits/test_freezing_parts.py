"""Freezing of layers that are made of parts: stacked cells, attention."""

from pathlib import Path

import keras
import pytest

from core.edits.set_trainable import SetTrainable
from tests.core.engine.drive import applied, assert_verified, saved
from tests.core.engine.small_models import chained

layers = keras.layers


@pytest.mark.parametrize("wrapped", [False, True])
def test_that_stacked_cells_freeze_and_thaw_with_their_layer(wrapped: bool, tmp_path: Path) -> None:
    recurrent = layers.RNN([layers.LSTMCell(3), layers.GRUCell(4)])
    source = chained(tmp_path, (6, 5), layers.Bidirectional(recurrent) if wrapped else recurrent)
    freeze, thaw = SetTrainable(layers=("*",)), SetTrainable(layers=("*",), trainable=True)
    written, frozen = applied(source, tmp_path / "out.keras", freeze)
    assert frozen.trainable_weights == []
    assert written.plan.after.trainable_params == 0
    _, thawed = applied(source, tmp_path / "out.keras", freeze, thaw)
    assert len(thawed.trainable_weights) == len(thawed.weights)


@pytest.mark.parametrize(("kind", "forgets"), [("attention", True), ("lstm", False)])
def test_that_a_frozen_layer_whose_parts_train_after_loading_is_told(kind: str, forgets: bool, tmp_path: Path) -> None:
    keras.backend.clear_session()
    given = keras.Input((6, 5))
    made = layers.LSTM(3)(given) if kind == "lstm" else layers.MultiHeadAttention(2, 3)(given, given)
    source = saved(keras.Model(given, made), tmp_path)
    written, model = applied(source, tmp_path / "out.keras", SetTrainable(layers=("*",)))
    assert_verified(written.verification)
    assert bool(model.trainable_weights) == forgets
    assert [one.code for one in written.plan.findings] == ["freeze.forgotten"] * forgets
    model.layers[-1].trainable = True
    model.layers[-1].trainable = False
    assert model.trainable_weights == []
