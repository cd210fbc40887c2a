"""A wider stem whose consumers follow computes what it computed: through every kind of consumer, to float rounding."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from core.errors import RecipeError
from tests.core.engine.drive import applied, assert_verified, drift, outputs, plan, saved
from tests.core.engine.small_models import fill
from tests.helpers import models

DOUBLE = {"do": "set_dtype", "policy": "float64"}


def widen(filters: int) -> dict[str, Any]:
    return {"do": "replace_first_conv", "filters": filters, "filters_rule": "widen"}


def bottleneck(x: Any, name: str, width: int, groups: int = 1) -> Any:
    """A residual block with a projection, as ResNets have it."""
    short = layers.BatchNormalization(name=f"{name}_short_bn")(layers.Conv2D(width * 2, 1, name=f"{name}_short")(x))
    for number, (size, filters) in enumerate(((1, width), (3, width), (1, width * 2))):
        many = groups if size == 3 else 1
        x = layers.Conv2D(filters, size, padding="same", groups=many, use_bias=False, name=f"{name}_{number}")(x)
        x = layers.BatchNormalization(name=f"{name}_{number}_bn")(x)
        x = layers.ReLU(name=f"{name}_{number}_relu")(x) if number < 2 else x
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([x, short]))


def made(kind: str) -> Any:
    keras.backend.clear_session()
    start = keras.Input((12, 12, 3))
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="stem")(start)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="bn")(x))
    if kind == "resnet":
        x = bottleneck(bottleneck(layers.MaxPooling2D()(x), "one", 4), "two", 6)
    elif kind == "resnext":
        x = bottleneck(x, "one", 8, groups=4)
    elif kind == "add":
        x = layers.Add(name="add")([x, layers.Conv2D(8, 3, padding="same", name="side")(x)])
    elif kind == "depthwise":
        x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(x)
    elif kind == "separable":
        x = layers.SeparableConv2D(6, 3, depth_multiplier=2, name="separable")(x)
    elif kind == "concatenate":
        x = layers.Concatenate(name="join")([x, layers.Conv2D(3, 1, name="side")(x), x])
    elif kind == "groups":
        x = layers.Conv2D(12, 3, groups=4, name="grouped")(x)
    elif kind == "groups in a branch":
        x = layers.Add(name="add")([x, layers.Conv2D(8, 3, padding="same", groups=2, name="side")(x)])
        x = layers.Conv2D(8, 3, groups=4, name="grouped")(x)
    elif kind == "groups behind depthwise":
        x = layers.Conv2D(16, 1, groups=4, name="grouped")(layers.DepthwiseConv2D(3, depth_multiplier=2, name="dw")(x))
    elif kind == "flatten":
        x = layers.Reshape((1, 1, 18), name="back")(layers.Dense(18, name="dense")(layers.Flatten(name="flat")(x)))
    x = layers.GlobalAveragePooling2D(name="pool")(layers.Conv2D(5, 1, name="last")(x))
    model = keras.Model(start, layers.Dense(4, activation="softmax", name="classes")(x))
    fill(model)
    return model


KINDS = ["resnet", "resnext", "add", "depthwise", "separable", "concatenate", "groups", "groups in a branch"]
KINDS += ["groups behind depthwise", "flatten"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("filters", [12, 16, 20])
def test_that_every_consumer_follows_and_nothing_changes(kind: str, filters: int, tmp_path: Path) -> None:
    model = made(kind)
    written, new = applied(saved(model, tmp_path), tmp_path / "out.keras", widen(filters))
    assert_verified(written.verification)
    assert [one.exact for one in written.plan.contracts] == [True]
    assert new.get_layer("stem").filters == filters
    assert not any(layer.name.endswith("_project") for layer in new.layers)
    x = np.random.default_rng(0).random((3, 12, 12, 3), dtype=np.float32)
    assert drift(outputs(new, x)[0], outputs(model, x)[0]) < 1e-5
    # ahead of the softmax too, which hides differences
    inner, wide = (keras.Model(one.inputs[0], one.get_layer("last").output)(x, training=False) for one in (model, new))
    assert drift(wide, inner) < 1e-5


def test_that_copies_stay_inside_their_group(tmp_path: Path) -> None:
    model = made("groups")
    _, new = applied(saved(model, tmp_path), tmp_path / "out.keras", widen(12))
    old, kernel = (one.get_layer("stem").get_weights()[0] for one in (model, new))
    # four groups of two become four groups of three
    np.testing.assert_array_equal(kernel, old[..., [0, 1, 0, 2, 3, 2, 4, 5, 4, 6, 7, 6]])
    assert new.get_layer("grouped").get_weights()[0].shape == (3, 3, 3, 12)


def test_that_a_width_that_does_not_divide_into_groups_says_which_would(tmp_path: Path) -> None:
    source = saved(made("groups"), tmp_path)
    with pytest.raises(RecipeError, match=r"grouped has 4 groups of channels, into which 10 filters .* multiple of 4"):
        plan(source, widen(10))


def rounding(path: Path, folder: Path, filters: int, top: float = 1.0) -> tuple[float, float, float]:
    """Drift in single precision, in double precision, and what single precision alone does to the old model."""
    wide, old, new = (folder / name for name in ("wide.keras", "old.keras", "new.keras"))
    applied(path, wide, widen(filters))
    _, one = applied(path, old, DOUBLE)
    _, two = applied(wide, new, DOUBLE)
    x = np.random.default_rng(0).random((2, *one.input_shape[1:])) * top
    single, widened = (keras.saving.load_model(name, compile=False) for name in (path, wide))
    was, now = outputs(single, x.astype("float32"))[0], outputs(widened, x.astype("float32"))[0]
    exact, again = outputs(one, x)[0], outputs(two, x)[0]
    return drift(now, was), drift(again, exact), drift(was, exact)


def test_that_what_is_left_is_rounding_of_single_precision(tmp_path: Path) -> None:
    path = models.application("MobileNetV2", alpha=0.35, input_shape=(64, 64, 3), classes=10)
    single, double, own = rounding(path, tmp_path, 24)
    assert double < 1e-12
    assert single < max(1e-5, 10 * own)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "filters"), [("ResNet50", 100), ("DenseNet121", 100), ("Xception", 48)])
def test_that_real_architectures_widen_exactly(name: str, filters: int, tmp_path: Path) -> None:
    path = models.application(name, input_shape=(71, 71, 3), classes=10)
    single, double, own = rounding(path, tmp_path, filters)
    assert double < 1e-11
    assert single < max(1e-5, 10 * own)
