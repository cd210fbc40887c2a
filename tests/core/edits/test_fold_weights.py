"""Folding kernels that are made of several arrays: the written model answers as Keras's or tf-keras's did."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.edits import FoldWeights
from core.errors import RecipeError
from tests.core.edits import zoo
from tests.core.edits.bench import seeded
from tests.core.engine import drive

L = keras.layers
FOLD = {"do": "fold_weights"}


def normalizing(package: str) -> Any:
    """The wrapper of tensorflow_addons, in tf-keras, as it answers once it is initialized."""
    import tensorflow as tf
    import tf_keras

    @tf_keras.utils.register_keras_serializable(package)
    class WeightNormalization(tf_keras.layers.Wrapper):
        def build(self, shape: Any) -> None:
            self.layer.build(shape)
            self.v = self.layer.kernel
            self.g = self.add_weight(name="g", shape=(self.v.shape[-1],), initializer="ones")
            self.ready = self.add_weight(
                name="initialized", shape=None, initializer="zeros", dtype=tf.bool, trainable=False
            )
            with tf.name_scope("data_dep_init"):
                self.naked = type(self.layer).from_config(self.layer.get_config())
                self.naked.build(shape)
            self.built = True

        def call(self, x: Any) -> Any:
            kernel = tf.nn.l2_normalize(self.v, axis=list(range(len(self.v.shape) - 1))) * self.g
            if isinstance(self.layer, tf_keras.layers.Dense):
                y = tf.matmul(x, kernel)
            else:
                y = tf.nn.convolution(x, kernel, strides=self.layer.strides, padding=self.layer.padding.upper())
            return self.layer.activation(y + self.layer.bias)

        def compute_output_shape(self, shape: Any) -> Any:
            return self.layer.compute_output_shape(shape)

    return WeightNormalization


def old_models(wrap: Any) -> dict[str, Callable[[], Any]]:
    import tf_keras

    k = tf_keras.layers

    def flat() -> Any:
        x = given = tf_keras.Input((12, 3))
        x = wrap(k.Conv1D(4, 3, activation="relu"), name="wn")(x)
        return tf_keras.Model(given, k.Dense(2)(k.GlobalAveragePooling1D()(wrap(k.Dense(5), name="wd")(x))))

    def nested() -> Any:
        inner = tf_keras.Sequential([tf_keras.Input((12, 3)), wrap(k.Conv1D(4, 3, strides=2), name="wn")], name="inner")
        given = tf_keras.Input((12, 3))
        return tf_keras.Model(given, k.GlobalAveragePooling1D()(inner(given)))

    def shared() -> Any:
        one, two, layer = tf_keras.Input((12, 3)), tf_keras.Input((12, 3)), wrap(k.Conv1D(4, 3), name="wn")
        return tf_keras.Model([one, two], k.GlobalAveragePooling1D()(k.Add()([layer(one), layer(two)])))

    return {"flat": flat, "nested": nested, "shared": shared}


@pytest.fixture(scope="module")
def wrap() -> Any:
    return normalizing("Addons")


@pytest.mark.parametrize("name", ["flat", "nested", "shared"])
def test_that_weight_normalization_of_a_file_of_keras_2_becomes_a_plain_kernel(
    name: str, wrap: Any, tmp_path: Path
) -> None:
    model = old_models(wrap)[name]()
    rng = np.random.default_rng(1)
    for variable in model.weights:
        if variable.dtype != "bool":
            variable.assign(rng.normal(size=variable.shape))
    model.save(tmp_path / "old.h5")
    written, new = drive.applied(tmp_path / "old.h5", tmp_path / "new.keras", FOLD)
    drive.assert_verified(written.verification)
    shapes = model.input_shape if isinstance(model.input_shape, list) else [model.input_shape]
    x = [rng.normal(size=(2, *shape[1:])).astype("float32") for shape in shapes]
    assert drive.drift(new(x if len(x) > 1 else x[0]), model(x if len(x) > 1 else x[0])) < 1e-5
    merged = {array for array, _ in written.plan.merged}
    assert merged == {array for array in (f"{path}/g" for path in paths(model)) if array}
    told = " ".join(finding.message for finding in written.plan.findings if finding.code == "weight.unmatched")
    assert written.plan.dropped
    assert all(array.split("/", array.count("/"))[-1] in told for array in written.plan.dropped)
    assert all(type(layer).__name__ != "WeightNormalization" for layer in new._flatten_layers())


def paths(model: Any) -> list[str]:
    found = []
    for layer in model.layers:
        inside = [f"{layer.name}/{one}" for one in paths(layer)] if hasattr(layer, "layers") else []
        found += inside or ([layer.name] if type(layer).__name__ == "WeightNormalization" else [])
    return found


def test_that_a_wrapper_of_other_code_is_taken_for_the_usual_one_with_a_warning(tmp_path: Path) -> None:
    model = old_models(normalizing("Mine"))["flat"]()
    model.save(tmp_path / "old.h5")
    plan = drive.plan(tmp_path / "old.h5", FOLD)
    told = [one for one in plan.findings if one.code == "code.custom" and "g v / |v|" in one.message]
    assert {one.layer for one in told} == {"wn", "wd"}
    assert all(one.severity == "warning" for one in told)


def test_that_later_edits_meet_a_plain_layer(wrap: Any, tmp_path: Path) -> None:
    model = old_models(wrap)["flat"]()
    model.save(tmp_path / "old.h5")
    edits = (FOLD, {"do": "change_input", "shape": [12, 1]}, {"do": "rename_layer", "layer": "wn", "name": "conv"})
    written, new = drive.applied(tmp_path / "old.h5", tmp_path / "new.keras", *edits)
    drive.assert_verified(written.verification)
    gray = np.random.default_rng(2).random((2, 12, 1), np.float32)
    assert drive.drift(new(gray), model(gray.repeat(3, 2))) < 1e-5


def spectral() -> Any:
    image = keras.Input((8, 8, 3))
    x = L.SpectralNormalization(L.Conv2D(4, 3), name="s")(image)
    x = L.BatchNormalization(name="n")(x)
    inner = keras.Sequential([keras.Input((6, 6, 4)), L.SpectralNormalization(L.Dense(3), name="d")], name="inner")
    return keras.Model(image, L.GlobalAveragePooling2D()(inner(x)))


def in_time() -> Any:
    frames = keras.Input((3, 6, 6, 2))
    return keras.Model(frames, L.TimeDistributed(L.SpectralNormalization(L.Conv2D(4, 3)), name="t")(frames))


@pytest.mark.parametrize(("make", "ending"), [(spectral, ".keras"), (spectral, ".h5"), (in_time, ".keras")])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_that_spectral_normalization_leaves_the_stored_kernel(make: Any, ending: str, tmp_path: Path) -> None:
    model = make()
    seeded(model, 1)
    written, new = drive.applied(drive.saved(model, tmp_path, f"a{ending}"), tmp_path / "out.keras", FOLD)
    drive.assert_verified(written.verification)
    x = drive.random_input(model)
    assert drive.drift(new(x), model(x)) < 1e-5
    assert not any(isinstance(layer, L.SpectralNormalization) for layer in new._flatten_layers())
    told = " ".join(one.message for one in written.plan.findings if one.code == "weight.unmatched")
    assert all(name.endswith("vector_u") for name in written.plan.dropped)
    assert "vector_u" in told


def test_that_normalization_is_folded_once_the_kernel_is_plain(tmp_path: Path) -> None:
    model = spectral()
    seeded(model, 1)
    source = drive.saved(model, tmp_path)
    written, new = drive.applied(source, tmp_path / "out.keras", FOLD, {"do": "fold_batch_norm"})
    drive.assert_verified(written.verification)
    x = drive.random_input(model)
    assert drive.drift(new(x), model(x)) < 1e-5


def test_that_an_embedding_whose_numbers_the_wrapper_makes_whole_is_refused(tmp_path: Path) -> None:
    tokens = keras.Input((5,), dtype="int32")
    model = keras.Model(tokens, L.SpectralNormalization(L.Embedding(9, 4), name="e")(tokens))
    with pytest.raises(RecipeError, match="to integers"):
        drive.plan(drive.saved(model, tmp_path), FOLD)


def test_that_there_must_be_something_to_fold(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="The model has no layer with WeightNormalization"):
        drive.plan(drive.saved(zoo.sequential(), tmp_path), FOLD)
    assert FoldWeights(layers=("a",)).summary() == "Fold weights into plain kernels: a"
