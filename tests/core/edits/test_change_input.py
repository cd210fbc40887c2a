from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from core.edits import ChangeInput
from core.errors import EditError
from tests.core.edits.bench import drift
from tests.helpers.contracts import fields as contract_fields
from tests.helpers.contracts import kind as contract_kind
from tests.helpers.edits import applied

RNG = np.random.default_rng(3)


def gray(channels: int, *size: int, top: float = 1.0) -> Any:
    return np.repeat(RNG.uniform(0, top, (2, *size, 1)), channels, -1).astype("float32")


def both(one: Any, channels: Any) -> Any:
    return np.repeat(one[..., :1], channels, -1)


@pytest.mark.parametrize("name", ["flat", "sequential", "nested", "separable"])
@pytest.mark.parametrize("new", [1, 2, 4, 5])
def test_that_gray_images_give_what_they_gave(bench: Any, name: Any, new: Any) -> None:
    source = bench(name)
    size = source.model.input_shape[1:3]
    edit = ChangeInput(shape=(*size, new))
    image = gray(3, *size, top=255.0 if name == "nested" else 1.0)
    contract = source.outcome(edit).contracts[0]
    result = drift(source.built(edit)(both(image, new)), source.old(image))
    assert contract_kind(contract) == "gray"
    assert contract.exact == (name != "separable" or new != 2)
    assert result < 1e-5 or not contract.exact


@pytest.mark.parametrize("new", [1, 2, 4, 7, 13])
def test_that_statistics_become_part_of_a_valid_convolution_exactly(bench: Any, new: Any) -> None:
    source = bench("normalized")
    edit = ChangeInput(shape=(16, 16, new))
    image = gray(3, 16, 16, top=255.0)
    built = source.built(edit)
    assert built.fates["stem/kernel"] == "fold"
    assert drift(built(both(image, new)), source.old(image)) < 2e-6
    contract = source.outcome(edit).contracts[0]
    assert contract.exact
    assert contract_kind(contract) == "gray"


def test_that_plain_sum_drifts_where_channels_are_normalized_differently(bench: Any) -> None:
    source = bench("normalized")
    edit = ChangeInput(shape=(16, 16, 1), channels="sum")
    image = gray(3, 16, 16, top=255.0)
    result = drift(source.built(edit)(image[..., :1]), source.old(image))
    assert 1e-3 < result < 0.5
    assert not source.outcome(edit).contracts[0].exact
    assert source.outcome(edit).findings[0].code == "adapt.lossy"


@pytest.mark.parametrize("name", ["flat", "normalized"])
def test_that_new_bands_at_zero_weight_change_nothing(bench: Any, name: Any) -> None:
    source = bench(name)
    edit = ChangeInput(shape=(16, 16, 5), channels="zero_extra")
    image = RNG.uniform(0, 255, (2, 16, 16, 5)).astype("float32")
    assert drift(source.built(edit)(image), source.old(image[..., :3])) < 1e-5
    contract = source.outcome(edit).contracts[0]
    assert (contract_kind(contract), contract.exact) == ("old_bands", True)


def test_that_a_map_follows_its_matrix(bench: Any) -> None:
    from core.rules import MapChannels

    source = bench("flat")
    rule = MapChannels(take=("B", "G", "R", "NIR <- R"), names=("R", "G", "B"))
    edit = ChangeInput(shape=(16, 16, 4), channels=rule)
    contract = source.outcome(edit).contracts[0]
    image = RNG.uniform(0, 1, (2, 16, 16, 4)).astype("float32")
    old = image @ np.array(contract_fields(contract)["matrix"], "float32")
    assert (contract_kind(contract), contract.exact) == ("mapped", True)
    assert drift(source.built(edit)(image), source.old(old)) < 1e-5


def test_that_channels_can_be_reordered_without_changing_their_number(bench: Any) -> None:
    from core.rules import MapChannels

    source = bench("flat")
    edit = ChangeInput(shape=(16, 16, 3), channels=MapChannels(take=(2, 1, 0)))
    image = RNG.uniform(0, 1, (2, 16, 16, 3)).astype("float32")
    assert drift(source.built(edit)(image), source.old(image[..., ::-1])) < 1e-5


@pytest.mark.parametrize("name", ["flat", "nested", "normalized", "mixed_precision"])
def test_that_every_array_is_copied_when_only_the_size_changes(bench: Any, name: Any) -> None:
    source = bench(name)
    edit = ChangeInput(shape=(24, 20, 3))
    built = source.built(edit)
    assert set(built.fates.values()) == {"copied"}
    assert built.model.input_shape == (None, 24, 20, 3)
    image = gray(3, 16, 16)
    contract = source.outcome(edit).contracts[0]
    assert (contract_kind(contract), contract_fields(contract)["shape"]) == ("old_size", (16, 16, 3))
    assert drift(source.built(edit, size=(16, 16, 3))(image), source.old(image)) == 0.0


def test_that_a_size_may_become_dynamic(bench: Any) -> None:
    built = bench("nested").built(ChangeInput(shape=(None, None, 3)))
    assert built.model.input_shape == (None, None, None, 3)
    assert built(gray(3, 17, 33)).shape == (2, 4)


def test_that_channels_come_first_where_the_model_says_so(bench: Any) -> None:
    source = bench("channels_first")
    edited = source.edited(ChangeInput(shape=(1, 16, 16)))
    assert [rule.name for rule in edited.find("stem").rules_for("kernel")] == ["sum"]
    built = source.built(ChangeInput(shape=(1, 16, 16)))
    old, new = source.arrays, built.model.get_layer("stem").kernel
    kernel = next(array for key, array in old.items() if key.key == "stem/kernel")
    assert np.allclose(np.asarray(new), kernel.sum(axis=2, keepdims=True), atol=1e-6)


def test_that_one_of_two_inputs_changes_alone(bench: Any) -> None:
    source = bench("multi_input")
    built = source.built(ChangeInput(input="image", shape=(16, 16, 1)))
    image, numbers = gray(3, 16, 16), RNG.uniform(0, 1, (2, 4)).astype("float32")
    new = np.asarray(built.model({"image": image[..., :1], "numbers": numbers}))
    assert drift(new, np.asarray(source.model({"image": image, "numbers": numbers}))) < 1e-5
    assert {name for name, fate in built.fates.items() if fate != "copied"} == {"stem/kernel"}


def test_that_an_input_must_be_named_when_there_are_two(bench: Any) -> None:
    with pytest.raises(EditError, match=r"2 inputs \(image, numbers\)"):
        bench("multi_input").edited(ChangeInput(shape=(16, 16, 1)))


def test_that_both_inputs_of_a_shared_encoder_change_with_two_steps(bench: Any) -> None:
    source = bench("shared")
    built = source.built(ChangeInput(input="one", shape=(16, 16, 1)), ChangeInput(input="two", shape=(16, 16, 1)))
    one, two = gray(3, 16, 16), gray(3, 16, 16)
    assert drift(built(one[..., :1], two[..., :1]), source.old(one, two)) < 1e-5


def test_that_interleaved_channels_of_a_flattened_image_are_followed(bench: Any) -> None:
    source = bench("flatten_first")
    built = source.built(ChangeInput(shape=(6, 6, 1)))
    image = gray(3, 6, 6)
    assert built.fates["hidden/kernel"] == "sum"
    assert drift(built(image[..., :1]), source.old(image)) < 1e-5


@pytest.mark.parametrize(("name", "shape"), [("signal", (20, 1)), ("volume", (8, 8, 8, 1)), ("signal", (20, 5))])
def test_that_signals_and_volumes_are_followed(bench: Any, name: Any, shape: Any) -> None:
    source = bench(name)
    built = source.built(ChangeInput(shape=shape))
    one = RNG.uniform(0, 1, (2, *shape[:-1], 1)).astype("float32")
    assert drift(built(both(one, shape[-1])), source.old(both(one, 2))) < 1e-5


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (ChangeInput(shape=(0, 16, 1)), "shape contains 0"),
        (ChangeInput(shape=(16, -1, 1)), "shape contains -1"),
        (ChangeInput(shape=(16, 16)), "has 3 dimensions, 16\u00d716\u00d73, but shape gives 2"),
        (ChangeInput(shape=(16, 16, None)), "cannot be dynamic"),
        (ChangeInput(shape=(16, 16, 1), input="picture"), "no input 'picture'"),
        (ChangeInput(shape=(16, 16, 2), channels="sum"), "one channel, not 2"),
        (ChangeInput(shape=(16, 16, 1), channels="center"), "not a rule for channels"),
        (ChangeInput(shape=(16, 16, 1), channels="summ"), "did you mean 'sum'"),
        (ChangeInput(shape=(16, 16, 1), channels="fold"), "there are none"),
    ],
)
def test_that_what_cannot_be_is_refused_in_a_sentence(bench: Any, edit: Any, words: Any) -> None:
    with pytest.raises(EditError) as caught:
        bench("flat").edited(edit)
    assert words in caught.value.message


def test_that_a_step_undone_by_a_later_one_leaves_copies(bench: Any) -> None:
    built = bench("flat").built(ChangeInput(shape=(16, 16, 1)), ChangeInput(shape=(16, 16, 3)))
    assert set(built.fates.values()) == {"copied"}


def test_that_every_depthwise_filter_of_a_separable_convolution_reads_the_one_channel(bench: Any) -> None:
    source = bench("separable")
    built = source.built(ChangeInput(shape=(12, 12, 1)))
    assert built.model.get_layer("stem").depth_multiplier == 6
    assert built.fates["stem/depthwise_kernel"] == "regroup"
    assert built.fates["stem/pointwise_kernel"] == "copied"
    again = source.built(ChangeInput(shape=(12, 12, 1)), ChangeInput(shape=(12, 12, 3)))
    assert set(again.fates.values()) == {"copied"}


def test_that_quantized_kernels_keep_the_rule_for_the_floats_they_stand_for() -> None:
    """The numbers themselves are never added up: the plan says that they have to become floats first."""
    import keras

    from core.analysis.fates import QUANTIZED, layer_moves
    from tests.core.edits.bench import Bench

    inputs = keras.Input((8, 4))
    model = keras.Model(inputs, keras.layers.Dense(3, name="dense")(inputs))
    model.get_layer("dense").quantize("int8")
    graph = applied(Bench(model, seed=None).graph, ChangeInput(shape=(8, 1)))
    dense = graph.find("dense")
    assert [rule.name for rule in dense.rules_for("kernel")] == ["sum"]
    needed = [replace(one, shape=(1, 3)) if one.name == "kernel" else one for one in dense.weights]
    moves = {move.name: move.fate for move in layer_moves("dense", dense, needed, True, {})}
    assert (moves["kernel"].fate, moves["kernel"].note) == ("mismatched", QUANTIZED)
    assert moves["kernel_scale"].fate == "copied"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["EfficientNetB0", "ConvNeXtTiny", "NASNetMobile", "MobileNetV2"])
def test_that_real_architectures_fold_to_gray_with_little_drift(name: Any) -> None:
    import keras

    from tests.core.edits.bench import Bench

    source = Bench(getattr(keras.applications, name)(weights=None, input_shape=(224, 224, 3), include_top=False))
    image = gray(3, 224, 224, top=255.0)[:1]
    built = source.built(ChangeInput(shape=(224, 224, 1)))
    new, old = built(image[..., :1]), source.old(image)
    assert np.abs(new - old).mean() / np.abs(old).mean() < 0.01
