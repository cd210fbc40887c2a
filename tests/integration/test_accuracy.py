"""What surgery is worth: held-out accuracy of the samples before and after, on digits that none of them was trained on.

Where a rule is exact, the new model must find the same class for every digit; where it is not, the accuracy is a
measurement, printed and bounded loosely. `pytest -k accuracy` shows the table.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from resources.samples.digits import WHITE, Array, gray, held_out
from tests.core.engine.drive import applied, assert_verified

SAMPLES = ("digits_residual", "digits_vgg", "digits_nested", "digits_normalized")
STEMS = {
    "digits_residual": "stem_conv/kernel",
    "digits_vgg": "block1_conv1/kernel",
    "digits_nested": "backbone/conv1/kernel",
    "digits_normalized": "stage1_conv1/kernel",
}
CHANCE = 0.1

Answers = Array
"""The class found for each held-out digit."""


class Bench(NamedTuple):
    """One sample, the digits as it wants them, and what it finds in them as it is."""

    name: str
    path: Path
    model: Any
    images: Array
    labels: Array

    def share(self, answers: Answers) -> float:
        return float(np.mean(answers == self.labels))


Line = tuple[str, str, float, float]


@pytest.fixture(scope="module")
def benches(samples: Path) -> dict[str, Bench]:
    import keras

    found = {}
    for name in SAMPLES:
        path = samples / f"{name}.keras"
        images, labels = held_out()
        model = keras.saving.load_model(path)
        found[name] = Bench(name, path, model, images * WHITE.get(name, 1), labels)
    return found


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[Callable[..., None]]:
    """Lines of sample, change, accuracy before and after, shown when all are in, captured or not."""
    lines: list[Line] = []
    yield lambda *line: lines.append(line)
    manager = request.config.pluginmanager.getplugin("capturemanager")
    with manager.global_and_fixture_disabled():
        print(f"\nHeld-out accuracy ({len(held_out()[1])} digits)")  # noqa: T201 - the table is what this test is for
        for sample, change, before, after in lines:
            print(f"  {sample:18} {change:32} {before:7.2%} -> {after:7.2%}")  # noqa: T201


def answers(model: Any, images: Array) -> Answers:
    """In batches of one size, so that equal models compute equal numbers."""
    return np.asarray(model.predict(images, verbose=0, batch_size=60).argmax(-1))


def changed(bench: Bench, folder: Path, *edits: dict[str, Any]) -> Any:
    written, model = applied(bench.path, folder / "new.keras", *edits)
    assert_verified(written.verification)
    return model


def gray_edit(rule: str) -> dict[str, Any]:
    return {"do": "change_input", "shape": [32, 32, 1], "channels": rule}


@pytest.mark.parametrize("name", SAMPLES)
def test_that_the_accuracy_of_gray_by_an_exact_rule_is_that_of_gray_in_three_channels(
    name: str, benches: dict[str, Bench], table: Callable[..., None], tmp_path: Path
) -> None:
    bench = benches[name]
    once = gray(bench.images)
    before = answers(bench.model, np.repeat(once, 3, axis=-1))
    edits = [
        ("gray by sum", gray_edit("sum")),
        ("gray by a repeating adapter", {"do": "insert_adapter", "shape": [32, 32, 1], "fit": "repeat"}),
    ]
    if name == "digits_normalized":  # statistics of its colours precede the convolution
        edits[0] = ("gray by fold", gray_edit("fold"))
    for title, edit in edits:
        after = answers(changed(bench, tmp_path, edit), once)
        table(name, title, bench.share(before), bench.share(after))
        if "fold" in title:  # exact inside; where the image is padded, the old model's zeros stood for three grays
            assert np.mean(after == before) > 0.97
        else:
            np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("name", SAMPLES)
def test_that_the_accuracy_of_gray_by_mean_or_a_new_start_is_measured(
    name: str, benches: dict[str, Bench], table: Callable[..., None], tmp_path: Path
) -> None:
    bench = benches[name]
    once = gray(bench.images)
    before = bench.share(answers(bench.model, np.repeat(once, 3, axis=-1)))
    by_mean = bench.share(answers(changed(bench, tmp_path, gray_edit("mean")), once))
    table(name, "gray by mean", before, by_mean)
    if name == "digits_normalized":
        by_sum = bench.share(answers(changed(bench, tmp_path, gray_edit("sum")), once))
        table(name, "gray by sum", before, by_sum)
    anew = [gray_edit("sum"), {"do": "set_rule", "weight": STEMS[name], "rule": "initialize", "seed": 1}]
    by_chance = bench.share(answers(changed(bench, tmp_path, *anew), once))
    table(name, "gray, stem initialised anew", before, by_chance)
    assert by_chance < before - 0.2
    assert by_mean > CHANCE


@pytest.mark.parametrize("name", SAMPLES)
def test_that_the_accuracy_of_a_larger_kernel_or_a_wider_stem_is_kept_exactly(
    name: str, benches: dict[str, Bench], table: Callable[..., None], tmp_path: Path
) -> None:
    bench = benches[name]
    before = answers(bench.model, bench.images)
    changes: dict[str, dict[str, Any]] = {
        "kernel 3 -> 5": {"kernel_size": 5},
        "stem widened by half": {"filters": 24, "filters_rule": "widen"},
        "24 filters of 5x5, projected": {"filters": 24, "kernel_size": 5},
    }
    for title, fields in changes.items():
        after = answers(changed(bench, tmp_path, {"do": "replace_first_conv", **fields}), bench.images)
        table(name, title, bench.share(before), bench.share(after))
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("name", SAMPLES)
def test_that_the_accuracy_with_a_new_silent_band_is_kept_exactly(
    name: str, benches: dict[str, Bench], table: Callable[..., None], tmp_path: Path
) -> None:
    bench = benches[name]
    before = answers(bench.model, bench.images)
    band = np.random.default_rng(5).uniform(0, bench.images.max(), (*bench.images.shape[:3], 1)).astype(np.float32)
    edit = {"do": "change_input", "shape": [32, 32, 4], "channels": "zero_extra"}
    after = answers(changed(bench, tmp_path, edit), np.concatenate([bench.images, band], axis=-1))
    table(name, "fourth band by zero_extra", bench.share(before), bench.share(after))
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("name", SAMPLES)
def test_that_the_accuracy_at_48_pixels_is_kept_but_for_little(
    name: str, benches: dict[str, Bench], table: Callable[..., None], tmp_path: Path
) -> None:
    bench = benches[name]
    before = bench.share(answers(bench.model, bench.images))
    larger = held_out(48)[0] * WHITE.get(name, 1)
    resize = [{"do": "change_input", "shape": [48, 48, 3]}]
    if name == "digits_vgg":  # its first Dense sees all pixels
        resize.append({"do": "set_rule", "weight": "fc1/kernel", "rule": "spatial_resize"})
    by_size = bench.share(answers(changed(bench, tmp_path, *resize), larger))
    table(name, "32 -> 48 pixels", before, by_size)
    adapter = {"do": "insert_adapter", "shape": [48, 48, 3], "fit": "resize"}
    by_adapter = bench.share(answers(changed(bench, tmp_path, adapter), larger))
    table(name, "48 pixels, resized by an adapter", before, by_adapter)
    assert by_adapter > before - 0.03
    assert by_size > 3 * CHANCE
