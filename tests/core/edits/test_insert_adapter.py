from typing import Any

import numpy as np
import pytest

from core.edits import InsertAdapter
from core.errors import EditError
from tests.core.edits.bench import drift, problems

RNG = np.random.default_rng(6)
CASES = [
    InsertAdapter(shape=(40, 24, 3), fit="resize"),
    InsertAdapter(shape=(40, 24, 3), fit="resize", interpolation="nearest"),
    InsertAdapter(shape=(40, 24, 3), fit="letterbox"),
    InsertAdapter(shape=(None, None, 3), fit="resize"),
    InsertAdapter(shape=(11, 14, 3), fit="pad"),
    InsertAdapter(shape=(21, 40, 3), fit="crop"),
    InsertAdapter(shape=(16, 16, 1), fit="repeat"),
    InsertAdapter(shape=(16, 16, 1), fit="project"),
    InsertAdapter(shape=(16, 16, 5), fit="project"),
]


@pytest.mark.parametrize("edit", CASES, ids=lambda edit: f"{edit.fit}-{edit.shape}")
@pytest.mark.parametrize("name", ["flat", "sequential", "nested"])
def test_that_the_model_behind_an_adapter_answers_as_before(bench: Any, name: Any, edit: Any) -> None:
    import keras

    source = bench(name)
    built = source.built(edit)
    shape = [20 if size is None else size for size in edit.shape]
    image = RNG.uniform(0, 1, (2, *shape)).astype("float32")
    contract = source.outcome(edit).contracts[0]
    adapter = keras.Model(built.model.inputs[0], built.model.get_layer(contract.layer).output)
    assert drift(built(image), source.old(np.asarray(adapter(image)))) < 1e-6
    old = {path: fate for path, fate in built.fates.items() if contract.layer not in path}
    assert set(old.values()) == {"copied"}


def test_that_repeated_gray_is_what_the_model_got_for_gray(bench: Any) -> None:
    source = bench("flat")
    image = RNG.uniform(0, 1, (2, 16, 16, 1)).astype("float32")
    for fit in ("repeat", "project"):
        built = source.built(InsertAdapter(shape=(16, 16, 1), fit=fit))
        assert drift(built(image), source.old(np.repeat(image, 3, -1))) < 1e-6


def test_that_letterbox_keeps_the_aspect_ratio(bench: Any) -> None:
    built = bench("flat").built(InsertAdapter(shape=(8, 16, 3), fit="letterbox"))
    layer = next(layer for layer in built.model.layers if type(layer).__name__ == "Resizing")
    result = np.asarray(layer(np.ones((1, 8, 16, 3), "float32")))
    assert result.shape == (1, 16, 16, 3)
    assert result[0, :, 8, 0].sum() == pytest.approx(8)


def test_that_a_unet_takes_any_size_by_padding_and_cropping_back(bench: Any) -> None:
    source = bench("unet")
    edit = InsertAdapter(shape=(30, 41, 1), fit="pad", multiple=4)
    built = source.built(edit)
    image = RNG.uniform(0, 1, (1, 30, 41, 1)).astype("float32")
    assert built.model.output_shape == (None, 30, 41, 1)
    padded = np.pad(image, ((0, 0), (1, 1), (1, 2), (0, 0)))
    native = np.asarray(source.model.__class__.from_config(_any_size(source.model))(padded))
    assert native.shape == (1, 32, 44, 1)
    assert set(built.fates.values()) == {"copied"}
    assert problems(source.edited(edit)) == []


def _any_size(model: Any) -> Any:
    config = model.get_config()
    config["layers"][0]["config"]["batch_shape"] = (None, None, None, 1)
    return config


def test_that_adapters_stack_for_size_and_channels(bench: Any) -> None:
    source = bench("flat")
    built = source.built(InsertAdapter(shape=(32, 32, 3), fit="resize"), InsertAdapter(shape=(32, 32, 1), fit="repeat"))
    assert built.model.input_shape == (None, 32, 32, 1)
    assert built(np.zeros((1, 32, 32, 1), "float32")).shape == (1, 5)


@pytest.mark.parametrize(
    ("name", "edit", "words"),
    [
        ("flat", InsertAdapter(shape=(20, 20, 3), fit="pad"), "use crop or resize"),
        ("flat", InsertAdapter(shape=(8, 8, 3), fit="crop"), "use pad or resize"),
        ("flat", InsertAdapter(shape=(8, 8, 1), fit="resize"), "changes sizes, not channels"),
        ("flat", InsertAdapter(shape=(8, 8, 1), fit="repeat"), "changes channels, not sizes"),
        ("flat", InsertAdapter(shape=(16, 16, 2), fit="repeat"), "repeat turns one channel into 3"),
        ("flat", InsertAdapter(shape=(None, 8, 3), fit="pad"), "fixed sizes"),
        ("flat", InsertAdapter(shape=(0, 8, 3), fit="pad"), "shape contains 0"),
        ("flat", InsertAdapter(shape=(8, 8, 3), fit="resize", multiple=32), "only with fit pad"),
        ("flat", InsertAdapter(shape=(8, 8), fit="resize"), "has 3 dimensions"),
        ("signal", InsertAdapter(shape=(10, 2), fit="resize"), "works only on images"),
        ("multi_input", InsertAdapter(shape=(8, 8, 3), fit="pad"), "2 inputs"),
    ],
)
def test_that_what_cannot_be_is_refused_in_a_sentence(bench: Any, name: Any, edit: Any, words: Any) -> None:
    with pytest.raises(EditError) as caught:
        bench(name).edited(edit)
    assert words in caught.value.message


def test_that_signals_and_volumes_can_be_padded(bench: Any) -> None:
    assert bench("signal").built(InsertAdapter(shape=(15, 2), fit="pad")).model.input_shape == (None, 15, 2)
    built = bench("volume").built(InsertAdapter(shape=(6, 7, 8, 2), fit="pad"))
    assert built(np.zeros((1, 6, 7, 8, 2))).shape == (1, 2)
