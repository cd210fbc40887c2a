"""What is said to be exact, or nearly: gray by fold, constants by repeat, larger kernels by center, in numbers."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from core.edits import ChangeInput, ReplaceFirstConv
from core.model.plan import Plan
from core.recipes.recipe import Recipe
from tests.core.edits.bench import Bench, drift
from tests.core.engine.drive import applied, assert_verified, opened, outputs, plan, recipe, saved
from tests.core.engine.small_models import fill

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
SIZE = 96


def relative_mean(new: Any, old: Any) -> float:
    return float(np.mean(np.abs(new - old)) / np.mean(np.abs(old)))


@pytest.mark.parametrize("name", ["flat", "signal", "volume", "nested"])
@pytest.mark.parametrize("new", range(2, 14))
def test_that_repeat_answers_the_same_to_inputs_that_are_alike_in_all_channels(bench: Any, name: Any, new: Any) -> None:
    source = bench(name)
    *sizes, old = source.model.input_shape[1:]
    built = source.built(ChangeInput(shape=(*sizes, new), channels="repeat"))
    for value in (0.1, 1.0, 200.0):
        before, after = (np.full((1, *sizes, count), value, "float32") for count in (old, new))
        assert drift(built(after), source.old(before)) < 1e-5


@pytest.mark.parametrize(("new", "least"), [(2, 0.3), (4, 0.2), (5, 0.15), (7, 0.1), (13, 0.05)])
def test_that_copies_scaled_all_alike_would_not(new: int, least: float) -> None:
    kernel = np.random.default_rng(0).standard_normal((3, 3, 3, 64))
    answer = kernel.sum(axis=(0, 1, 2))
    tiled = np.take(kernel, np.arange(new) % 3, axis=2) * 3 / new
    assert relative_mean(tiled.sum(axis=(0, 1, 2)), answer) > least


def whole_numbers(model: Any) -> None:
    """Small whole numbers everywhere: their sums are the same in any order, so equality is to the bit."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(rng.integers(-4, 5, weight.shape).astype("float32"))


@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("size", [(15, 15), (16, 16), (16, 13)])
@pytest.mark.parametrize(("small", "large"), [(3, 5), (3, 7), (1, 3), (5, 9)])
def test_that_a_kernel_grown_around_its_centre_is_the_same_to_the_bit(
    strides: int, size: Any, small: int, large: int
) -> None:
    start = keras.Input((*size, 3))
    x = layers.Conv2D(4, small, strides=strides, padding="same", name="stem")(start)
    model = keras.Model(start, layers.Conv2D(2, 1, name="next")(x))
    whole_numbers(model)
    source = Bench(model, seed=None)
    edit = ReplaceFirstConv(kernel_size=large, kernel_rule="center")
    assert source.outcome(edit).contracts[0].exact
    x = np.random.default_rng(2).integers(-8, 9, (2, *size, 3)).astype("float32")
    np.testing.assert_array_equal(source.built(edit)(x), source.old(x))


@pytest.mark.parametrize("padding", [3, ((1, 0), (2, 1))])
def test_that_a_padding_layer_ahead_follows_the_kernel_to_the_bit(padding: Any) -> None:
    start = keras.Input((17, 16, 3))
    x = layers.ZeroPadding2D(padding, name="pad")(start)
    model = keras.Model(start, layers.Conv2D(4, 3, strides=2, name="stem")(x))
    whole_numbers(model)
    source = Bench(model, seed=None)
    edit = ReplaceFirstConv(kernel_size=7, kernel_rule="center")
    x = np.random.default_rng(2).integers(-8, 9, (2, 17, 16, 3)).astype("float32")
    np.testing.assert_array_equal(source.built(edit)(x), source.old(x))


def normalized(padding: str) -> Any:
    """EfficientNet's start with ImageNet's statistics: one vector more than a Normalization, padding of its own."""
    keras.backend.clear_session()
    start = keras.Input((SIZE, SIZE, 3), name="image")
    x = layers.Rescaling(1 / 255.0, name="rescaling")(start)
    x = layers.Normalization(mean=MEAN, variance=DEVIATION**2, name="normalization")(x)
    x = layers.Rescaling(list(1 / np.sqrt(DEVIATION)), name="vector")(x)
    if padding == "layer":
        x = layers.ZeroPadding2D(((0, 1), (0, 1)), name="pad")(x)
    same = "same" if padding == "same" else "valid"
    x = layers.Conv2D(32, 3, strides=2, padding=same, use_bias=False, name="stem")(x)
    model = keras.Model(start, x)
    fill(model)
    return model


def gray_image(top: float, rough: bool) -> Any:
    rng = np.random.default_rng(3)
    small = rng.random((2, SIZE, SIZE, 1) if rough else (2, 8, 8, 1), dtype=np.float32)
    return np.asarray(keras.ops.image.resize(small, (SIZE, SIZE))) * top


@pytest.mark.parametrize("padding", ["layer", "same", "none"])
@pytest.mark.parametrize("top", [255.0, 1.0])
@pytest.mark.parametrize("rough", [True, False])
def test_that_gray_by_fold_is_exact_inside_and_close_at_the_border(
    padding: str, top: float, rough: bool, tmp_path: Path
) -> None:
    model = normalized(padding)
    written, new = applied(saved(model, tmp_path), tmp_path / "out.keras", gray())
    assert_verified(written.verification)
    image = gray_image(top, rough)
    now, was = outputs(new, image)[0], outputs(model, np.repeat(image, 3, -1))[0]
    assert drift(now[:, 1:-1, 1:-1], was[:, 1:-1, 1:-1]) < 1e-5
    assert relative_mean(now, was) < 0.01
    assert [one.exact for one in written.plan.contracts] == [padding == "none"]
    measured = written.verification.contracts[0]  # type: ignore[union-attr]
    assert measured.mean < 0.01
    if padding == "none":
        assert drift(now, was) < 1e-5


def gray(rule: str = "auto") -> dict[str, Any]:
    return {"do": "change_input", "shape": [SIZE, SIZE, 1], "channels": rule}


def said(found: Plan) -> Any:
    return next(one for one in found.findings if one.code == "adapt.lossy")


def test_that_the_plan_says_where_fold_differs_and_offers_what_is_exact(tmp_path: Path) -> None:
    model = normalized("layer")
    path = saved(model, tmp_path)
    finding = said(plan(path, gray()))
    assert finding.layer == "stem"
    assert "exact inside the image" in finding.message
    assert "padding zeros" in finding.message
    assert [fix.title for fix in finding.fixes] == ["Repeat gray 3 times before the model (exact)"]
    exact = Recipe(edits=(*recipe(gray()).edits, *finding.fixes[0].edits))  # taken in the terminal: behind the others
    alone = Recipe(edits=finding.fixes[0].edits)  # in the window, the first of them replaces its like
    image = gray_image(1.0, rough=True)
    for steps in (exact, alone):
        written = opened(path).apply(steps, tmp_path / "out.keras")
        assert_verified(written.verification)
        assert {fate.fate for fate in written.plan.fates} == {"copied"}
        new = keras.saving.load_model(tmp_path / "out.keras", compile=False)
        assert new.input_shape == (None, SIZE, SIZE, 1)
        np.testing.assert_array_equal(outputs(new, image)[0], outputs(model, np.repeat(image, 3, -1))[0])


@pytest.mark.parametrize(
    ("rule", "words"),
    [("sum", "scaled differently before stem"), ("mean", "all channels together have 33% of their old weight")],
)
def test_that_a_rule_that_loses_more_says_why_and_fold_is_one_click(rule: str, words: str, tmp_path: Path) -> None:
    path = saved(normalized("same"), tmp_path)
    finding = said(plan(path, gray(rule)))
    assert words in finding.message
    fold, repeat = finding.fixes
    assert [edit.channels for edit in fold.edits] == ["fold"]
    assert repeat.edits[-1].fit == "repeat"


def test_that_each_new_channel_has_the_mean_of_the_statistics_that_become_it(tmp_path: Path) -> None:
    _, new = applied(saved(normalized("layer"), tmp_path), tmp_path / "out.keras", gray())
    layer = new.get_layer("normalization")
    np.testing.assert_allclose(np.ravel(layer.mean), [MEAN.mean()], rtol=1e-6)
    np.testing.assert_allclose(np.ravel(layer.variance), [DEVIATION.mean() ** 2], rtol=1e-6)
    np.testing.assert_allclose(np.ravel(new.get_layer("vector").scale), [np.mean(1 / np.sqrt(DEVIATION))], rtol=1e-6)
