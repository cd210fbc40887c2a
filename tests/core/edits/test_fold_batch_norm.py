"""Folding BatchNormalization: the written model answers as the one that Keras built, or the edit says why not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.edits import FoldBatchNorm
from core.errors import RecipeError
from tests.core.edits import zoo
from tests.core.edits.bench import seeded
from tests.core.engine import drive

L = keras.layers
FOLD = {"do": "fold_batch_norm"}


def chain(*layers: Any, shape: tuple[int, ...] = (8, 8, 3)) -> Any:
    return keras.Sequential([keras.Input(shape), *layers])


def norm(name: str = "n", **fields: Any) -> Any:
    return L.BatchNormalization(name=name, **fields)


def siamese() -> Any:
    """One convolution and one normalization, each called twice."""
    one, two, conv, n = keras.Input((8, 8, 3)), keras.Input((8, 8, 3)), L.Conv2D(4, 3, name="c"), norm()
    return keras.Model([one, two], L.GlobalAveragePooling2D()(L.Add()([n(conv(one)), n(conv(two))])))


def one_norm_for_two() -> Any:
    one, two, n = keras.Input((8, 8, 3), name="one"), keras.Input((8, 8, 3), name="two"), norm()
    x = L.Add()([n(L.Conv2D(4, 3, name="a")(one)), n(L.Conv2D(4, 3, name="b")(two))])
    return keras.Model({"one": one, "two": two}, L.GlobalAveragePooling2D()(x))


def in_front_of_two() -> Any:
    image = keras.Input((8, 8, 3))
    x = norm()(L.ReLU()(image))
    return keras.Model(image, [L.Conv2D(4, 3)(x), L.Dense(2)(L.Dropout(0.1)(x))])


def twice_nested() -> Any:
    """A model that is called twice, with a convolution and a normalization inside."""
    inner = chain(L.Conv2D(4, 3, use_bias=False), norm(scale=False), L.ReLU(), L.GlobalAveragePooling2D())
    inner.name = "inner"
    one, two = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    return keras.Model([one, two], L.Subtract()([inner(one), inner(two)]))


def in_time() -> Any:
    inner = chain(L.Conv2D(4, 3), norm(), L.ReLU(), L.GlobalAveragePooling2D(), shape=(6, 6, 2))
    frames = keras.Input((3, 6, 6, 2))
    return keras.Model(frames, L.Dense(2)(L.TimeDistributed(inner, name="each")(frames)))


MODELS: dict[str, Callable[[], Any]] = {
    "flat": zoo.flat,
    "nested": zoo.nested,
    "normalized": zoo.normalized,
    "channels first": zoo.channels_first,
    "siamese": siamese,
    "one for two": one_norm_for_two,
    "in front of two": in_front_of_two,
    "twice nested": twice_nested,
    "in time": in_time,
    "transposed": lambda: chain(L.Conv2DTranspose(4, 3, strides=2, use_bias=False), norm(scale=False), L.ReLU()),
    "depthwise": lambda: chain(L.DepthwiseConv2D(3, depth_multiplier=2), norm(center=False), L.ReLU()),
    "separable": lambda: chain(L.SeparableConv2D(5, 3, depth_multiplier=2, use_bias=False), norm(), L.ReLU()),
    "grouped": lambda: chain(L.Conv2D(6, 3, groups=3, padding="same"), norm(center=False, scale=False), L.ReLU()),
    "causal": lambda: chain(L.Conv1D(5, 3, padding="causal", dilation_rate=2), norm(), L.ReLU(), shape=(9, 2)),
    "volume": lambda: chain(L.Conv3D(4, 2), norm(), L.ReLU(), shape=(4, 4, 4, 2)),
    "dense": lambda: chain(L.Dense(5), norm(axis=1), L.ReLU(), L.Dense(2), shape=(7,)),
    "einsum": lambda: chain(L.EinsumDense("abc,cde->abde", (None, 3, 5)), norm(), L.ReLU(), shape=(6, 7)),
    "einsum, other axis": lambda: chain(
        L.EinsumDense("abc,cde->abde", (None, 3, 5), bias_axes="e"), norm(axis=2), L.ReLU(), shape=(6, 7)
    ),
    "wrapped": lambda: chain(L.TimeDistributed(L.Dense(4)), L.TimeDistributed(norm()), L.ReLU(), shape=(3, 6)),
    "through": lambda: chain(
        L.Conv2D(4, 3), L.Dropout(0.3), L.AveragePooling2D(2, padding="same"), L.UpSampling2D(), norm(), L.ReLU()
    ),
    "through a permutation": lambda: chain(L.Conv2D(4, 3), L.Permute((3, 1, 2)), norm(axis=1), L.ReLU()),
    "pooled": lambda: chain(L.Conv2D(4, 3), L.GlobalAveragePooling2D(), norm(), L.ReLU(), L.Dense(2)),
    "two in a row": lambda: chain(L.Dense(4), norm(), norm("m", scale=False), L.ReLU(), shape=(6,)),
    "last": lambda: chain(L.Dense(4), norm(), shape=(6,)),
    "before valid": lambda: chain(L.Conv2D(4, 3, activation="relu"), norm(), L.Dropout(0.2), L.Conv2D(5, 3)),
    "before grouped": lambda: chain(L.ReLU(), norm(), L.Conv2D(6, 3, groups=3, use_bias=False), L.ReLU()),
    "before depthwise": lambda: chain(L.ReLU(), norm(), L.DepthwiseConv2D(3, depth_multiplier=2), L.ReLU()),
    "before separable": lambda: chain(L.ReLU(), norm(), L.SeparableConv2D(7, 3, use_bias=False), L.ReLU()),
    "before 1x1": lambda: chain(L.ReLU(), norm(), L.Conv2D(4, 1, strides=2, padding="same"), L.ReLU()),
    "before transposed 1x1": lambda: chain(L.ReLU(), norm(), L.Conv2DTranspose(4, 1), L.ReLU()),
    "before einsum": lambda: chain(L.ReLU(), norm(), L.EinsumDense("abc,cde->abde", (None, 3, 5)), shape=(6, 7)),
    "before Flatten": lambda: chain(L.ReLU(), norm(), L.Flatten(), L.Dense(3)),
    "before Flatten, rows": lambda: chain(L.ReLU(), norm(axis=1), L.Flatten(), L.Dense(3)),
    "before Flatten, first": lambda: chain(
        L.Permute((3, 1, 2)), norm(axis=1), L.Flatten(data_format="channels_first"), L.Dense(3)
    ),
    "at the input": lambda: chain(norm(), L.Conv2D(4, 3), L.ReLU()),
}


@pytest.mark.parametrize("name", MODELS)
def test_that_every_normalization_is_folded_exactly(name: str, tmp_path: Path) -> None:
    model = MODELS[name]()
    seeded(model, 3)
    written, new = drive.applied(drive.saved(model, tmp_path), tmp_path / "out.keras", FOLD)
    drive.assert_verified(written.verification)
    assert not any(isinstance(layer, L.BatchNormalization) for layer in new._flatten_layers())
    x = drive.random_input(model)
    for one, two in zip(drive.outputs(new, x), drive.outputs(model, x), strict=True):
        assert drive.drift(one, two) < 1e-5
    assert written.plan.dropped == ()
    assert written.verification is not None
    assert all(result.exact and result.drift < 1e-5 for result in written.verification.contracts)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "padding": (
        lambda: chain(L.ReLU(name="r"), norm(), L.Conv2D(6, 3, padding="same", name="c")),
        "c pads its input with zeros",
    ),
    "zeros added": (
        lambda: chain(L.Conv2D(4, 3), L.ZeroPadding2D(name="z"), norm(), L.ReLU()),
        r"z \(ZeroPadding2D\) comes before it",
    ),
    "activation": (
        lambda: chain(L.Dense(4, activation="relu", name="d"), norm(), shape=(6,)),
        "the activation of d lies between them",
    ),
    "maximum": (lambda: chain(L.Conv2D(4, 3), L.MaxPooling2D(name="p"), norm(), L.ReLU()), r"p \(MaxPooling2D\)"),
    "overlapping": (
        lambda: chain(L.ReLU(), norm(), L.Conv2DTranspose(4, 3, name="t")),
        "t sums a varying number of overlapping taps",
    ),
    "wrapped": (
        lambda: chain(L.SpectralNormalization(L.Dense(3), name="s"), norm(), shape=(4,)),
        "turn it into a plain layer first with fold_weights",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_that_what_would_not_be_exact_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    make, reason = REFUSED[name]
    with pytest.raises(RecipeError, match=reason):
        drive.plan(drive.saved(make(), tmp_path), {**FOLD, "layers": ["n"]})


def test_that_a_convolution_used_elsewhere_too_is_named(tmp_path: Path) -> None:
    image = keras.Input((8, 8, 3))
    x = L.Conv2D(4, 3, name="c")(image)
    source = drive.saved(keras.Model(image, L.Add(name="sum")([norm()(x), x])), tmp_path)
    with pytest.raises(RecipeError, match="the output of c also goes to sum"):
        drive.plan(source, {**FOLD, "layers": ["n"]})


def test_that_a_shared_convolution_with_two_normalizations_is_refused(tmp_path: Path) -> None:
    one, two, conv = keras.Input((8, 8, 3)), keras.Input((8, 8, 3)), L.Conv2D(4, 3, name="c")
    x = L.Add()([norm()(conv(one)), norm("m")(conv(two))])
    with pytest.raises(RecipeError, match="c is shared"):
        drive.plan(drive.saved(keras.Model([one, two], x), tmp_path), FOLD)


def test_that_statistics_of_the_batch_are_not_folded(tmp_path: Path) -> None:
    given = keras.Input((8,))
    model = keras.Model(given, norm()(L.Dense(3)(given), training=True))
    with pytest.raises(RecipeError, match="training=True"):
        drive.plan(drive.saved(model, tmp_path), FOLD)


def test_that_a_glob_folds_what_can_be_and_names_the_rest(tmp_path: Path) -> None:
    model = chain(L.Dense(5), norm(), L.ReLU(), norm("m"), L.ReLU(name="r"), L.Dense(2), shape=(7,))
    plan = drive.plan(drive.saved(model, tmp_path), FOLD)
    assert [path for path, layer in plan.graph.walk() if layer.class_name == "BatchNormalization"] == ["m"]
    told = [finding for finding in plan.findings if finding.layer == "m"]
    assert [finding.message.split(":")[0] for finding in told] == ["m is not folded"]
    assert "ReLU" in told[0].message


def test_that_a_model_without_normalization_and_an_unknown_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no BatchNormalization layer"):
        drive.plan(drive.saved(zoo.sequential(), tmp_path), FOLD)
    with pytest.raises(RecipeError, match="did you mean 'stem_bn'"):
        drive.plan(drive.saved(zoo.flat(), tmp_path), {**FOLD, "layers": ["stem_bm"]})


def test_that_a_trainable_normalization_is_said_to_stop_following_the_data(tmp_path: Path) -> None:
    plan = drive.plan(drive.saved(zoo.flat(), tmp_path), FOLD)
    assert [one.layer for one in plan.findings if one.code == "freeze.batch_norm"] == ["stem_bn"]
    frozen = zoo.flat()
    frozen.get_layer("stem_bn").trainable = False
    plan = drive.plan(drive.saved(frozen, tmp_path), FOLD)
    assert [one.layer for one in plan.findings if one.code == "freeze.batch_norm"] == []


def test_that_half_precision_is_measured_and_told(tmp_path: Path) -> None:
    model = zoo.mixed_precision()
    seeded(model, 0)
    plan = drive.plan(drive.saved(model, tmp_path), FOLD)
    assert [contract.exact for contract in plan.contracts] == [False]
    assert any("half precision" in one.message and one.severity == "warning" for one in plan.findings)


def deep() -> Any:
    return chain(
        L.Conv2D(6, 3, padding="same", use_bias=False, name="c"),
        norm(),
        L.ReLU(),
        L.Conv2D(5, 3, name="e"),
        L.Dropout(0.1),
        norm("m"),
        L.GlobalAveragePooling2D(),
        L.Dense(2, name="d"),
    )


def first(**fields: Any) -> dict[str, Any]:
    return {"do": "replace_first_conv", **fields}


def channels(count: int, rule: str = "auto") -> dict[str, Any]:
    return {"do": "change_input", "shape": [8, 8, count], "channels": rule}


RECIPES: dict[str, list[dict[str, Any]]] = {
    "one channel": [channels(1), FOLD],
    "five channels": [channels(5), FOLD],
    "channels afterwards": [FOLD, channels(1)],
    "channels there and back": [FOLD, channels(1), channels(3)],
    "channels around": [channels(1, "mean"), FOLD, channels(5, "zero_extra")],
    "wider": [first(filters=9, filters_rule="widen"), FOLD],
    "wider twice": [first(filters=9, filters_rule="widen"), FOLD, first(filters=13, filters_rule="widen")],
    "other kernel": [first(kernel_size=5), FOLD],
    "other kernels": [first(kernel_size=5), FOLD, first(kernel_size=7)],
    "projection": [first(filters=9), FOLD],
    "own normalization": [first(batch_norm=True), FOLD],
    "both": [first(batch_norm=True, filters=8), channels(1), FOLD],
    "new names": [
        {"do": "rename_layer", "layer": "c", "name": "cc"},
        {"do": "rename_layer", "layer": "n", "name": "nn"},
        FOLD,
    ],
}


@pytest.fixture(scope="module")
def deep_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = deep()
    seeded(model, 5)
    return drive.saved(model, tmp_path_factory.mktemp("deep"))


@pytest.mark.parametrize("name", RECIPES)
def test_that_folding_changes_no_answer_among_other_edits(name: str, deep_source: Path, tmp_path: Path) -> None:
    edits = RECIPES[name]
    plain, old = drive.applied(deep_source, tmp_path / "plain.keras", *(one for one in edits if one is not FOLD))
    written, new = drive.applied(deep_source, tmp_path / "folded.keras", *edits)
    drive.assert_verified(written.verification)
    assert plain.verification is not None
    x = drive.random_input(old)
    assert drive.drift(new(x), old(x)) < 1e-5
    assert written.plan.dropped == ()


def test_that_what_normalizes_the_input_is_kept_apart(tmp_path: Path) -> None:
    model = zoo.normalized()
    seeded(model, 0)
    edits = ({"do": "change_input", "shape": [16, 16, 1]}, FOLD, {"do": "change_input", "shape": [16, 16, 5]})
    written, new = drive.applied(drive.saved(model, tmp_path), tmp_path / "out.keras", *edits)
    drive.assert_verified(written.verification)
    gray = np.random.default_rng(1).random((2, 16, 16, 1), np.float32) * 255
    assert drive.drift(new(gray.repeat(5, 3)), model(gray.repeat(3, 3))) < 1e-5


def test_that_a_quantized_layer_is_folded_before_or_refused(tmp_path: Path) -> None:
    model = chain(L.Dense(5, name="d"), norm(), L.ReLU(), L.Dense(2), shape=(7,))
    seeded(model, 2)
    source = drive.saved(model, tmp_path)
    int8 = {"do": "set_dtype", "policy": "int8"}
    with pytest.raises(RecipeError, match="d is quantized; fold before quantizing"):
        drive.plan(source, int8, FOLD)
    written, _ = drive.applied(source, tmp_path / "out.keras", FOLD, int8)
    drive.assert_verified(written.verification)


def test_that_weights_from_another_file_replace_what_was_folded(tmp_path: Path) -> None:
    model, other = deep(), chain(L.Conv2D(6, 3, padding="same", name="c"), L.ReLU(name="x"))
    seeded(model, 2)
    seeded(other, 9)
    source, weights = drive.saved(model, tmp_path), drive.saved(other, tmp_path, "other.keras")
    take = {"do": "transfer_weights", "file": str(weights), "match": "name"}
    _, new = drive.applied(source, tmp_path / "out.keras", FOLD, take)
    assert np.array_equal(new.get_layer("c").kernel, other.get_layer("c").kernel)
    assert np.array_equal(new.get_layer("c").bias, other.get_layer("c").bias)


def test_that_a_file_of_keras_2_is_folded(tmp_path: Path) -> None:
    import tf_keras

    k = tf_keras.layers
    image = tf_keras.Input((8, 8, 3))
    inner = tf_keras.Sequential([tf_keras.Input((6, 6, 4)), k.DepthwiseConv2D(3), k.BatchNormalization(), k.ReLU()])
    x = k.BatchNormalization(name="n")(k.Conv2D(4, 3, use_bias=False, name="c")(image))
    model = tf_keras.Model(image, k.Dense(2)(k.BatchNormalization()(k.GlobalAveragePooling2D()(inner(x)))))
    seeded_old(model)
    path = tmp_path / "old.h5"
    model.save(path)
    written, new = drive.applied(path, tmp_path / "out.h5", FOLD)
    drive.assert_verified(written.verification)
    assert not any(isinstance(layer, L.BatchNormalization) for layer in new._flatten_layers())
    x = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    assert drive.drift(new(x), model(x)) < 1e-5
    assert written.plan.dropped == ()


def seeded_old(model: Any) -> None:
    """Random weights for a model of Keras 2."""
    rng = np.random.default_rng(4)
    for variable in model.weights:
        low = 0.5 if "variance" in variable.name or "gamma" in variable.name else -0.5
        variable.assign(rng.uniform(low, low + 1, variable.shape))


def test_that_the_recipe_says_what_it_folds() -> None:
    assert FoldBatchNorm().summary() == "Fold BatchNormalization"
    assert FoldBatchNorm(layers=("a", "b")).summary() == "Fold BatchNormalization: a, b"
