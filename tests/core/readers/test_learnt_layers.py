"""Preprocessing layers keep what they learnt when a file of Keras 2 is read: the outputs are those of tf-keras."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.analysis.opening import read_model
from core.readers.arrays.learnt import bounds_of
from tests.core.engine.drive import applied, assert_verified

tf_keras = pytest.importorskip("tf_keras")
WORDS = ["a b c", "a b", "b zzz"]


def text(mode: str) -> Any:
    """A TextVectorization that has seen the words."""
    length = 5 if mode == "int" else None
    layer = tf_keras.layers.TextVectorization(20, output_mode=mode, output_sequence_length=length)
    layer.adapt(WORDS)
    return layer


def numbers(**fields: Any) -> Any:
    layer = tf_keras.layers.IntegerLookup(**fields)
    layer.adapt([[7], [9], [9], [5]])
    return layer


CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "words given": (lambda: tf_keras.layers.StringLookup(vocabulary=["b", "a", "c"], output_mode="one_hot"), "string"),
    "words learnt": (lambda: text("multi_hot"), "string"),
    "places of words": (lambda: text("int"), "string"),
    "weighed words": (lambda: text("tf_idf"), "string"),
    "numbers learnt": (lambda: numbers(output_mode="count"), "int64"),
    "numbers with a mask": (lambda: numbers(mask_token=5, num_oov_indices=2), "int64"),
}


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("case", sorted(CASES))
def test_that_the_table_of_a_lookup_is_read_from_a_saved_model(case: str, nested: bool, tmp_path: Path) -> None:
    import tensorflow as tf

    make, dtype = CASES[case]
    given = tf_keras.Input((1,), dtype=dtype)
    old = tf_keras.Model(given, make()(given))
    if nested:
        outer = tf_keras.Input((1,), dtype=dtype)
        old = tf_keras.Model(outer, old(outer))
    source = tmp_path / "saved"
    old.save(source, save_format="tf")
    values = [["b"], ["c a"], ["new"]] if dtype == "string" else [[5], [9], [1]]
    expected = old(tf.constant(values, dtype))
    read = read_model(source)
    assert not [one for one in read.findings if one.severity == "error"]
    written, found = applied(source, tmp_path / "out.keras")
    assert_verified(written.verification)
    np.testing.assert_allclose(np.asarray(found(tf.constant(values, dtype))), np.asarray(expected), rtol=1e-6)


@pytest.mark.parametrize("ending", [".h5", ".keras", ".savedmodel"])
def test_that_the_bounds_of_a_discretization_are_computed_from_its_summary(ending: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    inputs, ends = [tf_keras.Input((1,)), tf_keras.Input((1,))], []
    for place, (bins, given) in enumerate(zip((4, 7), inputs, strict=True)):
        layer = tf_keras.layers.Discretization(num_bins=bins, name=f"bins_{place}")
        layer.adapt(rng.normal(place, 1 + place, (300, 1)))
        ends.append(layer(given))
    old = tf_keras.Model(inputs, ends)
    source = tmp_path / f"bins{ending}"
    old.save(source, **({"save_format": "tf"} if ending == ".savedmodel" else {}))
    written, found = applied(source, tmp_path / "out.keras")
    assert_verified(written.verification)
    values = [rng.normal(0, 2, (50, 1)).astype(np.float32) for _ in inputs]
    for new, expected in zip(keras.tree.flatten(found(values)), old(values), strict=True):
        np.testing.assert_array_equal(np.asarray(new), np.asarray(expected))


def test_that_bounds_share_the_values_equally() -> None:
    summary = np.stack([np.arange(1, 101), np.ones(100)]).astype(np.float32)
    np.testing.assert_allclose(bounds_of(summary, 4), [25, 50, 75])
    assert bounds_of(np.array([[1, 2], [1, 1]], np.float32), 5) == [1.0]
