"""Larger kernels of every kind of convolution, judged by Keras: the old taps stay where they read what they read."""

from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.edits import ReplaceFirstConv
from core.errors import EditError
from core.surgery.taps import Window, exact_offset
from tests.core.edits.bench import Bench, drift
from tests.core.engine.drive import applied, assert_verified, plan, random_input, saved
from tests.helpers.edits import outcome

L = keras.layers
KINDS = {
    "Conv1D": ("same", "valid", "causal"),
    "Conv1DTranspose": ("same", "valid"),
    "SeparableConv1D": ("same", "valid"),
    "DepthwiseConv1D": ("same", "valid"),
}


def convolution(kind: str, taps: int, **fields: Any) -> Any:
    return getattr(L, kind)(*(() if kind.startswith("Depthwise") else (2,)), taps, use_bias=False, **fields)


def answer(kind: str, kernel: Any, x: Any, **fields: Any) -> Any:
    layer = convolution(kind, len(kernel), **fields)
    layer.build(x.shape)
    for weight in layer.weights:
        weight.assign(np.ones(weight.shape) if "pointwise" in weight.path else kernel)
    return np.asarray(layer(x))


def places(kind: str, small: int, large: int, x: Any, **fields: Any) -> list[int]:
    """Where the small kernel inside the large one, with zeros around it, gives the same: found by trying them all."""
    shape = (2, 2) if not kind.startswith(("Separable", "Depthwise")) else (2, 1)
    kernel = np.random.default_rng(0).normal(size=(small, *shape)).astype("float32")
    old = answer(kind, kernel, x, **fields)
    found = []
    for offset in range(large - small + 1):
        grown = np.zeros((large, *shape), "float32")
        grown[offset : offset + small] = kernel
        new = answer(kind, grown, x, **fields)
        if new.shape == old.shape and np.allclose(new, old, atol=1e-5):
            found.append(offset)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("small", "large"), [(1, 3), (2, 3), (2, 4), (3, 4), (3, 5)])
def test_that_a_place_for_the_old_taps_is_found_wherever_there_is_one(kind: str, small: int, large: int) -> None:
    steps = [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1)]
    for (stride, dilation), padding, size in product(steps, KINDS[kind], (9, 10)):
        x = np.random.default_rng(1).normal(size=(1, size, 2)).astype("float32")
        fields = {"strides": stride, "dilation_rate": dilation, "padding": padding}
        old, new = (Window(taps, stride, dilation, padding, kind.endswith("Transpose")) for taps in (small, large))
        if padding == "valid" and not kind.endswith("Transpose") and new.reach > size:
            continue
        found, offset = places(kind, small, large, x, **fields), exact_offset(old, new, size)
        assert offset in found if found else offset is None, (fields, size, found, offset)


def test_that_a_place_that_depends_on_the_size_is_none_where_any_size_may_come() -> None:
    old, new = Window(3, 2, padding="same"), Window(4, 2, padding="same")
    assert {exact_offset(old, new, size) for size in (10, 11)} == {0, 1}
    assert exact_offset(old, new, None) is None
    assert exact_offset(old, Window(5, 2, padding="same"), None) == 1


def followed(layer: Any, shape: tuple[int, ...]) -> Any:
    inputs = keras.Input(shape)
    return keras.Model(inputs, layer(inputs))


EXACT: dict[str, tuple[Any, tuple[int, ...], int]] = {
    "causal": (lambda: L.Conv1D(4, 3, padding="causal", name="c"), (12, 3), 5),
    "causal, dilated": (lambda: L.Conv1D(4, 2, padding="causal", dilation_rate=3, name="c"), (12, 3), 3),
    "even at stride 2": (lambda: L.Conv2D(4, 3, strides=2, padding="same", name="c"), (10, 13, 3), 4),
    "dilated, odd": (lambda: L.Conv2D(4, 3, dilation_rate=2, padding="same", name="c"), (10, 10, 3), 5),
    "transposed": (lambda: L.Conv2DTranspose(4, 3, strides=2, padding="same", name="c"), (5, 6, 3), 5),
    "transposed volume": (lambda: L.Conv3DTranspose(2, 2, strides=2, padding="same", name="c"), (3, 4, 3, 2), 3),
    "channels first": (
        lambda: L.Conv2D(4, 2, padding="same", data_format="channels_first", name="c"),
        (3, 9, 8),
        3,
    ),
    "depthwise": (lambda: L.DepthwiseConv2D(3, padding="same", depth_multiplier=2, name="c"), (8, 8, 3), 5),
    "separable": (lambda: L.SeparableConv2D(4, 3, padding="same", name="c"), (8, 8, 3), 4),
    "at every step": (lambda: L.TimeDistributed(L.Conv2D(4, 3, padding="same"), name="c"), (2, 8, 8, 3), 5),
}


@pytest.mark.parametrize("kind", EXACT)
def test_that_a_larger_kernel_of_any_kind_changes_nothing(kind: str) -> None:
    make, shape, taps = EXACT[kind]
    source = Bench(followed(make(), shape))
    edit = ReplaceFirstConv(kernel_size=taps)
    assert [one.exact for one in source.outcome(edit).contracts] == [True]
    assert source.outcome(edit).findings == ()
    x = np.random.default_rng(2).normal(size=(2, *shape)).astype("float32")
    assert drift(source.built(edit)(x), source.old(x)) < 1e-6


@pytest.mark.parametrize(("small", "large", "rate"), [(3, 4, 2), (2, 3, 2), (3, 4, 3)])
def test_that_what_has_no_place_is_not_called_exact(small: int, large: int, rate: int) -> None:
    layer = L.Conv2D(4, small, dilation_rate=rate, padding="same", name="c")
    source = Bench(followed(layer, (12, 12, 3)))
    edit = ReplaceFirstConv(kernel_size=large)
    assert [one.exact for one in source.outcome(edit).contracts] == [False]
    (finding,) = source.outcome(edit).findings
    assert finding.code == "adapt.lossy"
    assert f"dilation {rate}" in finding.message
    x = np.random.default_rng(2).normal(size=(2, 12, 12, 3)).astype("float32")
    assert drift(source.built(edit)(x), source.old(x)) > 1e-3


def test_that_two_larger_kernels_in_a_row_keep_their_place() -> None:
    source = Bench(followed(L.Conv1D(4, 2, padding="causal", name="c"), (12, 3)))
    x = np.random.default_rng(2).normal(size=(2, 12, 3)).astype("float32")
    built = source.built(ReplaceFirstConv(kernel_size=3), ReplaceFirstConv(kernel_size=6))
    assert drift(built(x), source.old(x)) < 1e-6


def test_that_a_padding_layer_ahead_follows_the_dilation() -> None:
    inputs = keras.Input((14, 15, 3))
    x = L.Conv2D(4, 3, dilation_rate=2, name="c")(L.ZeroPadding2D(2, name="pad")(inputs))
    source = Bench(keras.Model(inputs, x))
    edit = ReplaceFirstConv(kernel_size=5)
    assert source.edited(edit).find("pad").config["padding"] == [[4, 4], [4, 4]]
    x = np.random.default_rng(2).normal(size=(2, 14, 15, 3)).astype("float32")
    assert drift(source.built(edit)(x), source.old(x)) < 1e-6


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: L.Conv2D(4, 3, dilation_rate=2, name="c"), (12, 12, 3)),
        (lambda: L.Conv2DTranspose(4, 3, strides=2, name="c"), (6, 7, 3)),
    ],
)
def test_that_the_offered_way_back_to_the_old_map_is_exact(make: Any, shape: Any, tmp_path: Path) -> None:
    inputs = keras.Input(shape)
    model = keras.Model(inputs, L.Conv2D(2, 1, name="next")(make()(inputs)))
    larger = {"do": "replace_first_conv", "kernel_size": 5}
    finding = next(one for one in plan(saved(model, tmp_path), larger).findings if one.code == "adapt.lossy")
    written, new = applied(tmp_path / "source.keras", tmp_path / "new.keras", larger, *finding.fixes[0].edits)
    assert written.plan.ok
    x = random_input(model)
    np.testing.assert_allclose(new(x), model(x), atol=1e-6)


@pytest.mark.parametrize("path", [None, "normed", "normed/inside"])
def test_that_a_convolution_in_a_wrapper_is_found_by_either_name(path: str | None, tmp_path: Path) -> None:
    inputs = keras.Input((8, 8, 3))
    wrapped = L.SpectralNormalization(L.Conv2D(4, 3, padding="same", name="inside"), name="normed")
    model = keras.Model(inputs, L.Conv2D(2, 1, name="next")(wrapped(inputs)))
    edit = {"do": "replace_first_conv", "kernel_size": 5, "filters": 7, **({"layer": path} if path else {})}
    written, new = applied(saved(model, tmp_path), tmp_path / "new.keras", edit)
    assert_verified(written.verification)
    x = random_input(model)
    np.testing.assert_allclose(new(x), model(x), atol=1e-6)


@pytest.mark.parametrize("edit", [{"filters": 7}, {"kernel_size": 5, "batch_norm": True}])
def test_that_followers_of_a_convolution_at_every_step_stay_exact(edit: Any) -> None:
    layer = L.TimeDistributed(L.Conv2D(4, 3, padding="same", activation="relu", name="c"), name="steps")
    source = Bench(followed(layer, (2, 6, 6, 3)))
    x = np.random.default_rng(2).normal(size=(2, 2, 6, 6, 3)).astype("float32")
    assert drift(source.built(ReplaceFirstConv(**edit))(x), source.old(x)) < 1e-6


def test_that_what_is_not_there_is_said_in_one_sentence_that_agrees_with_itself() -> None:
    depthwise = Bench(followed(L.DepthwiseConv2D(3, name="dw"), (8, 8, 3))).graph
    with pytest.raises(EditError, match="instead of a number of filters"):
        outcome(ReplaceFirstConv(filters=5), depthwise)
    recurrent = Bench(followed(L.LSTM(3, name="rnn"), (8, 3))).graph
    with pytest.raises(EditError, match="there is no first convolution to replace"):
        outcome(ReplaceFirstConv(kernel_size=5), recurrent)
    with pytest.raises(EditError, match="rnn is an LSTM, not a convolution"):
        outcome(ReplaceFirstConv(kernel_size=5, layer="rnn"), recurrent)


@pytest.mark.parametrize("rule", ["project", "widen"])
@pytest.mark.parametrize(("groups", "filters"), [(3, 24), (3, 18), (2, 16)])
def test_that_filters_stay_in_their_groups(rule: Any, groups: int, filters: int) -> None:
    inputs = keras.Input((8, 8, 6))
    x = L.Conv2D(12, 3, groups=groups, activation="relu", name="c")(inputs)
    source = Bench(keras.Model(inputs, L.Conv2D(4, 3, name="next")(x)))
    edit = ReplaceFirstConv(filters=filters, filters_rule=rule)
    assert [one.exact for one in source.outcome(edit).contracts] == [True]
    x = np.random.default_rng(2).normal(size=(2, 8, 8, 6)).astype("float32")
    assert drift(source.built(edit)(x), source.old(x)) < 1e-5


def test_that_slicing_a_grouped_convolution_keeps_the_first_filters_of_every_group() -> None:
    inputs = keras.Input((6, 6, 4))
    source = Bench(keras.Model(inputs, L.Conv2D(8, 3, groups=2, name="c")(inputs)))
    x = np.random.default_rng(2).normal(size=(2, 6, 6, 4)).astype("float32")
    built = source.built(ReplaceFirstConv(filters=4, filters_rule="slice"))
    np.testing.assert_allclose(built(x), source.old(x)[..., [0, 1, 4, 5]], atol=1e-6)
