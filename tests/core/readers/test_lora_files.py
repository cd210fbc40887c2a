"""Low-rank updates that Keras 3 keeps beside the kernel in `.h5` files are added to it on reading."""

from pathlib import Path

import keras
import numpy as np
import pytest

from core.analysis.opening import read_model
from core.readers import open_store
from tests.core.engine.drive import applied, assert_verified, outputs

layers = keras.layers


@pytest.mark.parametrize("nested", [False, True])
def test_that_an_h5_file_with_lora_computes_with_the_update_added(nested: bool, tmp_path: Path) -> None:
    keras.utils.set_random_seed(4)
    inner = keras.Sequential([keras.Input((8, 8, 2)), layers.Conv2D(3, 3, name="conv"), layers.Dense(5, name="mix")])
    rng = np.random.default_rng(5)
    for layer, rank, alpha in ((inner.layers[0], 2, 2), (inner.layers[1], 3, 6)):
        layer.enable_lora(rank, lora_alpha=alpha)
        layer.lora_kernel_b.assign(rng.normal(size=layer.lora_kernel_b.shape))
    model = keras.Sequential([keras.Input((8, 8, 2)), inner, layers.Flatten()]) if nested else inner
    source = tmp_path / "lora.h5"
    model.save(source)
    assert not [one for one in read_model(source).findings if one.code == "weight.unmatched"]
    written, found = applied(source, tmp_path / "out.keras")
    assert_verified(written.verification)
    images = rng.random((2, 8, 8, 2), dtype=np.float32)
    np.testing.assert_allclose(outputs(found, images)[0], outputs(model, images)[0], rtol=1e-4, atol=1e-5)


def test_that_the_sum_is_the_kernel_and_alpha_by_rank_times_the_product(tmp_path: Path) -> None:
    dense = layers.Dense(4, name="mix")
    model = keras.Sequential([keras.Input((6,)), dense])
    dense.enable_lora(2, lora_alpha=8)
    dense.lora_kernel_b.assign(np.ones((2, 4), np.float32))
    parts = [np.asarray(one) for one in (dense._kernel, dense.lora_kernel_a, dense.lora_kernel_b)]
    source = tmp_path / "lora.h5"
    model.save(source)
    opened = read_model(source)
    weight = next(one for one in opened.graph.layer("mix").weights if one.name == "kernel")
    assert weight.source is not None
    with open_store(opened) as store:
        np.testing.assert_allclose(store.read(weight.source.key), parts[0] + 4 * parts[1] @ parts[2], rtol=1e-6)
