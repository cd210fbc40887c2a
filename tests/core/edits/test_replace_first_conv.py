from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.edits import ChangeInput, ReplaceFirstConv
from core.errors import EditError
from tests.core.edits.bench import Bench, drift, problems
from tests.core.engine.drive import applied, assert_verified, plan, random_input, saved
from tests.helpers.contracts import kind as contract_kind

RNG = np.random.default_rng(4)


def image(*size: Any) -> Any:
    return RNG.uniform(0, 1, (2, *(size or (16, 16)), 3)).astype("float32")


@pytest.mark.parametrize("name", ["flat", "nested"])
@pytest.mark.parametrize("size", [5, 7])
def test_that_a_larger_kernel_computes_the_same_where_it_says_so(bench: Any, name: Any, size: Any) -> None:
    source = bench(name)
    edit = ReplaceFirstConv(kernel_size=size)
    x = image()
    contract = source.outcome(edit).contracts[0]
    assert (contract_kind(contract), contract.exact) == ("same_input", True)
    assert drift(source.built(edit)(x), source.old(x)) < 1e-6
    assert source.outcome(edit).findings == ()


def test_that_valid_padding_without_a_padding_layer_is_not_called_exact(bench: Any) -> None:
    source = bench("sequential")
    edit = ReplaceFirstConv(kernel_size=5)
    assert not source.outcome(edit).contracts[0].exact


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_that_zeros_around_the_map_make_a_larger_kernel_exact_under_valid_padding(rank: int, tmp_path: Path) -> None:
    inputs = keras.Input((*(17, 18, 12)[:rank], 3))
    conv = getattr(keras.layers, f"Conv{rank}D")
    pool = getattr(keras.layers, f"GlobalAveragePooling{rank}D")
    x = conv(4, 3, strides=2, activation="relu", name="stem")(inputs)
    model = keras.Model(inputs, pool()(conv(5, 3, name="next")(x)))
    larger = {"do": "replace_first_conv", "kernel_size": 7}
    finding = next(one for one in plan(saved(model, tmp_path), larger).findings if one.code == "adapt.lossy")
    assert "makes the map smaller" in finding.message
    written, new = applied(tmp_path / "source.keras", tmp_path / "new.keras", larger, *finding.fixes[0].edits)
    assert written.plan.ok
    x = random_input(model)
    np.testing.assert_allclose(new(x), model(x), atol=1e-6)


def test_that_no_contract_compares_outputs_of_different_shapes(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(4, 3, name="stem")(inputs))
    result = plan(saved(model, tmp_path), {"do": "replace_first_conv", "kernel_size": 5})
    assert result.contracts == ()
    assert [one.code for one in result.findings] == ["adapt.lossy"]


def test_that_an_activation_which_is_a_layer_of_its_own_stays_behind_the_normalization(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3))
    leaky = keras.layers.LeakyReLU(negative_slope=0.3)
    model = keras.Model(inputs, keras.layers.Conv2D(4, 3, padding="same", activation=leaky, name="stem")(inputs))
    edit = {"do": "replace_first_conv", "kernel_size": 5, "batch_norm": True}
    written, new = applied(saved(model, tmp_path), tmp_path / "new.keras", edit)
    assert_verified(written.verification)
    assert [type(layer).__name__ for layer in new.layers[-2:]] == ["BatchNormalization", "Activation"]
    x = random_input(model)
    np.testing.assert_allclose(new(x), model(x), atol=1e-5)


@pytest.mark.parametrize("name", ["flat", "nested", "mixed_precision"])
def test_that_more_filters_go_back_to_the_old_width_by_a_projection(bench: Any, name: Any) -> None:
    source = bench(name)
    edit = ReplaceFirstConv(filters=20)
    built = source.built(edit)
    x = image()
    stem = "backbone/stem" if name == "nested" else "stem"
    assert drift(built(x), source.old(x)) < 1e-6
    assert built.fates[f"{stem}/kernel"] == "project"
    assert built.fates[f"{stem}_project/kernel"] == "initialize"
    others = {fate for path, fate in built.fates.items() if not path.startswith(stem + "/") and "project" not in path}
    assert others == {"copied"}


def test_that_batch_normalization_comes_before_the_activation_and_the_projection() -> None:
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.ZeroPadding2D(3, name="conv1_pad")(inputs)
    x = keras.layers.Conv2D(8, 7, strides=2, name="conv1")(x)
    x = keras.layers.BatchNormalization(name="bn")(x)
    outputs = keras.layers.GlobalAveragePooling2D(name="pool")(keras.layers.ReLU(name="relu")(x))
    source = Bench(keras.Model(inputs, outputs))
    edit = ReplaceFirstConv(filters=16, kernel_size=5, activation="relu", batch_norm=True)
    graph = source.edited(edit)
    names = [layer.name for layer in graph.layers]
    assert names[2:6] == ["conv1", "conv1_bn", "conv1_relu", "conv1_project"]
    assert graph.find("conv1_pad").config["padding"] == [[2, 2], [2, 2]]
    built = source.built(edit)
    assert built.model.get_layer("bn").output.shape == (None, 16, 16, 8)
    assert [built.fates[f"bn/{name}"] for name in ("gamma", "beta", "moving_mean", "moving_variance")] == ["copied"] * 4
    assert source.outcome(edit).findings[0].code == "adapt.lossy"


def test_that_padding_by_size_parity_follows_the_kernel() -> None:
    inputs = keras.Input((32, 31, 3))
    x = keras.layers.ZeroPadding2D(((0, 1), (1, 1)), name="stem_conv_pad")(inputs)
    x = keras.layers.Conv2D(8, 3, strides=2, use_bias=False, name="stem_conv")(x)
    source = Bench(keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="pool")(x)))
    edit = ReplaceFirstConv(kernel_size=9)
    graph = source.edited(edit)
    assert graph.find("stem_conv_pad").config["padding"] == [[3, 4], [4, 4]]
    x = image(32, 31)
    assert source.outcome(edit).contracts[0].exact
    assert drift(source.built(edit)(x), source.old(x)) < 1e-6


def test_that_a_fresh_batch_normalization_alone_changes_nothing(bench: Any) -> None:
    source = bench("flat")
    x = image()
    assert drift(source.built(ReplaceFirstConv(batch_norm=True))(x), source.old(x)) < 1e-6


@pytest.mark.parametrize(("strides", "padding"), [(2, None), (None, "valid"), ((2, 1), "same")])
def test_that_strides_and_padding_change_the_map(bench: Any, strides: Any, padding: Any) -> None:
    source = bench("flat")
    edit = ReplaceFirstConv(strides=strides, padding=padding)
    config = source.built(edit).model.get_layer("stem").get_config()
    assert config["strides"] == ({2: (2, 2), (2, 1): (2, 1)}.get(strides, (1, 1)))
    assert config["padding"] == (padding or "same")
    assert source.outcome(edit).contracts == ()


def test_that_a_bias_can_be_added_and_given_up(bench: Any) -> None:
    source = bench("nested")
    built = source.built(ReplaceFirstConv(use_bias=True))
    x = image()
    assert built.fates["backbone/stem/bias"] == "initialized"
    assert drift(built(x), source.old(x)) < 1e-6
    assert not bench("flat").built(ReplaceFirstConv(use_bias=False)).model.get_layer("stem").use_bias


def test_that_a_shared_first_convolution_changes_for_all_its_calls(bench: Any) -> None:
    source = bench("shared")
    built = source.built(ReplaceFirstConv(filters=12, kernel_size=5))
    one, two = image(), image()
    assert drift(built(one, two), source.old(one, two)) < 1e-5
    assert len(source.edited(ReplaceFirstConv(filters=12)).find("stem_project").calls) == 2


def test_that_kernel_and_channels_change_together(bench: Any) -> None:
    source = bench("flat")
    edits = (ChangeInput(shape=(16, 16, 1)), ReplaceFirstConv(kernel_size=5, filters=10))
    built = source.built(*edits)
    x = image()[..., :1]
    assert built.fates["stem/kernel"] == "sum+center+project"
    assert drift(built(x), source.old(np.repeat(x, 3, -1))) < 1e-5


def test_that_a_patch_embedding_is_resized_by_the_pseudo_inverse(bench: Any) -> None:
    inputs = keras.Input((16, 16, 3))
    patches = keras.layers.Conv2D(6, 4, strides=4, name="patch")(inputs)
    source = Bench(keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(patches)))
    graph = source.edited(ReplaceFirstConv(kernel_size=8, strides=8))
    assert [rule.name for rule in graph.find("patch").rules_for("kernel")] == ["pi_resize"]


@pytest.mark.parametrize("name", ["flat", "sequential", "shared", "nested"])
def test_that_widening_changes_nothing_that_comes_out(bench: Any, name: Any) -> None:
    source = bench(name)
    edit = ReplaceFirstConv(filters=11, filters_rule="widen")
    built = source.built(edit)
    inputs = [image() for _ in source.graph.input_refs()]
    assert drift(built(*inputs), source.old(*inputs)) < 1e-5
    assert not any(name.endswith("_project/kernel") for name in built.fates)


def test_that_widening_follows_into_both_branches_of_an_add(bench: Any) -> None:
    built = bench("flat").built(ReplaceFirstConv(filters=11, filters_rule="widen"))
    assert built.model.get_layer("pw").filters == 11
    assert built.fates["stem_bn/gamma"] == "repeat"
    assert built.fates["last/kernel"] == "repeat"


def test_that_widening_follows_concatenation_and_squeeze_and_excitation() -> None:
    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="stem")(inputs)
    gate = layers.GlobalAveragePooling2D(name="squeeze")(x)
    gate = layers.Reshape((1, 1, 6), name="reshape")(gate)
    gate = layers.Conv2D(2, 1, activation="relu", name="reduce")(gate)
    gate = layers.Conv2D(6, 1, activation="sigmoid", name="expand")(gate)
    x = layers.Multiply(name="excite")([x, gate])
    x = layers.Concatenate(name="join")([x, layers.Conv2D(4, 1, name="side")(x), x])
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="dw")(x)
    x = layers.Conv2D(5, 3, name="out")(x)
    source = Bench(keras.Model(inputs, layers.Flatten(name="flatten")(x)))
    built = source.built(ReplaceFirstConv(filters=9, filters_rule="widen"))
    image = RNG.uniform(0, 1, (2, 8, 8, 3)).astype("float32")
    assert drift(built(image), source.old(image)) < 1e-5
    assert built.model.get_layer("expand").filters == 9
    assert built.model.get_layer("side").filters == 4


def test_that_widening_stops_in_a_sentence_where_it_cannot_follow() -> None:
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="stem")(inputs)
    source = Bench(keras.Model(inputs, keras.layers.Conv2D(8, 3, groups=2, name="grouped")(x)))
    with pytest.raises(EditError, match="grouped has 2 groups of channels, into which 7 filters do not"):
        source.edited(ReplaceFirstConv(filters=7, filters_rule="widen"))
    out = Bench(keras.Model(inputs, x))
    with pytest.raises(EditError, match="output of the model"):
        out.edited(ReplaceFirstConv(filters=6, filters_rule="widen"))


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (ReplaceFirstConv(filters=0), "filters must be at least 1"),
        (ReplaceFirstConv(kernel_size=(3, 0)), "kernel_size must be"),
        (ReplaceFirstConv(kernel_size=(3, 3, 3)), "2 spatial axes"),
        (ReplaceFirstConv(layer="stemm"), "no layer 'stemm'; first convolutions: stem"),
        (ReplaceFirstConv(layer="stem_bn"), "is a BatchNormalization, not a convolution"),
        (ReplaceFirstConv(filters=4, filters_rule="widen"), "cannot reduce stem from 8 to 4 filters"),
    ],
)
def test_that_what_cannot_be_is_refused_in_a_sentence(bench: Any, edit: Any, words: Any) -> None:
    with pytest.raises(EditError) as caught:
        bench("flat").edited(edit)
    assert words in caught.value.message


def test_that_kernels_smaller_than_before_say_that_they_lose(bench: Any) -> None:
    source = bench("flat")
    edit = ReplaceFirstConv(kernel_size=1)
    found = source.outcome(edit).findings
    assert "a smaller kernel sees a smaller area" in found[0].message
    assert problems(source.edited(edit)) == []
