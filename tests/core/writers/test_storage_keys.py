"""Where each array goes in a `.keras` file, with Keras's own `model.save` as the oracle."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.engine.execute import storage_keys
from core.recipes.recipe import Recipe
from tests.core.engine.drive import drift, opened, outputs, random_input, saved, stored_arrays, stored_names
from tests.core.engine.small_models import MODELS, build, fill, model_file
from tests.helpers.models import application

APPLICATIONS: dict[str, dict[str, Any]] = {
    "MobileNetV2": {"alpha": 0.35, "input_shape": (96, 96, 3)},
    "MobileNetV3Small": {"input_shape": (96, 96, 3), "alpha": 0.75},
    "DenseNet121": {"input_shape": (64, 64, 3)},
    "EfficientNetB0": {"input_shape": (64, 64, 3)},
    "NASNetMobile": {"input_shape": (64, 64, 3), "include_top": False},
    "ConvNeXtTiny": {"input_shape": (64, 64, 3)},
}


def assert_keys_are_kerass(source: Path, out: Path) -> None:
    """Planned keys and written keys, shapes and dtypes are those of the file that Keras wrote."""
    engine = opened(source)
    planned = engine.planned(Recipe())
    assert planned.plan.ok, planned.plan.findings
    _, prefixes = storage_keys(planned)
    announced = {f"{prefixes[move.layer]}/{move.key}": move.fate.shape for move in planned.moves}
    by_keras = stored_arrays(source)
    assert announced == {key: shape for key, (shape, _) in by_keras.items()}
    engine.apply(Recipe(), out, check=False)
    assert stored_arrays(out) == by_keras
    names = stored_names(source)
    assert {key: names[key] for key in stored_names(out)} == stored_names(out)


@pytest.mark.parametrize("name", MODELS)
def test_that_storage_keys_and_shapes_are_those_of_keras(name: str, tmp_path: Path) -> None:
    assert_keys_are_kerass(model_file(name), tmp_path / "out.keras")


@pytest.mark.parametrize("name", APPLICATIONS)
def test_that_storage_keys_of_applications_are_those_of_keras(name: str, tmp_path: Path) -> None:
    assert_keys_are_kerass(application(name, calibrate=False, **APPLICATIONS[name]), tmp_path / "out.keras")


@pytest.mark.parametrize("name", MODELS)
def test_that_a_model_written_without_edits_is_the_same_model(name: str, tmp_path: Path) -> None:
    model = build(name)
    inputs = random_input(model)
    before = outputs(model, inputs)
    opened(saved(model, tmp_path)).apply(Recipe(), tmp_path / "out.keras", check=False)
    after = outputs(keras.saving.load_model(tmp_path / "out.keras", compile=False), inputs)
    for one, other in zip(after, before, strict=True):
        np.testing.assert_array_equal(one, other)


@st.composite
def dags(draw: st.DrawFn) -> list[tuple[str, tuple[int, ...]]]:
    """Steps of a random graph: a kind of layer, and which earlier tensors go in."""
    steps: list[tuple[str, tuple[int, ...]]] = []
    for number in range(draw(st.integers(2, 9))):
        kind = draw(st.sampled_from(["conv", "dense", "norm", "add", "concat", "nested", "shared", "op", "drop"]))
        count = draw(st.integers(2, 3)) if kind in {"add", "concat"} else 1
        steps.append((kind, tuple(draw(st.integers(0, number)) for _ in range(count))))
    return steps


def grow(steps: list[tuple[str, tuple[int, ...]]], ends: int) -> Any:
    """A model with those steps; every tensor is (6, 6, 4), so that all of them fit anywhere."""
    keras.backend.clear_session()
    layers = keras.layers
    shared = layers.Conv2D(4, 3, padding="same", name="everywhere")
    tensors = [keras.Input((6, 6, 4))]
    for number, (kind, sources) in enumerate(steps):
        given_ = [tensors[source] for source in sources]
        if kind == "nested":
            start = keras.Input((6, 6, 4))
            inside = keras.Model(start, layers.BatchNormalization()(layers.Conv2D(4, 1)(start)), name=f"part{number}")
            tensors.append(inside(given_[0]))
        elif kind == "op":
            tensors.append(keras.ops.relu(given_[0]) + 0.5)
        elif kind in {"add", "concat"}:
            merged = (layers.Add() if kind == "add" else layers.Concatenate())(given_)
            tensors.append(merged if kind == "add" else layers.Conv2D(4, 1)(merged))
        else:
            made = {
                "conv": lambda: layers.Conv2D(4, 3, padding="same"),
                "dense": lambda: layers.Dense(4),
                "norm": layers.BatchNormalization,
                "drop": lambda: layers.Dropout(0.2),
                "shared": lambda: shared,
            }[kind]()
            tensors.append(made(given_[0]))
    chosen = tensors[-1:] if ends == 1 else tensors[-2:]
    return keras.Model(tensors[0], chosen[::-1] if ends == 3 else chosen)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=dags(), ends=st.integers(1, 3))
def test_that_storage_keys_of_any_graph_are_those_of_keras(
    steps: list[tuple[str, tuple[int, ...]]], ends: int, tmp_path: Path
) -> None:
    model = grow(steps, ends)
    fill(model)
    out = tmp_path / "out.keras"
    assert_keys_are_kerass(saved(model, tmp_path), out)
    inputs = random_input(model)
    loaded = keras.saving.load_model(out, compile=False)
    assert max(drift(new, old) for new, old in zip(outputs(loaded, inputs), outputs(model, inputs), strict=True)) == 0
