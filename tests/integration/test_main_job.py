"""The main job on real files and real architectures: another input, another first convolution, freezing, exported."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.model.plan import Plan
from core.recipes.recipe import Recipe
from tests.core.engine.drive import applied, assert_verified, drift, errors, opened, outputs, plan, recipe
from tests.helpers import models

CORPUS = [
    "oarriaga-face_classification/fer2013_mini_XCEPTION.102-0.66.hdf5",
    "mlcommons-tiny/pretrainedResnet.h5",
    "SiliconLabs-mltk/image_example1.h5",
]
ARCHITECTURES = ["ResNet50", "MobileNetV2", "EfficientNetB0", "DenseNet121", "Xception", "NASNetMobile", "ConvNeXtTiny"]
SHAPES = [[96, 96, 1], [96, 96, 3]]


def assert_holds(source: Path, shape: list[int], out: Path) -> Plan:
    """Plan, apply and verify; where the plan names an obstacle, its first repair is taken."""
    steps = recipe({"do": "change_input", "shape": shape})
    engine = opened(source)
    first = engine.plan(steps)
    if not first.ok:
        wrong = [finding for finding in first.findings if finding.severity == "error"]
        assert [one.code for one in wrong] == ["weight.mismatch"], errors(first)
        steps = Recipe(edits=(*steps.edits, *wrong[0].fixes[0].edits))
    written = engine.apply(steps, out)
    assert_verified(written.verification)
    assert written.verification is not None
    assert [port.shape for port in written.plan.inputs] == [(None, *shape)]
    for result in written.verification.contracts:
        assert np.isfinite(result.drift)
    inexact = any(finding.code == "adapt.lossy" for finding in written.plan.findings)
    assert not inexact or any(not result.exact for result in written.verification.contracts)
    return written.plan


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", CORPUS)
def test_that_a_public_file_takes_another_input(
    name: str, shape: list[int], corpus: Callable[[str], Path], tmp_path: Path
) -> None:
    assert_holds(corpus(name), shape, tmp_path / "out.keras")


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_that_an_architecture_takes_another_input(name: str, tmp_path: Path) -> None:
    source = models.application(name)
    for number, shape in enumerate(SHAPES):
        found = assert_holds(source, shape, tmp_path / f"{number}.keras")
        # an unchanged number of channels leaves every weight as it was
        if shape[-1] == 3:
            assert {fate.fate for fate in found.fates} == {"copied"}
        assert found.contracts


def test_that_another_first_convolution_was_told_weight_by_weight(tmp_path: Path) -> None:
    source = models.application("SmallResNet", include_top=False, pooling="avg", input_shape=(64, 64, 3))
    edit = {
        "do": "replace_first_conv",
        "filters": 128,
        "kernel_size": 5,
        "activation": "relu",
        "batch_norm": True,
        "kernel_rule": "resize",
    }
    found = plan(source, edit)
    assert not errors(found)
    old = keras.saving.load_model(source, compile=False)
    written, new = applied(source, tmp_path / "out.keras", edit)
    assert_verified(written.verification)
    assert written.plan == found
    fates = {fate.weight: fate for fate in found.fates}
    assert fates["conv1_conv/kernel"].fate == "adapted"
    assert fates["conv1_conv/kernel"].shape == (5, 5, 3, 128)
    held = {f"{layer.name}/{number}": array for layer in old.layers for number, array in enumerate(layer.get_weights())}
    told: dict[str, set[str]] = {}
    for fate in found.fates:
        told.setdefault(fate.weight.rpartition("/")[0], set()).add(fate.fate)
    for layer in new.layers:
        if layer.name == "conv1_conv" or f"{layer.name}/0" not in held:
            continue
        assert told[layer.name] == {"copied"}
        for number, array in enumerate(layer.get_weights()):
            np.testing.assert_array_equal(array, held[f"{layer.name}/{number}"])
    fresh = {layer.name for layer in new.layers if layer.weights} - {layer.name for layer in old.layers}
    assert fresh
    assert all(told[name] <= {"initialized", "adapted"} for name in fresh)


def test_that_a_backbone_in_a_sequential_goes_gray_and_small_as_if_built_by_hand(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"alpha": 0.35, "include_top": False}
    source = models.application("MobileNetV2", wrap="sequential", input_shape=(96, 96, 3), **arguments)
    written, new = applied(source, tmp_path / "out.keras", {"do": "change_input", "shape": [64, 64, 1]})
    assert_verified(written.verification)
    old = keras.saving.load_model(source, compile=False)
    native = keras.applications.MobileNetV2(weights=None, input_shape=(64, 64, 1), **arguments)
    weights = old.layers[0].get_weights()
    weights[0] = weights[0].sum(axis=2, keepdims=True)
    native.set_weights(weights)
    reference = keras.Sequential([keras.Input((64, 64, 1)), native, *old.layers[1:]])
    x = np.random.default_rng(0).random((2, 64, 64, 1), dtype=np.float32)
    assert drift(outputs(new, x)[0], outputs(reference, x)[0]) < 1e-5
