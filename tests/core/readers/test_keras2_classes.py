"""Every built-in Keras 2 layer class, saved by tf-keras in each format, rebuilds with tf-keras's own outputs."""

from pathlib import Path
from typing import Any

import pytest

from core.analysis.opening import read_model
from tests.core.readers.keras2_zoo import models

tf_keras = pytest.importorskip("tf_keras")
NAMES = sorted(set(models(tf_keras)) - {"SpectralNormalization", "RandomCrop"})
"""tf-keras cannot build SpectralNormalization beside Keras 3, and crops at inference in its own way."""
QUICK = ["Nested", "FrozenPart", "Wrapped", "BidirectionalHard", "StackedRNNCells", "Attention", "NormalizationAdapted"]


def _check(name: str, path: Path) -> None:
    from tests.core.readers.rebuild import difference, random_inputs, randomize, rebuild

    tf_keras.utils.set_random_seed(0)
    old: Any = models(tf_keras)[name]()
    if name != "NormalizationAdapted":
        randomize(old)
    old.save(path)
    source = read_model(path)
    new = rebuild(source)
    inputs = random_inputs(new, {"Embedding": 10, "CategoryEncoding": 4}.get(name))
    assert difference(new(inputs, training=False), old(inputs, training=False)) < 1e-5
    assert [finding.message for finding in source.findings if finding.severity != "info"] == []
    assert not any(layer.opaque for _, layer in source.graph.walk())


@pytest.mark.parametrize("name", NAMES)
def test_that_a_keras_2_class_in_hdf5_keeps_its_outputs(name: str, tmp_path: Path) -> None:
    _check(name, tmp_path / "model.h5")


@pytest.mark.parametrize("name", NAMES)
def test_that_a_keras_2_class_in_a_keras_archive_keeps_its_outputs(name: str, tmp_path: Path) -> None:
    _check(name, tmp_path / "model.keras")


@pytest.mark.parametrize("name", QUICK)
def test_that_a_keras_2_class_in_a_saved_model_keeps_its_outputs(name: str, tmp_path: Path) -> None:
    _check(name, tmp_path / "model")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(NAMES) - set(QUICK)))
def test_that_every_keras_2_class_in_a_saved_model_keeps_its_outputs(name: str, tmp_path: Path) -> None:
    _check(name, tmp_path / "model")
