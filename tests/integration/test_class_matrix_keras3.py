"""Every layer class of Keras 3.15, saved by Keras: opened with the arrays Keras has, rebuilt with its outputs."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest

from core.analysis.opening import read_model
from core.engine.api import Engine
from core.layers.known_ops import OPERATIONS
from tests.helpers.class_matrix import Result, run, save
from tests.helpers.keras3_models import EXPECTED, NO_MODEL, cases, public_classes
from tests.helpers.layer_cases.base import Case, build

pytestmark = [pytest.mark.filterwarnings("ignore::UserWarning"), pytest.mark.filterwarnings("ignore::RuntimeWarning")]
PART = 25
ALL = list(cases(keras))
FIRST = list({case.class_name: case for case in reversed(ALL)}.values())[::-1]


def parts(listed: list[Case]) -> list[Any]:
    chunks = [listed[start : start + PART] for start in range(0, len(listed), PART)]
    return [pytest.param(chunk, id=f"{chunk[0].class_name} to {chunk[-1].class_name}") for chunk in chunks]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    yield
    keras.backend.clear_session()


def surprises(results: list[Result]) -> list[str]:
    wrong = []
    for one in results:
        status, reason = EXPECTED.get(f"{one.case} [{one.format}]", EXPECTED.get(one.case, ("equal", "")))
        if one.status != status or (status == "cannot" and reason not in one.text):
            wrong.append(f"{one.case} [{one.format}]: {one.status} instead of {status} ({reason}): {one.text}")
    return wrong


def results_of(engine: Engine, listed: list[Case], formats: tuple[str, ...], folder: Path) -> list[Result]:
    found = []
    for number, case in enumerate(listed):
        keras.backend.clear_session()
        found += run(keras, engine, case, formats, folder / str(number))
    return found


def test_that_every_layer_class_of_keras_3_has_a_case_or_a_reason() -> None:
    assert sorted(public_classes(keras) - {case.class_name for case in ALL} - set(NO_MODEL)) == []
    assert sorted(set(NO_MODEL) & {case.class_name for case in ALL}) == []


def test_that_the_operations_known_by_name_are_those_of_keras() -> None:
    for name, module in OPERATIONS.items():
        assert issubclass(getattr(importlib.import_module(module), name), keras.Operation), name


@pytest.mark.parametrize("listed", parts(FIRST))
def test_that_inspect_shows_the_arrays_that_keras_has(listed: list[Case], tmp_path: Path) -> None:
    """The reader's table of arrays against `model.weights`, for every class, without the engine."""
    for case in listed:
        keras.backend.clear_session()
        model = build(keras, case)
        path = save(model, case, "keras", tmp_path)
        weights = [weight for _, layer in read_model(path).graph.walk() for weight in layer.weights]
        shown = sorted((weight.shape, weight.dtype) for weight in weights if not weight.state)
        held = sorted((tuple(w.shape), str(w.dtype)) for w in model.weights)
        assert shown == held, case.name


@pytest.mark.slow
@pytest.mark.parametrize("listed", parts(ALL))
def test_that_every_configuration_of_keras_3_rebuilds_with_equal_outputs(
    listed: list[Case], engine: Engine, tmp_path: Path
) -> None:
    assert surprises(results_of(engine, listed, ("keras", "h5"), tmp_path)) == []
