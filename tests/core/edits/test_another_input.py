"""Another input, written and verified: channels that reach the output, biases, padding, sequences, words."""

from pathlib import Path

import keras
import numpy as np
import pytest

from core.edits import ChangeInput, SetRule
from core.rules import RepeatChannels
from tests.core.engine.drive import applied, assert_verified, outputs, plan, saved
from tests.core.engine.small_models import chained

layers = keras.layers


@pytest.mark.parametrize("channels", ["auto", "repeat", "zero_extra"])
def test_that_channels_which_reach_the_output_have_no_contract(channels: str, tmp_path: Path) -> None:
    source = chained(tmp_path, (9, 9, 3), layers.DepthwiseConv2D(3, use_bias=False), layers.ReLU())
    written, model = applied(source, tmp_path / "out.keras", ChangeInput(shape=(9, 9, 4), channels=channels))
    assert_verified(written.verification)
    assert written.verification is not None
    assert written.plan.contracts == ()
    assert [one.name for one in written.verification.contracts] == ["file(x) == plan(x)"]
    assert model.output_shape == (None, 7, 7, 4)


@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize(("channels", "rule"), [(5, "repeat"), (6, "zero_extra"), (2, "repeat"), (1, "sum")])
def test_that_the_bias_of_a_depthwise_convolution_follows_the_channels(
    channels: int, rule: str, multiplier: int, tmp_path: Path
) -> None:
    body = layers.DepthwiseConv2D(3, depth_multiplier=multiplier), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()
    source = chained(tmp_path, (9, 9, 3), *body)
    written, model = applied(source, tmp_path / "out.keras", ChangeInput(shape=(9, 9, channels), channels=rule))
    assert_verified(written.verification)
    old = keras.saving.load_model(source).layers[0].bias.numpy().reshape(3, multiplier)
    new = model.layers[0].bias.numpy().reshape(channels, multiplier)
    if channels > 3:
        np.testing.assert_array_equal(new[:3], old)
        assert written.plan.contracts[0].exact
    if channels == 1:
        np.testing.assert_allclose(new, old.mean(0, keepdims=True), rtol=1e-5)


def test_that_the_old_size_is_not_held_against_a_weight_that_counts_places(tmp_path: Path) -> None:
    source = chained(tmp_path, (8, 3), layers.Permute((2, 1)), layers.Dense(5, name="mix"))
    edits = ChangeInput(shape=(16, 3)), SetRule(weight="mix/kernel", rule=RepeatChannels())
    assert_verified(applied(source, tmp_path / "out.keras", *edits)[0].verification)


def test_that_a_padding_which_is_not_by_parity_stays_at_the_old_size(tmp_path: Path) -> None:
    body = layers.ZeroPadding2D(((2, 3), (2, 3))), layers.Conv2D(4, 7, strides=2), layers.GlobalAveragePooling2D()
    source = chained(tmp_path, (9, 9, 3), *body)
    written, _ = applied(source, tmp_path / "out.keras", ChangeInput(shape=(18, 18, 3)))
    assert_verified(written.verification)
    assert written.verification is not None
    assert [(one.exact, one.drift) for one in written.verification.contracts] == [(True, 0.0)]


@pytest.mark.parametrize(("length", "fit"), [(14, "crop"), (10, "pad")])
def test_that_sequences_of_another_length_are_cropped_or_padded_ahead_of_a_flatten(
    length: int, fit: str, tmp_path: Path
) -> None:
    source = chained(tmp_path, (12, 3), layers.Conv1D(4, 3), layers.Flatten(), layers.Dense(2, name="out"))
    edit = ChangeInput(shape=(length, 3))
    fixes = [fix for one in plan(source, edit).findings for fix in one.fixes if "inputs" in fix.title]
    assert [fix.title for fix in fixes] == [f"{fit.capitalize()} inputs to 12 first"]
    written, model = applied(source, tmp_path / "out.keras", edit, *fixes[0].edits)
    assert_verified(written.verification)
    x = np.random.default_rng(1).random((2, length, 3), np.float32)
    as_before = x[:, 1:13] if fit == "crop" else np.pad(x, [(0, 0), (1, 1), (0, 0)])
    old = keras.saving.load_model(source)
    np.testing.assert_allclose(outputs(model, x)[0], outputs(old, as_before)[0], rtol=1e-5)


@pytest.mark.parametrize("entries", [1, 4])
def test_that_words_have_no_channels(entries: int, tmp_path: Path) -> None:
    keras.backend.clear_session()
    given = keras.Input((2,), dtype="string")
    made = layers.StringLookup(vocabulary=["a", "b"], output_mode="multi_hot")(given)
    source = saved(keras.Model(given, layers.Dense(2)(made)), tmp_path)
    written, model = applied(source, tmp_path / "out.keras", ChangeInput(shape=(entries,)))
    assert_verified(written.verification)
    assert model.output_shape == (None, 2)
