"""State that calls change, vocabularies, low-rank updates, open sizes: verified as the model is, written as it was."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from keras import layers
from msgspec.structs import replace

from core.analysis.opening import read_model
from core.engine.shapes import Shaper
from core.engine.sizes import trial_sizes
from core.engine.specs import Specs
from core.errors import FileError
from core.model.plan import Written
from tests.core.engine.drive import assert_verified, drift, engine, opened, outputs, recipe, saved
from tests.core.engine.small_models import fill

RENAME = {"do": "rename_layer", "layer": "end", "name": "last"}


def verified(path: Path, out: Path, *edits: Any) -> Written:
    """Apply, and insist on the verdict."""
    written = opened(path).apply(recipe(*edits), out)
    assert_verified(written.verification)
    assert written.written == str(out)
    return written


def reloaded(path: Path) -> Any:
    return keras.saving.load_model(path, compile=False)


# state


def stateful(kind: str) -> Any:
    """Stateful recurrence at the top, in a nested model that is called twice, in a wrapper and in stacked cells."""
    keras.backend.clear_session()
    start = keras.Input(batch_shape=(4, 5, 2), name="steps")
    if kind == "flat":
        x = layers.LSTM(6, stateful=True, return_sequences=True)(start)
    elif kind == "nested twice":
        inside = keras.Input(batch_shape=(4, 5, 2))
        body = keras.Model(inside, layers.GRU(3, stateful=True, name="gru")(inside), name="body")
        x = layers.Concatenate()([body(start), body(layers.Rescaling(2.0)(start))])
    elif kind == "wrapped":
        x = layers.Bidirectional(layers.GRU(3, stateful=True), name="both")(start)
    else:
        x = layers.RNN([layers.LSTMCell(4), layers.GRUCell(3)], stateful=True, name="cells")(start)
    model = keras.Model(start, layers.Dense(2, name="end")(x))
    fill(model)
    return model


@pytest.mark.parametrize("kind", ["flat", "nested twice", "wrapped", "stacked"])
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_that_a_state_is_the_same_before_every_run(kind: str, ending: str, tmp_path: Path) -> None:
    model = stateful(kind)
    written = verified(saved(model, tmp_path), tmp_path / f"new{ending}", RENAME)
    assert written.verification is not None
    assert [one.drift for one in written.verification.contracts] == [0.0]
    x = np.random.default_rng(1).random((4, 5, 2), np.float32)
    assert drift(outputs(reloaded(tmp_path / f"new{ending}"), x)[0], outputs(model, x)[0]) < 1e-6


def test_that_a_state_of_an_old_file_is_reset_too(tmp_path: Path) -> None:
    old = tf_keras.Sequential(
        [
            tf_keras.layers.LSTM(4, stateful=True, batch_input_shape=(3, 5, 2), name="lstm"),
            tf_keras.layers.Dense(2, name="end"),
        ]
    )
    old.save(tmp_path / "old.h5")
    written = verified(tmp_path / "old.h5", tmp_path / "new.keras", RENAME)
    assert written.verification is not None
    assert [one.drift for one in written.verification.contracts] == [0.0]
    x = np.random.default_rng(1).random((3, 5, 2), np.float32)
    assert drift(outputs(reloaded(tmp_path / "new.keras"), x)[0], old(x)) < 1e-6


def test_that_an_export_begins_with_no_state(tmp_path: Path) -> None:
    model = stateful("flat")
    verified(saved(model, tmp_path), tmp_path / "new.savedmodel")
    x = np.random.default_rng(1).random((4, 5, 2), np.float32)
    served = tf.saved_model.load(str(tmp_path / "new.savedmodel"))
    assert drift(served.serve(x), outputs(model, x)[0]) < 1e-6


# vocabularies


def looking_up() -> Any:
    """Four kinds of lookup in a nested model."""
    keras.backend.clear_session()
    texts = layers.TextVectorization(output_mode="count", max_tokens=8, pad_to_max_tokens=True, name="texts")
    texts.adapt(["red green", "green blue"])
    words = layers.StringLookup(output_mode="multi_hot", mask_token="", name="words")
    words.adapt([["ä b", "c"], ["c", "d"]])
    codes = layers.IntegerLookup(output_mode="one_hot", name="codes")
    codes.adapt([30, 40, 50])
    bounds = layers.Discretization(num_bins=3, output_mode="one_hot", name="bounds")
    bounds.adapt([[1.0], [2.0], [3.0], [7.0]])
    hashed = layers.Hashing(5, output_mode="one_hot", name="hashed")

    def inputs() -> list[Any]:
        kinds = (("text", "string"), ("word", "string"), ("code", "int64"), ("size", "float32"))
        return [keras.Input((1,), dtype=dtype, name=name) for name, dtype in kinds]

    text, word, code, size = inputs()
    parts = [layers.Flatten()(texts(text)), words(word), codes(code), bounds(size), hashed(word)]
    inner = keras.Model([text, word, code, size], layers.Concatenate(name="all")(parts), name="prepared")
    given = inputs()
    model = keras.Model(given, layers.Dense(2, name="end")(inner(given)))
    fill(model)
    return model


SAMPLES = [
    tf.constant([["red blue"], ["green none"]]),
    tf.constant([["c"], ["ä b"]]),
    tf.constant([[40], [7]], tf.int64),
    tf.constant([[0.5], [6.0]]),
]


@pytest.mark.parametrize("ending", [".keras", ".h5", ".savedmodel", ".weights.h5"])
def test_that_vocabularies_are_kept_and_loaded(ending: str, tmp_path: Path) -> None:
    model = looking_up()
    out = tmp_path / f"new{ending}"
    written = verified(saved(model, tmp_path), out, RENAME)
    told = [one.layer for one in written.plan.findings if one.severity == "info" and "vocabulary" in one.message]
    kept = {"prepared/texts", "prepared/words", "prepared/codes"}
    assert set(told) == (kept if ending.endswith(".h5") else set())
    if ending == ".savedmodel":
        served = tf.saved_model.load(str(out))
        found = served.serve(SAMPLES)
    elif ending == ".weights.h5":
        model.load_weights(out)
        return
    else:
        found = reloaded(out)(SAMPLES)
    assert drift(found, model(SAMPLES)) < 1e-6


def test_that_words_of_the_vocabulary_are_tried(tmp_path: Path) -> None:
    from core.engine.arrays import Arrays
    from core.engine.vocabularies import with_vocabularies
    from core.surgery.inputs import random_inputs

    planner = opened(saved(looking_up(), tmp_path))
    planned = planner.planned(recipe())
    with Arrays(planned.plan.graph, {0: planner.planner.source}) as arrays:
        known = with_vocabularies(planned.plan.graph, planned.moves, arrays)
    tried = random_inputs(known, count=40)
    assert {"green", "red", "blue"} & set(tried["text"].flat)
    assert {"ä b", "c", "d"} & set(tried["word"].flat)
    assert {30, 40, 50} & set(tried["code"].flat)


def test_that_a_vocabulary_of_an_old_file_runs(tmp_path: Path) -> None:
    start = tf_keras.Input((3,), dtype="string", name="word")
    x = tf_keras.layers.StringLookup(vocabulary=["red", "green"], name="words")(start)
    x = tf_keras.layers.Embedding(4, 3, name="rows")(x)
    old = tf_keras.Model(start, tf_keras.layers.Dense(2, name="end")(tf_keras.layers.Flatten()(x)))
    old.save(tmp_path / "old.h5")
    words = tf.constant([["red", "green", "none"], ["green", "green", "red"]])
    for ending in (".keras", ".h5"):
        verified(tmp_path / "old.h5", tmp_path / f"new{ending}", RENAME)
        assert drift(reloaded(tmp_path / f"new{ending}")(words), old(words)) < 1e-6


@keras.saving.register_keras_serializable("notes")
class Noted(keras.layers.Layer):
    """A layer of one's own that keeps a file beside its arrays."""

    factor = 1.0

    def call(self, inputs: Any) -> Any:
        return inputs * self.factor

    def save_assets(self, dir_path: str) -> None:
        Path(dir_path, "factor.txt").write_text(str(self.factor), encoding="utf-8")

    def load_assets(self, dir_path: str) -> None:
        self.factor = float(Path(dir_path, "factor.txt").read_text(encoding="utf-8"))


def test_that_other_files_of_layers_are_kept_or_refused(tmp_path: Path) -> None:
    keras.backend.clear_session()
    noted = Noted(name="noted")
    noted.factor = 3.0
    start = keras.Input((4,))
    model = keras.Model(start, layers.Dense(2, name="end")(noted(start)))
    path = saved(model, tmp_path)
    source = read_model(path)
    known = replace(source, graph=source.graph.replace_layers(lambda _, layer: replace(layer, opaque=False)))
    engine().set_source(replace(known, findings=()))
    with pytest.raises(FileError, match=r"noted \(Noted\) has its own files \(factor.txt\)"):
        engine().apply(recipe(RENAME), tmp_path / "new.h5")
    assert not (tmp_path / "new.h5").exists()
    written = engine().apply(recipe(RENAME), tmp_path / "new.keras")
    assert_verified(written.verification)
    x = np.ones((1, 4), np.float32)
    assert drift(outputs(reloaded(tmp_path / "new.keras"), x)[0], outputs(model, x)[0]) < 1e-6


# low-rank updates


def updated(kind: str) -> Any:
    """Layers with an update that does something, at the top or in a nested model that is called twice."""
    keras.backend.clear_session()
    rows, conv = layers.Embedding(9, 6, name="rows"), layers.Conv1D(5, 3, name="conv")
    dense = layers.EinsumDense("abc,cd->abd", (None, 4), bias_axes="d", name="dense")
    start = keras.Input((7,), name="ids")
    x = dense(conv(rows(start)))
    if kind == "nested":
        body = keras.Model(start, x, name="body")
        outer = keras.Input((7,), name="outer")
        x, start = layers.Add(name="add")([body(outer), body(outer)]), outer
    end = layers.Dense(2, name="end")
    model = keras.Model(start, end(layers.GlobalAveragePooling1D()(x)))
    fill(model)
    for number, layer in enumerate((rows, conv, dense, end)):
        layer.enable_lora(2)
        for weight in layer.weights:
            if "lora" in weight.path:
                weight.assign(np.random.default_rng(number).normal(size=weight.shape))
    return model


@pytest.mark.parametrize("kind", ["flat", "nested"])
@pytest.mark.parametrize("ending", [".keras", ".h5", ".weights.h5"])
def test_that_low_rank_updates_count_in_what_is_written(kind: str, ending: str, tmp_path: Path) -> None:
    model = updated(kind)
    out = tmp_path / f"new{ending}"
    written = verified(saved(model, tmp_path), out, RENAME)
    assert written.verification is not None
    assert written.verification.arrays == 7
    told = [one.layer for one in written.plan.findings if "LoRA" in one.message]
    assert len(told) == (4 if ending == ".h5" else 0)
    if ending == ".weights.h5":
        return
    x = np.random.default_rng(2).integers(0, 9, (3, 7))
    assert drift(outputs(reloaded(out), x)[0], outputs(model, x)[0]) < 1e-6


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_that_low_rank_updates_of_quantized_layers_are_verified(mode: str, tmp_path: Path) -> None:
    keras.backend.clear_session()
    model = keras.Sequential([keras.Input((6,)), layers.Dense(8, name="dense"), layers.Dense(3, name="end")])
    fill(model)
    dense = model.get_layer("dense")
    for layer in (dense, model.get_layer("end")):
        layer.quantize(mode)
    dense.enable_lora(2)
    dense.lora_kernel_b.assign(np.random.default_rng(1).normal(size=dense.lora_kernel_b.shape))
    path = saved(model, tmp_path)
    verified(path, tmp_path / "new.keras", RENAME)
    x = np.random.default_rng(2).random((3, 6), np.float32)
    assert drift(outputs(reloaded(tmp_path / "new.keras"), x)[0], outputs(reloaded(path), x)[0]) < 1e-6


def test_that_low_rank_updates_in_an_h5_file_count_too(tmp_path: Path) -> None:
    model = updated("nested")
    verified(saved(model, tmp_path, "source.h5"), tmp_path / "new.h5", RENAME)
    x = np.random.default_rng(2).integers(0, 9, (3, 7))
    assert drift(outputs(reloaded(tmp_path / "new.h5"), x)[0], outputs(model, x)[0]) < 1e-5


# open sizes


def long_reading(kind: str) -> Any:
    """Models of open length that take 2,021 steps at least."""
    keras.backend.clear_session()

    def body(start: Any) -> Any:
        x = layers.Conv1D(3, 15, activation="relu", name="first")(start)
        return layers.Conv1D(2, 7, name="end")(layers.Cropping1D(1000)(x))

    start = keras.Input((None, 4), name="bases")
    if kind == "flat":
        model = keras.Model(start, body(start))
    elif kind == "nested":
        inner = keras.Model(start, body(start), name="body")
        outer = keras.Input((None, 4), name="outer")
        model = keras.Model(outer, layers.Activation("relu", name="positive")(inner(outer)))
    else:
        other = keras.Input((None, 4), name="other")
        model = keras.Model([start, other], body(layers.Add()([start, other])))
    fill(model)
    return model


@pytest.mark.parametrize("kind", ["flat", "nested", "two inputs"])
def test_that_inputs_are_long_enough_to_crop(kind: str, tmp_path: Path) -> None:
    path = saved(long_reading(kind), tmp_path)
    layer = "body/end" if kind == "nested" else "end"
    for ending in (".keras", ".savedmodel"):
        written = verified(path, tmp_path / f"new{ending}", {"do": "rename_layer", "layer": layer, "name": "last"})
        assert written.verification is not None
        assert [one.drift for one in written.verification.contracts] == [0.0]
    assert set(trial_sizes(Shaper(Specs()), opened(path).plan(recipe()).graph).values()) == {2021 + 64}


def test_that_inputs_of_an_old_file_are_long_enough(tmp_path: Path) -> None:
    first = tf_keras.layers.Conv1D(3, 15, input_shape=(None, 4), name="first")
    old = tf_keras.Sequential([first, tf_keras.layers.Cropping1D(300), tf_keras.layers.Conv1D(2, 7, name="end")])
    old.save(tmp_path / "old.h5")
    verified(tmp_path / "old.h5", tmp_path / "new.keras", {"do": "change_input", "shape": [None, 1]})


@pytest.mark.parametrize(
    ("build", "size"),
    [
        (lambda: layers.Conv2D(2, 3), 64),
        (lambda: layers.Conv2D(2, 90), 90 + 64),
        (lambda: layers.MaxPooling2D(256), 256 + 64),
    ],
)
def test_that_the_size_is_the_smallest_that_will_do_and_some(build: Any, size: int, tmp_path: Path) -> None:
    keras.backend.clear_session()
    model = keras.Sequential([keras.Input((None, None, 1)), build()])
    assert list(trial_sizes(Shaper(Specs()), read_model(saved(model, tmp_path)).graph).values()) == [size]


@pytest.mark.parametrize(("step", "size"), [(16, 64), (96, 96), (80, 80)])
def test_that_maps_that_must_fit_again_get_a_multiple(step: int, size: int, tmp_path: Path) -> None:
    keras.backend.clear_session()
    start = keras.Input((None, None, 1))
    down = layers.UpSampling2D(step)(layers.MaxPooling2D(step)(start))
    model = keras.Model(start, layers.Conv2D(2, 1, name="end")(layers.Concatenate()([start, down])))
    path = saved(model, tmp_path)
    assert list(trial_sizes(Shaper(Specs()), read_model(path).graph).values()) == [size]
    verified(path, tmp_path / "new.keras", RENAME)


@pytest.mark.parametrize("kind", ["flat", "strided", "nested"])
def test_that_inputs_that_must_differ_in_length_do(kind: str, tmp_path: Path) -> None:
    keras.backend.clear_session()
    bases, track = keras.Input((None, 4), name="bases"), keras.Input((None, 2), name="track")
    x = layers.Cropping1D(200)(layers.Conv1D(3, 5, strides=2 if kind == "strided" else 1)(bases))
    if kind == "nested":
        x = keras.Model(bases, x, name="body")(bases)
    model = keras.Model([bases, track], layers.Add(name="sum")([x, layers.Conv1D(3, 1, name="end")(track)]))
    fill(model)
    path = saved(model, tmp_path)
    sizes = trial_sizes(Shaper(Specs()), read_model(path).graph)
    assert sizes["bases"] > sizes["track"] + 400
    verified(path, tmp_path / "new.keras", {"do": "change_input", "input": "bases", "shape": [None, 1]})
