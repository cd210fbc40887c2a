"""Cases 1 to 9 of what people struggle with: channels, sizes, and what is baked into a model's size."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from core.recipes.recipe import Recipe
from tests.core.engine.drive import applied, assert_verified, drift, errors, opened, outputs, plan, recipe, saved
from tests.core.engine.small_models import fill
from tests.helpers import models

SUM, MEAN = "Sum of the channels (sum)", "Mean of the channels (mean)"


def loaded(path: Path) -> Any:
    return keras.saving.load_model(path, compile=False)


def run(model: Any, inputs: Any) -> Any:
    return outputs(model, inputs)[0]


def imagenet_efficientnet() -> Any:
    """An EfficientNet with what only its ImageNet weights bring: statistics, and a Rescaling by a vector."""
    plain = models.build("SmallEfficientNet", include_top=False, pooling="avg", input_shape=(128, 128, 3))
    config = plain.get_config()
    names = [entry["name"] for entry in config["layers"]]
    at = names.index("normalization") + 1
    node = config["layers"][at]["inbound_nodes"]
    vector = [1 / np.sqrt(0.229), 1 / np.sqrt(0.224), 1 / np.sqrt(0.225)]
    extra = {
        "module": "keras.layers",
        "class_name": "Rescaling",
        "config": {"name": "rescaling_1", "scale": vector, "offset": 0.0, "trainable": True, "dtype": "float32"},
        "registered_name": None,
        "name": "rescaling_1",
        "inbound_nodes": node,
    }
    following = {**config["layers"][at]}
    tensor = {**node[0]["args"][0], "config": {**node[0]["args"][0]["config"], "keras_history": ["rescaling_1", 0, 0]}}
    following["inbound_nodes"] = [{"args": [tensor], "kwargs": {}}]
    config["layers"][at : at + 1] = [extra, following]
    model = keras.Model.from_config(config)
    by_name = {layer.name: layer for layer in plain.layers}
    for layer in model.layers:
        if layer.name in by_name:
            layer.set_weights(by_name[layer.name].get_weights())
    normalization = model.get_layer("normalization")
    normalization.set_weights([np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]) ** 2, np.array(0)])
    normalization.finalize_state()
    models._calibrate(model, np.random.default_rng(2))
    return model


def test_that_case_01_efficientnet_takes_gray_with_every_part_that_depends_on_channels(tmp_path: Path) -> None:
    model = imagenet_efficientnet()
    source = saved(model, tmp_path)
    edit = {"do": "change_input", "shape": [128, 128, 1]}
    written, new = applied(source, tmp_path / "out.keras", edit)
    assert_verified(written.verification)
    adapted = {fate.weight for fate in written.plan.fates if fate.fate == "adapted"}
    assert {"normalization/mean", "normalization/variance", "stem_conv/kernel", "stem_conv/bias"} <= adapted
    assert len(np.ravel(new.get_layer("rescaling_1").scale)) == 1
    assert any(finding.code == "adapt.lossy" for finding in written.plan.findings)
    rng = np.random.default_rng(0)
    coarse = rng.random((4, 8, 8, 1), dtype=np.float32) * 255
    gray = np.asarray(keras.ops.image.resize(coarse, (128, 128)))
    stem = keras.Model(model.inputs[0], model.get_layer("stem_conv").output)
    stem_new = keras.Model(new.inputs[0], new.get_layer("stem_conv").output)
    old_stem, new_stem = run(stem, np.repeat(gray, 3, -1)), run(stem_new, gray)
    # exact wherever the kernel lies inside the image; the mean error with the border is under one percent
    inner = (slice(None), slice(1, -1), slice(1, -1))
    assert drift(new_stem[inner], old_stem[inner]) < 1e-5
    assert np.mean(np.abs(new_stem - old_stem)) / np.mean(np.abs(old_stem)) < 0.01
    plain = {**edit, "channels": "mean"}
    _, averaged = applied(source, tmp_path / "mean.keras", plain)
    reference = run(model, np.repeat(gray, 3, -1))
    assert np.mean(np.abs(run(new, gray) - reference)) < 0.2 * np.mean(np.abs(run(averaged, gray) - reference))


def test_that_case_02_bands_are_mapped_by_name_and_new_ones_start_at_nothing(tmp_path: Path) -> None:
    source = models.application("SmallResNet", include_top=False, pooling="avg", input_shape=(64, 64, 3))
    edit = {"do": "change_input", "shape": [64, 64, 4], "channels": "zero_extra"}
    written, new = applied(source, tmp_path / "four.keras", edit)
    assert_verified(written.verification)
    assert written.verification is not None
    assert [contract.exact for contract in written.verification.contracts] == [True]
    x = np.random.default_rng(0).random((2, 64, 64, 3), dtype=np.float32)
    silent = np.concatenate([x, np.zeros((2, 64, 64, 1), np.float32)], -1)
    assert drift(run(new, silent), run(loaded(source), x)) < 1e-5

    bands = ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12"]
    wide = models.application("SmallResNet", include_top=False, pooling="avg", input_shape=(64, 64, 3))
    thirteen = {"do": "change_input", "shape": [64, 64, 13], "channels": "repeat"}
    applied(wide, tmp_path / "thirteen.keras", thirteen)
    wanted = {"rule": "map", "take": ["R <- B4", "G <- B3", "B <- B2"], "names": bands}
    back = {"do": "change_input", "shape": [64, 64, 3], "channels": wanted}
    written, three = applied(tmp_path / "thirteen.keras", tmp_path / "three.keras", back)
    assert_verified(written.verification)
    kernel = loaded(tmp_path / "thirteen.keras").get_layer("conv1_conv").get_weights()[0]
    np.testing.assert_array_equal(three.get_layer("conv1_conv").get_weights()[0], kernel[:, :, [3, 2, 1]])


def test_that_case_03_the_sum_keeps_the_scale_and_the_mean_does_not(tmp_path: Path) -> None:
    source = models.application("SmallResNet", include_top=False, pooling="avg", input_shape=(64, 64, 3))
    edit = {"do": "change_input", "shape": [64, 64, 1]}
    ranking = opened(source).compare(recipe(edit), number=1)
    order = [one.title for one in ranking]
    assert order.index(SUM) < order.index(MEAN)
    drifts = {one.title: one.drift for one in ranking}
    assert drifts[SUM] < 1e-4 < drifts[MEAN]
    summed, _ = applied(source, tmp_path / "sum.keras", {**edit, "channels": "sum"})
    assert_verified(summed.verification)
    averaged, _ = applied(source, tmp_path / "mean.keras", {**edit, "channels": "mean"})
    assert averaged.verification is not None
    assert [one.exact for one in averaged.verification.contracts] == [False]
    assert averaged.verification.contracts[0].drift > 0.1
    assert any(finding.code == "adapt.lossy" for finding in averaged.plan.findings)


def test_that_case_04_channels_are_found_whatever_the_layout(tmp_path: Path) -> None:
    """Three filters, three taps and three channels: only the layout says which axis is which."""
    keras.backend.clear_session()
    start = keras.Input((3, 12, 12))
    x = layers.Conv2D(3, 3, data_format="channels_first", name="conv")(start)
    x = layers.MaxPooling2D(2, data_format="channels_first")(x)
    model = keras.Model(start, layers.Dense(4, name="dense")(layers.Flatten(name="flat")(x)))
    fill(model)
    source = saved(model, tmp_path)
    kernel, bias = model.get_layer("conv").get_weights()
    found = plan(source, {"do": "change_input", "shape": [1, 12, 12]})
    fates = {fate.weight: fate for fate in found.fates}
    assert fates["conv/kernel"].shape == (3, 3, 1, 3)
    assert fates["conv/kernel"].rule == "sum"
    opened(source).apply(recipe({"do": "change_input", "shape": [1, 12, 12]}), tmp_path / "out.keras", check=False)
    new = loaded(tmp_path / "out.keras").get_layer("conv").get_weights()
    np.testing.assert_allclose(new[0], kernel.sum(axis=2, keepdims=True), rtol=1e-6)
    np.testing.assert_array_equal(new[1], bias)


def test_that_case_04_a_flattened_channels_first_map_is_resized_as_a_map(tmp_path: Path) -> None:
    keras.backend.clear_session()
    start = keras.Input((3, 12, 12))
    x = layers.Conv2D(5, 3, data_format="channels_first", name="conv")(start)
    model = keras.Model(start, layers.Dense(4, name="dense")(layers.Flatten(name="flat")(x)))
    fill(model)
    source = saved(model, tmp_path)
    step = {"do": "change_input", "shape": [3, 20, 20]}
    problem = next(one for one in plan(source, step).findings if one.severity == "error")
    assert problem.layer == "dense"
    fix = problem.fixes[0]
    full = Recipe(edits=(*recipe(step).edits, *fix.edits))
    opened(source).apply(full, tmp_path / "out.keras", check=False)
    old, new = (
        model.get_layer("dense").get_weights()[0],
        loaded(tmp_path / "out.keras").get_layer("dense").get_weights()[0],
    )
    # a kernel that is constant over places stays constant: only the right order of axes does that
    before, after = old.reshape(5, 10, 10, 4), new.reshape(5, 18, 18, 4)
    pixel = np.asarray(keras.ops.image.resize(np.moveaxis(before, 0, 2).reshape(1, 10, 10, 20), (18, 18)))[0]
    ours = np.moveaxis(after, 0, 2).reshape(18, 18, 20)
    correlation = np.corrcoef(pixel.ravel(), ours.ravel())[0, 1]
    assert correlation > 0.9


def flattening(size: int) -> Any:
    keras.backend.clear_session()
    x = start = keras.Input((size, size, 3))
    for number in range(3):
        x = layers.MaxPooling2D(2)(layers.Conv2D(4, 3, padding="same", activation="relu", name=f"conv{number}")(x))
    x = layers.Dense(6, activation="relu", name="fc")(layers.Flatten(name="flat")(x))
    model = keras.Model(start, layers.Dense(2, name="out")(x))
    fill(model)
    return model


def test_that_case_05_dense_after_flatten_is_located_with_four_repairs(tmp_path: Path) -> None:
    source = saved(flattening(128), tmp_path)
    step = {"do": "change_input", "shape": [256, 256, 3]}
    found = plan(source, step)
    wrong = [finding for finding in found.findings if finding.severity == "error"]
    assert [(one.code, one.layer) for one in wrong] == [("weight.mismatch", "fc")]
    assert len(wrong[0].fixes) >= 4
    for fix in wrong[0].fixes:
        full = Recipe(edits=(*recipe(step).edits, *fix.edits))
        written = opened(source).apply(full, tmp_path / "out.keras")
        assert_verified(written.verification)
        result = run(loaded(tmp_path / "out.keras"), np.zeros((1, 256, 256, 3), np.float32))
        assert result.shape == (1, 2)


def test_that_case_06_vgg_at_small_sizes_is_told_before_anything_is_built(tmp_path: Path) -> None:
    source = models.application("VGG16", include_top=False, input_shape=(224, 224, 3), calibrate=False)
    assert plan(source, {"do": "change_input", "shape": [32, 32, 3]}).ok
    found = plan(source, {"do": "change_input", "shape": [31, 31, 3]})
    wrong = [finding for finding in found.findings if finding.severity == "error"]
    assert [(one.code, one.layer) for one in wrong] == [("shape.too_small", "block5_pool")]
    assert "32\u00d732\u00d73" in wrong[0].message
    sizes = opened(source).legal_sizes(Recipe(), "input_layer", (1, 2), wanted=31)
    assert sizes.smallest == 32
    assert "block5_pool" in sizes.forbids


def unet(size: int) -> Any:
    keras.backend.clear_session()
    x = start = keras.Input((size, size, 3))
    skips = []
    for _ in range(5):
        x = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    for skip in reversed(skips):
        x = layers.Concatenate()([layers.UpSampling2D(2)(x), skip])
        x = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    model = keras.Model(start, layers.Conv2D(1, 1, activation="sigmoid", name="mask")(x))
    fill(model)
    return model


def test_that_case_07_a_unet_at_300_is_padded_to_a_multiple_of_32_and_cropped_back(tmp_path: Path) -> None:
    source = saved(unet(256), tmp_path)
    step = {"do": "change_input", "shape": [300, 300, 3]}
    found = plan(source, step)
    wrong = [finding for finding in found.findings if finding.severity == "error"]
    assert wrong[0].code == "shape.incompatible"
    assert wrong[0].layer == "concatenate_1"
    assert "36\u00d736" in wrong[0].message
    assert "37\u00d737" in wrong[0].message
    sizes = opened(source).legal_sizes(Recipe(), "input_layer", (1, 2), wanted=300)
    assert sizes.step == 32
    adapter = {"do": "insert_adapter", "shape": [300, 300, 3], "fit": "pad", "multiple": 32}
    written, new = applied(source, tmp_path / "out.keras", adapter)
    assert_verified(written.verification)
    assert [port.shape for port in written.plan.outputs] == [(None, 300, 300, 1)]
    x = np.random.default_rng(0).random((1, 300, 300, 3), dtype=np.float32)
    resized, _ = applied(source, tmp_path / "big.keras", {"do": "change_input", "shape": [320, 320, 3]})
    assert_verified(resized.verification)
    padded = np.pad(x, ((0, 0), (10, 10), (10, 10), (0, 0)))
    expected = run(loaded(tmp_path / "big.keras"), padded)[:, 10:-10, 10:-10]
    assert drift(run(new, x), expected) < 1e-5


def test_that_case_08_padding_baked_by_parity_is_recomputed(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"alpha": 0.35, "include_top": False}
    source = models.application("MobileNetV2", input_shape=(224, 224, 3), **arguments)
    written, new = applied(source, tmp_path / "out.keras", {"do": "change_input", "shape": [161, 161, 3]})
    assert_verified(written.verification)
    assert new.output_shape == (None, 6, 6, 1280)
    assert any(finding.code == "baked.constant" for finding in written.plan.findings)
    native = keras.applications.MobileNetV2(weights=None, input_shape=(161, 161, 3), **arguments)
    native.set_weights(loaded(source).get_weights())
    x = np.random.default_rng(0).random((1, 161, 161, 3), dtype=np.float32)
    assert drift(run(new, x), run(native, x)) < 1e-5


def test_that_case_09_sizes_become_dynamic_and_what_forbids_it_is_named(tmp_path: Path) -> None:
    source = models.application("SmallResNet", include_top=False, pooling="avg", input_shape=(64, 64, 3))
    edit = {"do": "change_input", "shape": [None, None, 3]}
    written, new = applied(source, tmp_path / "out.keras", edit)
    assert_verified(written.verification)
    assert new.input_shape == (None, None, None, 3)
    native = models.SMALL["SmallResNet"](include_top=False, pooling="avg", input_shape=(None, None, 3))
    native.set_weights(loaded(source).get_weights())
    for height, width in ((64, 64), (97, 50)):
        x = np.random.default_rng(0).random((1, height, width, 3), dtype=np.float32)
        assert drift(run(new, x), run(native, x)) < 1e-5

    blocked = plan(saved(flattening(32), tmp_path), edit)
    assert not blocked.ok
    assert any("fc" in message or "flat" in message for message in errors(blocked)), errors(blocked)

    keras.backend.clear_session()
    start = keras.Input((32, 32, 3))
    patches = layers.Conv2D(8, 8, strides=8, name="patches")(start)
    tokens = layers.Reshape((16, 8), name="tokens")(patches)
    places = layers.Dense(4, name="mix")(layers.Permute((2, 1))(tokens))
    mixer = keras.Model(start, layers.GlobalAveragePooling1D()(places))
    stuck = plan(saved(mixer, tmp_path, "mixer.keras"), edit)
    assert [(one.code, one.layer) for one in stuck.findings] == [("baked.constant", "tokens")]


@pytest.fixture(autouse=True)
def _fresh_names() -> None:
    keras.backend.clear_session()
