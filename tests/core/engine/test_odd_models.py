"""What random models and recipes brought to light, each as the smallest case that shows it."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.edits import ChangeInput, InsertAdapter, InsertLayer, ReplaceFirstConv, ReplaceLayer, SetDtype, SetRule
from core.edits.attach_head import AttachHead
from core.edits.set_trainable import SetTrainable
from core.edits.transfer_weights import TransferWeights
from core.engine.specs import Specs
from core.errors import FileError, RecipeError
from core.model.graph import Call, Layer, TensorRef, TensorSpec
from core.rules import RepeatChannels
from tests.core.engine.drive import applied, assert_verified, errors, opened, outputs, plan, recipe, saved
from tests.helpers.models import seed_weights

layers = keras.layers


def chain(folder: Path, shape: tuple[int | None, ...], *body: Any) -> Path:
    """A Sequential of these layers with seeded weights, as a file."""
    keras.backend.clear_session()
    model = keras.Sequential([keras.Input(shape), *body])
    seed_weights(model, calibrate=False)
    return saved(model, folder)


@pytest.mark.parametrize("channels", ["auto", "repeat", "zero_extra"])
def test_that_channels_which_reach_the_output_have_no_contract(channels: str, tmp_path: Path) -> None:
    source = chain(tmp_path, (9, 9, 3), layers.DepthwiseConv2D(3, use_bias=False), layers.ReLU())
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
    source = chain(tmp_path, (9, 9, 3), *body)
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
    source = chain(tmp_path, (8, 3), layers.Permute((2, 1)), layers.Dense(5, name="mix"))
    edits = ChangeInput(shape=(16, 3)), SetRule(weight="mix/kernel", rule=RepeatChannels())
    assert_verified(applied(source, tmp_path / "out.keras", *edits)[0].verification)


def test_that_a_padding_which_is_not_by_parity_stays_at_the_old_size(tmp_path: Path) -> None:
    body = layers.ZeroPadding2D(((2, 3), (2, 3))), layers.Conv2D(4, 7, strides=2), layers.GlobalAveragePooling2D()
    source = chain(tmp_path, (9, 9, 3), *body)
    written, _ = applied(source, tmp_path / "out.keras", ChangeInput(shape=(18, 18, 3)))
    assert_verified(written.verification)
    assert written.verification is not None
    assert [(one.exact, one.drift) for one in written.verification.contracts] == [(True, 0.0)]


@pytest.mark.parametrize("wrapped", [False, True])
def test_that_stacked_cells_freeze_and_thaw_with_their_layer(wrapped: bool, tmp_path: Path) -> None:
    recurrent = layers.RNN([layers.LSTMCell(3), layers.GRUCell(4)])
    source = chain(tmp_path, (6, 5), layers.Bidirectional(recurrent) if wrapped else recurrent)
    freeze, thaw = SetTrainable(layers=("*",)), SetTrainable(layers=("*",), trainable=True)
    written, frozen = applied(source, tmp_path / "out.keras", freeze)
    assert frozen.trainable_weights == []
    assert written.plan.after.trainable_params == 0
    _, thawed = applied(source, tmp_path / "out.keras", freeze, thaw)
    assert len(thawed.trainable_weights) == len(thawed.weights)


@pytest.mark.parametrize("policy", ["float64", "float16", "bfloat16"])
def test_that_new_weights_start_at_the_same_values_in_every_precision(policy: str, tmp_path: Path) -> None:
    source = chain(tmp_path, (8, 8, 2), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D())
    head = AttachHead(classes=3, hidden=(6,))
    single = applied(source, tmp_path / "single.keras", head)[1]
    written, other = applied(source, tmp_path / "other.keras", head, SetDtype(policy=policy))
    assert_verified(written.verification)
    for mine, theirs in zip(single.weights, other.weights, strict=True):
        np.testing.assert_allclose(np.asarray(mine), np.asarray(theirs).astype("float32"), atol=5e-3)


def test_that_bfloat16_is_written_as_keras_reads_it(tmp_path: Path) -> None:
    source = chain(tmp_path, (8, 8, 2), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D())
    original = keras.saving.load_model(source)
    for name in ("out.keras", "out.weights.h5"):
        written = opened(source).apply(recipe(SetDtype(policy="bfloat16")), tmp_path / name)
        assert_verified(written.verification)
    model = keras.saving.load_model(tmp_path / "out.keras")
    for mine, theirs in zip(model.weights, original.weights, strict=True):
        assert mine.dtype == "bfloat16"
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(keras.ops.cast(theirs, "bfloat16")))
    with pytest.raises(FileError, match=r"bfloat16, which Keras cannot read back from an \.h5"):
        opened(source).apply(recipe(SetDtype(policy="bfloat16")), tmp_path / "out.h5")


def test_that_a_rescaling_needs_no_offset(tmp_path: Path) -> None:
    source = chain(tmp_path, (8, 8, 2), layers.Conv2D(4, 3, name="conv"), layers.ReLU(name="relu"))
    scaled = {"class_name": "Rescaling", "config": {"scale": 2.0}}
    old, x = keras.saving.load_model(source), np.random.default_rng(1).random((2, 8, 8, 2), np.float32)
    behind = applied(source, tmp_path / "out.keras", InsertLayer(layer="relu", config=scaled))[1]
    instead = applied(source, tmp_path / "out.keras", ReplaceLayer(layer="relu", config=scaled))[1]
    np.testing.assert_allclose(outputs(behind, x)[0], 2 * outputs(old, x)[0], rtol=1e-6)
    np.testing.assert_allclose(outputs(instead, x)[0], 2 * outputs(old.layers[0], x)[0], rtol=1e-6)


def test_that_one_channel_is_not_repeated_to_one(tmp_path: Path) -> None:
    source = chain(tmp_path, (8, 8, 1), layers.Conv2D(4, 3))
    with pytest.raises(RecipeError, match="takes one channel already"):
        plan(source, InsertAdapter(shape=(8, 8, 1), fit="repeat"))


@pytest.mark.parametrize("kernel", [1, 5])
def test_that_padding_by_parity_follows_a_kernel_down_to_one_tap(kernel: int, tmp_path: Path) -> None:
    source = chain(tmp_path, (8, 8, 2), layers.ZeroPadding2D(((0, 1), (0, 1))), layers.Conv2D(4, 3, strides=2))
    written, model = applied(source, tmp_path / "out.keras", ReplaceFirstConv(kernel_size=kernel))
    assert_verified(written.verification)
    assert model.output_shape == (None, 4, 4, 4)


def test_that_a_merge_does_not_become_a_layer_of_one_tensor(tmp_path: Path) -> None:
    keras.backend.clear_session()
    given = keras.Input((8, 8, 4))
    merged = layers.Add(name="add")([given, layers.Conv2D(4, 3, padding="same")(given)])
    source = saved(keras.Model(given, merged), tmp_path)
    with pytest.raises(RecipeError, match="add takes several tensors; a ReLU takes one"):
        plan(source, ReplaceLayer(layer="add", config={"class_name": "ReLU", "config": {}}))
    assert errors(plan(source, ReplaceLayer(layer="add", config={"class_name": "Average", "config": {}}))) == []


@pytest.mark.parametrize(
    "steps",
    [
        ({"kernel_size": 1}, {"kernel_size": 3}),
        ({"kernel_size": 5, "kernel_rule": "resize"}, {"kernel_size": 7}),
        ({"kernel_size": 5, "kernel_rule": "initialize"}, {"kernel_size": 7}),
        ({"use_bias": False}, {"use_bias": True}),
        ({"filters": 12, "filters_rule": "widen"}, {"filters": 16}),
    ],
)
def test_that_a_second_change_of_a_convolution_is_exact_only_where_the_first_one_lasts(
    steps: tuple[dict[str, Any], ...], tmp_path: Path
) -> None:
    body = layers.Conv2D(8, 3, padding="same", bias_initializer="ones"), layers.Conv2D(4, 3)
    source = chain(tmp_path, (9, 9, 3), *body, layers.GlobalAveragePooling2D())
    written, _ = applied(source, tmp_path / "out.keras", *(ReplaceFirstConv(**fields) for fields in steps))
    assert_verified(written.verification)
    assert any("earlier steps" in finding.message for finding in written.plan.findings)


@pytest.mark.parametrize("widths", [(12, 16), (9, 11, 20), (8, 16)])
def test_that_a_convolution_is_widened_again(widths: tuple[int, ...], tmp_path: Path) -> None:
    body = layers.Conv2D(8, 3, padding="same"), layers.BatchNormalization(), layers.ReLU(), layers.DepthwiseConv2D(3)
    source = chain(tmp_path, (9, 9, 3), *body, layers.Conv2D(4, 3), layers.GlobalAveragePooling2D())
    steps = [ReplaceFirstConv(filters=width, filters_rule="widen") for width in widths]
    written, model = applied(source, tmp_path / "out.keras", *steps)
    assert_verified(written.verification)
    assert [one.exact for one in written.plan.contracts] == [True] * len(widths)
    old, x = keras.saving.load_model(source), np.random.default_rng(1).random((2, 9, 9, 3), np.float32)
    np.testing.assert_allclose(outputs(model, x)[0], outputs(old, x)[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rule", ["project", "initialize"])
def test_that_fresh_filters_are_not_copied(rule: Any, tmp_path: Path) -> None:
    source = chain(tmp_path, (9, 9, 3), layers.Conv2D(8, 3), layers.Conv2D(4, 3))
    steps = ReplaceFirstConv(filters=12, filters_rule=rule), ReplaceFirstConv(filters=16, filters_rule="widen")
    with pytest.raises(RecipeError, match="set the number of filters in one step"):
        plan(source, *steps)


def test_that_a_kernel_that_grows_twice_stays_exact(tmp_path: Path) -> None:
    source = chain(tmp_path, (9, 9, 3), layers.Conv2D(8, 3, padding="same"), layers.GlobalAveragePooling2D())
    steps = ReplaceFirstConv(kernel_size=5), ReplaceFirstConv(kernel_size=7)
    written, _ = applied(source, tmp_path / "out.keras", *steps)
    assert_verified(written.verification)
    assert [one.exact for one in written.plan.contracts] == [True, True]


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


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("kind", ["spectral", "lstm", "attention", "dropout"])
def test_that_a_legacy_file_holds_each_weight_once(kind: str, frozen: bool, tmp_path: Path) -> None:
    keras.backend.clear_session()
    given = keras.Input((6, 5))
    made = {
        "spectral": lambda x: layers.SpectralNormalization(layers.Dense(3))(x),
        "lstm": lambda x: layers.LSTM(3, dropout=0.2, recurrent_dropout=0.1)(x),
        "attention": lambda x: layers.MultiHeadAttention(2, 3, dropout=0.1)(x, x),
        "dropout": lambda x: layers.Dense(3)(layers.Dropout(0.2, seed=1)(x)),
    }[kind](given)
    model = keras.Model(given, made)
    seed_weights(model, calibrate=False)
    source = saved(model, tmp_path)
    edits = [SetTrainable(layers=("*",))] if frozen else []
    written = opened(source).apply(recipe(*edits), tmp_path / "out.h5")
    assert_verified(written.verification)
    x = np.random.default_rng(1).random((2, 6, 5), np.float32)
    loaded = keras.saving.load_model(tmp_path / "out.h5", compile=False)
    np.testing.assert_array_equal(outputs(loaded, x)[0], outputs(model, x)[0])


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


@pytest.mark.parametrize(("length", "fit"), [(14, "crop"), (10, "pad")])
def test_that_sequences_of_another_length_are_cropped_or_padded_ahead_of_a_flatten(
    length: int, fit: str, tmp_path: Path
) -> None:
    source = chain(tmp_path, (12, 3), layers.Conv1D(4, 3), layers.Flatten(), layers.Dense(2, name="out"))
    edit = ChangeInput(shape=(length, 3))
    fixes = [fix for one in plan(source, edit).findings for fix in one.fixes if "inputs" in fix.title]
    assert [fix.title for fix in fixes] == [f"{fit.capitalize()} inputs to 12 first"]
    written, model = applied(source, tmp_path / "out.keras", edit, *fixes[0].edits)
    assert_verified(written.verification)
    x = np.random.default_rng(1).random((2, length, 3), np.float32)
    as_before = x[:, 1:13] if fit == "crop" else np.pad(x, [(0, 0), (1, 1), (0, 0)])
    old = keras.saving.load_model(source)
    np.testing.assert_allclose(outputs(model, x)[0], outputs(old, as_before)[0], rtol=1e-5)


def test_that_statistics_started_anew_are_those_of_a_fresh_normalization(tmp_path: Path) -> None:
    body = layers.Conv2D(4, 3, name="conv"), layers.BatchNormalization(name="norm"), layers.Conv2D(2, 1, name="last")
    source = chain(tmp_path, (9, 9, 3), *body)
    edits: list[Any] = [ReplaceFirstConv(layer="conv", filters=6, filters_rule="slice")]
    for finding in plan(source, *edits).findings:
        fixes = [fix for fix in finding.fixes if fix.title == "Reinitialize it"]
        edits += [edit for fix in fixes for edit in fix.edits]
    written, model = applied(source, tmp_path / "out.keras", *edits)
    assert_verified(written.verification)
    ones, zeros = np.ones(6), np.zeros(6)
    for name, value in (("gamma", ones), ("beta", zeros), ("moving_mean", zeros), ("moving_variance", ones)):
        np.testing.assert_array_equal(getattr(model.get_layer("norm"), name), value)
    by_name = SetRule(weight="norm/moving_variance", rule="initialize")
    other = applied(source, tmp_path / "out.keras", *edits, by_name)[1]
    np.testing.assert_array_equal(other.get_layer("norm").moving_variance, ones)


@pytest.mark.parametrize("entries", [1, 4])
def test_that_words_have_no_channels(entries: int, tmp_path: Path) -> None:
    keras.backend.clear_session()
    given = keras.Input((2,), dtype="string")
    made = layers.StringLookup(vocabulary=["a", "b"], output_mode="multi_hot")(given)
    source = saved(keras.Model(given, layers.Dense(2)(made)), tmp_path)
    written, model = applied(source, tmp_path / "out.keras", ChangeInput(shape=(entries,)))
    assert_verified(written.verification)
    assert model.output_shape == (None, 2)


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (ChangeInput(shape=(9, 9, 10**9)), "too many to map"),
        (ReplaceFirstConv(filters=10**9, filters_rule="widen"), "filters must be at most 65536"),
        (ReplaceFirstConv(kernel_size=10**9), "kernel_size must be at most 65536"),
        (AttachHead(classes=10**9), "classes and hidden must be at most"),
    ],
)
def test_that_numbers_which_no_machine_holds_are_refused_at_once(edit: Any, sentence: str, tmp_path: Path) -> None:
    source = chain(tmp_path, (9, 9, 3), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(2))
    with pytest.raises(RecipeError, match=sentence):
        plan(source, edit)


def test_that_a_file_without_an_order_of_layers_is_not_matched_by_order(tmp_path: Path) -> None:
    source = chain(tmp_path, (9, 9, 3), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(2))
    model = keras.saving.load_model(source)
    for weight in model.weights:
        weight.assign(weight + 1.0)
    other = tmp_path / "other.weights.h5"
    model.save_weights(other)
    with pytest.raises(RecipeError, match="does not store the order of its layers; match by name or by shape"):
        plan(source, TransferWeights(file=str(other), match="order"))
    written, taken = applied(source, tmp_path / "out.keras", TransferWeights(file=str(other), match="name"))
    assert_verified(written.verification)
    for mine, theirs in zip(taken.weights, model.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_that_a_file_of_weights_alone_is_no_model_to_write(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    model.save_weights(tmp_path / "only.weights.h5")
    with pytest.raises(FileError, match="weights without an architecture"):
        applied(tmp_path / "only.weights.h5", tmp_path / "out.keras")
