"""Channel changes in a row: held against the second change made on the model that the first one gave."""

from typing import Any

import numpy as np
import pytest

from core.edits import ChangeInput, RenameLayer, ReplaceFirstConv, SetRule
from core.rules import MapChannels
from tests.core.edits.bench import Bench, drift
from tests.helpers.contracts import fields as contract_fields

RNG = np.random.default_rng(21)
MAP = MapChannels(take=(2, 0, 0, 1))


def change(new: int, rule: Any = "auto") -> ChangeInput:
    return ChangeInput(shape=(16, 16, new), channels=rule)


def gray(channels: int) -> Any:
    return np.repeat(np.random.default_rng(5).uniform(0, 255, (2, 16, 16, 1)), channels, -1).astype("float32")


def constants(model: Any) -> dict[str, Any]:
    return {layer.name: np.ravel(layer.scale) for layer in model.layers if type(layer).__name__ == "Rescaling"}


@pytest.mark.parametrize("name", ["flat", "normalized", "nested"])
@pytest.mark.parametrize("counts", [(4, 1), (1, 3), (1, 4), (2, 13), (5, 2), (1, 5, 3), (4, 1, 3)])
def test_that_changes_that_keep_gray_are_as_if_only_the_last_were_made(bench: Any, name: Any, counts: Any) -> None:
    source = bench(name)
    built = source.built(*(change(count) for count in counts))
    alone = source.built(change(counts[-1]))
    for one, other in zip(built.model.weights, alone.model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    assert built.fates == alone.fates
    for key, value in constants(built.model).items():
        np.testing.assert_allclose(value, constants(alone.model)[key])
    assert drift(built(gray(counts[-1])), source.old(gray(3))) < 2e-6


@pytest.mark.parametrize("name", ["flat", "normalized", "nested"])
@pytest.mark.parametrize("counts", [(1,), (1, 3), (1, 5), (4, 2, 3)])
def test_that_a_kernel_that_starts_anew_does_so_whatever_the_channels_become(
    bench: Any, name: Any, counts: Any
) -> None:
    source = bench(name)
    kernel = next(fate for fate in source.built(change(1)).fates if fate.endswith("/kernel"))
    anew = SetRule(weight=kernel, rule="initialize")
    built = source.built(anew, *(change(count) for count in counts))
    assert built.fates[kernel] == "initialize"
    size = ReplaceFirstConv(kernel_size=5), ReplaceFirstConv(kernel_size=3)
    assert source.built(anew, *size, change(counts[-1])).fates[kernel] == "initialize"


@pytest.mark.parametrize("name", ["flat", "normalized"])
def test_that_going_back_to_the_source_channels_leaves_copies_and_its_constants(bench: Any, name: Any) -> None:
    source = bench(name)
    built = source.built(change(1), change(4), change(3))
    assert set(built.fates.values()) == {"copied"}
    if name == "normalized":
        assert list(built.model.get_layer("vector").scale) == [2.0, 1.0, 0.5]
        assert not built.model.get_layer("stem").use_bias
    image = RNG.uniform(0, 255, (2, 16, 16, 3)).astype("float32")
    assert drift(built(image), source.old(image)) == 0.0


@pytest.mark.parametrize("name", ["flat", "normalized", "nested", "flatten_first"])
@pytest.mark.parametrize(
    "steps",
    [
        ((4, "repeat"), (5, "zero_extra")),
        ((1, "sum"), (3, "zero_extra")),
        ((1, "mean"), (3, "repeat")),
        ((1, "auto"), (3, "zero_extra"), (4, MAP)),
        ((4, "auto"), (2, MapChannels(take=(3, 0)))),
        ((4, MapChannels(take=(0, 1, 2, 0), share=False)), (1, "auto")),
        ((4, MapChannels(take=(0, 1, 2, 0), share=False)), (1, "fold"), (6, "zero_extra")),
    ],
)
def test_that_all_other_changes_are_made_on_what_the_first_one_gave(bench: Any, name: Any, steps: Any) -> None:
    source = bench(name)
    size = source.model.input_shape[1:3]
    if name in ("flat", "flatten_first"):
        steps = [(new, "auto" if rule == "fold" else rule) for new, rule in steps]
    edits = [ChangeInput(shape=(*size, new), channels=rule) for new, rule in steps]
    built = source.built(*edits)
    stage = source
    for edit in edits:
        stage = Bench(stage.built(edit).model, seed=None)  # its arrays are the next one's source
    image = RNG.uniform(0, 255, (2, *size, steps[-1][0])).astype("float32")
    assert drift(built(image), stage.old(image)) < 1e-5
    for one, other in zip(built.model.weights, stage.model.weights, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=2e-6)
    for key, value in constants(built.model).items():
        np.testing.assert_allclose(value, constants(stage.model)[key], rtol=1e-6)


def test_that_a_fate_names_the_rules_in_a_row(bench: Any) -> None:
    built = bench("flat").built(change(4, "repeat"), change(5, "zero_extra"))
    assert built.fates["stem/kernel"] == "repeat, then zero_extra"


@pytest.mark.parametrize("name", ["flat", "normalized"])
def test_that_each_contract_holds_between_its_own_two_models(bench: Any, name: Any) -> None:
    source = bench(name)
    edits = (change(1), change(3, "zero_extra"), change(5, "zero_extra"))
    graphs = [source.edited(*edits[:count]) for count in range(len(edits) + 1)]
    contracts = [source.outcome(edit, graph).contracts[0] for edit, graph in zip(edits, graphs, strict=False)]
    assert [one.exact for one in contracts] == [True, True, True]
    assert [(one["old"], one["new"]) for one in map(contract_fields, contracts)] == [(3, 1), (1, 3), (3, 5)]
    bands = RNG.uniform(0, 255, (2, 16, 16, 5)).astype("float32")
    first, second = source.build(graphs[2]), source.build(graphs[3])
    assert drift(second(bands), first(bands[..., :3])) < 2e-6


def test_that_other_edits_in_between_stay(bench: Any) -> None:
    source = bench("normalized")
    wider = ReplaceFirstConv(kernel_size=5, padding="same")
    built = source.built(change(1), wider, RenameLayer(layer="stem", name="first"), change(3))
    config = built.model.get_layer("first").get_config()
    assert (config["kernel_size"], config["padding"], config["use_bias"]) == ((5, 5), "same", False)
    assert built.fates["first/kernel"] == "center"


def test_that_an_encoder_shared_by_two_inputs_is_changed_once() -> None:
    import keras

    layers = keras.layers
    one, two = keras.Input((8, 8, 3), name="one"), keras.Input((8, 8, 3), name="two")
    norm, vector = layers.Normalization(name="norm"), layers.Rescaling([2.0, 1.0, 0.5], name="vector")
    stem, pool = layers.Conv2D(4, 3, name="stem"), layers.GlobalAveragePooling2D(name="pool")
    outputs = layers.Subtract(name="minus")([pool(stem(vector(norm(one)))), pool(stem(vector(norm(two))))])
    source = Bench(keras.Model([one, two], outputs))
    built = source.built(*(ChangeInput(input=name, shape=(8, 8, 1)) for name in ("one", "two")))
    left, right = (RNG.uniform(0, 1, (2, 8, 8, 1)).astype("float32") for _ in range(2))
    old = source.old(np.repeat(left, 3, -1), np.repeat(right, 3, -1))
    assert built.fates["stem/kernel"] == "fold"
    assert drift(built(left, right), old) < 1e-5
