"""The whole way on every structure of model: change an input, write, and let Keras be the judge."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.core.engine.drive import applied, assert_verified, drift, errors, opened, outputs, plan, recipe, saved
from tests.core.engine.small_models import build, model_file

# per model: edits that make it gray, and the axis of its channels
GRAY: dict[str, tuple[list[dict[str, Any]], int]] = {
    "chain": ([{"shape": [10, 10, 1]}], -1),
    "residual": ([{"shape": [12, 12, 1]}], -1),
    "branches": ([{"shape": [12, 12, 1]}], -1),
    "nested": ([{"shape": [12, 12, 1]}], -1),
    "nested_three_deep": ([{"shape": [12, 12, 1]}], -1),
    "chain_of_model": ([{"shape": [12, 12, 1]}], -1),
    "siamese": ([{"shape": [12, 12, 1], "input": name} for name in ("left", "right")], -1),
    "frames": ([{"shape": [4, 12, 12, 1]}], -1),
    "frozen_parts": ([{"shape": [12, 12, 1]}], -1),
    "frozen_base": ([{"shape": [12, 12, 1]}], -1),
    "operations": ([{"shape": [8, 8, 1]}], -1),
    "separable": ([{"shape": [14, 14, 1], "channels": "sum"}], -1),
    "upsampler": ([{"shape": [16, 16, 1]}], -1),
    "random_parts": ([{"shape": [12, 12, 1]}], -1),
    "signals": ([{"shape": [30, 1]}], -1),
    "volumes": ([{"shape": [8, 8, 8, 1]}], -1),
    "films": ([{"shape": [4, 8, 8, 1]}], -1),
    "channels_first": ([{"shape": [1, 12, 12]}], 1),
}
SIZES: dict[str, list[list[int | None]]] = {
    "residual": [[17, 23, 3], [None, None, 3]],
    "branches": [[9, 31, 3], [None, 20, 3]],
    "nested": [[17, 23, 3], [None, None, 3]],
    "nested_three_deep": [[17, 23, 3], [None, None, 3]],
    "chain_of_model": [[17, 23, 3], [None, None, 3]],
    "frames": [[7, 15, 9, 3]],
    "frozen_base": [[17, 23, 3]],
    "operations": [[17, 23, 3]],
    "separable": [[17, 23, 3]],
    "normalized": [[17, 23, 3]],
    "upsampler": [[32, 20, 3], [None, None, 3]],
    "half_precision": [[17, 23, 3]],
    "signals": [[77, 2], [None, 2]],
    "texts": [[21]],
    "random_parts": [[17, 23, 3]],
}


def gray_inputs(model: Any, axis: int) -> tuple[Any, Any]:
    """One channel, and the same one repeated over the old channels."""
    rng = np.random.default_rng(4)

    def one(tensor: Any) -> Any:
        shape = [2, *tensor.shape[1:]]
        shape[axis] = 1
        return rng.random(shape, dtype=np.float32)

    single = [one(tensor) for tensor in model.inputs]
    many = [np.repeat(x, tensor.shape[axis], axis) for x, tensor in zip(single, model.inputs, strict=True)]
    return (single, many) if len(single) > 1 else (single[0], many[0])


@pytest.mark.parametrize("name", GRAY)
def test_that_gray_images_give_what_they_gave(name: str, tmp_path: Path) -> None:
    model = build(name)
    fields, axis = GRAY[name]
    edits = [{"do": "change_input", **one} for one in fields]
    written, new = applied(saved(model, tmp_path), tmp_path / "out.keras", *edits)
    assert_verified(written.verification)
    single, many = gray_inputs(model, axis)
    if name == "separable":
        return  # depthwise kernels multiply channel by channel: gray is only nearly kept, and the contract says so
    assert max(drift(a, b) for a, b in zip(outputs(new, single), outputs(model, many), strict=True)) < 1e-5


@pytest.mark.parametrize(
    ("name", "shape"), [(name, shape) for name, shapes in SIZES.items() for shape in shapes], ids=str
)
def test_that_another_size_gives_the_same_at_the_old_one(name: str, shape: list[int | None], tmp_path: Path) -> None:
    model = build(name)
    written, new = applied(saved(model, tmp_path), tmp_path / "out.keras", {"do": "change_input", "shape": shape})
    assert_verified(written.verification)
    assert new.inputs[0].shape == (None, *shape)
    assert {fate.fate for fate in written.plan.fates} == {"copied"}
    for one, other in zip(new.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["residual", "nested_three_deep", "siamese", "channels_first", "half_precision"])
def test_that_a_larger_first_kernel_gives_the_same(name: str, tmp_path: Path) -> None:
    model = build(name)
    source = saved(model, tmp_path)
    found = plan(source, {"do": "replace_first_conv", "kernel_size": 5})
    if not found.ok:
        # a valid convolution without padding before it makes a smaller map, which Dense after Flatten refuses
        assert name == "channels_first", errors(found)
        return
    written, new = applied(source, tmp_path / "out.keras", {"do": "replace_first_conv", "kernel_size": 5})
    assert_verified(written.verification)
    grown = [fate for fate in written.plan.fates if fate.fate == "adapted"]
    assert [fate.rule for fate in grown] == ["center"]
    assert new.count_params() == model.count_params() + 16 * grown[0].shape[2] * grown[0].shape[3]


def test_that_contracts_are_about_their_own_edit_and_not_about_those_after_it(tmp_path: Path) -> None:
    """Gray is exact, a new head answers anew: both may stand in one recipe."""
    source = model_file("residual")
    steps = [
        {"do": "change_input", "shape": [12, 12, 1]},
        {"do": "replace_first_conv", "kernel_size": 5},
        {"do": "remove_head", "pooling": "max"},
        {"do": "attach_head", "classes": 7},
        {"do": "set_trainable", "layers": ["conv2d*"]},
    ]
    written, new = applied(source, tmp_path / "out.keras", *steps)
    assert_verified(written.verification)
    assert written.verification is not None
    names = [result.name for result in written.verification.contracts]
    assert names[:2] == ["new(gray) == old(gray, gray, gray)", "new(x) == old(x)"]
    assert new.output_shape == (None, 7)


def test_that_a_rule_set_by_hand_turns_a_contract_into_a_measurement(tmp_path: Path) -> None:
    source = model_file("residual")
    steps = [
        {"do": "change_input", "shape": [12, 12, 1]},
        {"do": "set_rule", "weight": "conv2d/kernel", "rule": "mean"},
    ]
    written, _ = applied(source, tmp_path / "out.keras", *steps)
    assert_verified(written.verification)
    assert written.verification is not None
    result = written.verification.contracts[0]
    assert not result.exact
    assert result.drift > 0.05


def test_that_a_broken_contract_is_noticed(tmp_path: Path) -> None:
    """The judge must be able to say no: the same file, verified against a recipe that promises something else."""
    source = model_file("residual")
    averaged = recipe({"do": "change_input", "shape": [12, 12, 1], "channels": "mean"})
    summed = recipe({"do": "change_input", "shape": [12, 12, 1], "channels": "sum"})
    engine = opened(source)
    engine.apply(averaged, tmp_path / "out.keras", check=False)
    found = engine.verify(summed, tmp_path / "out.keras")
    assert not found.ok
    assert not found.copied_equal
    assert [result.holds for result in found.contracts] == [False]


@pytest.fixture(autouse=True)
def _fresh_names() -> None:
    keras.backend.clear_session()
