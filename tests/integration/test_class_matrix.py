"""Every layer class of Keras 2, saved by tf-keras in its three formats, opened, rebuilt and held against tf-keras.

`--update-classes` writes `resources/help/classes.md` from a run of everything.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.engine.api import Engine
from tests.helpers import class_table, keras2_models
from tests.helpers.class_matrix import FORMATS, Result, run
from tests.helpers.keras2_models import EXPECTED, NO_MODEL, cases, public_classes
from tests.helpers.layer_cases.base import Case

tf_keras = pytest.importorskip("tf_keras")

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:.*np.object.*:FutureWarning"),
]
TABLE = Path(__file__).parents[2] / "resources" / "help" / "classes.md"
PART = 25
ALL = list(cases(tf_keras))
FIRST = list({case.class_name: case for case in reversed(ALL)}.values())[::-1]
COUNTED = [
    case for case in ALL if any(word in case.name for word in ("then Dense", "between", "Functional/", "shared"))
]
"""Models in which it matters that the number of each layer is known."""


def parts(listed: list[Case]) -> list[Any]:
    """Some cases at a time, so that one item takes seconds and can run on a core of its own."""
    chunks = [listed[start : start + PART] for start in range(0, len(listed), PART)]
    return [pytest.param(chunk, id=f"{chunk[0].class_name} to {chunk[-1].class_name}") for chunk in chunks]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    """Neither library may see names that the other's models took."""
    import keras

    yield
    tf_keras.backend.clear_session()
    keras.backend.clear_session()


def surprises(results: list[Result]) -> list[str]:
    """What came out otherwise than `EXPECTED` says, one line for each case and format."""
    wrong = []
    for one in results:
        status, reason = EXPECTED.get(f"{one.case} [{one.format}]", EXPECTED.get(one.case, ("equal", "")))
        if one.status != status:
            wrong.append(f"{one.case} [{one.format}]: {one.status} instead of {status}: {one.text}")
        elif status == "cannot" and reason not in one.text:
            wrong.append(f"{one.case} [{one.format}]: {one.text!r} does not say {reason!r}")
    return wrong


def results_of(engine: Engine, listed: list[Case], formats: tuple[str, ...], folder: Path) -> list[Result]:
    found = []
    for number, case in enumerate(listed):
        tf_keras.backend.clear_session()
        found += run(tf_keras, engine, case, formats, folder / str(number))
    return found


def test_that_every_layer_class_of_keras_2_has_a_case_or_a_reason() -> None:
    known = {case.class_name for case in ALL} | set(NO_MODEL)
    assert sorted(set(public_classes()) - known) == []


def test_that_no_class_is_said_to_need_no_model_and_has_one() -> None:
    assert sorted({case.class_name for case in ALL} & set(NO_MODEL)) == []
    assert sorted(set(NO_MODEL) - set(public_classes())) == []


def test_that_what_is_expected_is_expected_of_a_case() -> None:
    known = {name for case in ALL for name in (case.name, *(f"{case.name} [{kind}]" for kind in FORMATS))}
    assert sorted(set(EXPECTED) - known) == []


def test_that_the_table_people_read_lists_every_class() -> None:
    assert class_table.classes_in(TABLE.read_text(encoding="utf-8")) == sorted(
        {case.class_name for case in ALL} | set(NO_MODEL)
    )


@pytest.mark.parametrize("listed", parts(FIRST))
def test_that_one_model_of_each_class_rebuilds_with_equal_outputs(
    listed: list[Case], engine: Engine, tmp_path: Path
) -> None:
    assert surprises(results_of(engine, listed, ("h5", "keras"), tmp_path)) == []


@pytest.mark.slow
@pytest.mark.parametrize("listed", parts(ALL))
def test_that_every_configuration_rebuilds_with_equal_outputs(
    listed: list[Case], engine: Engine, tmp_path: Path
) -> None:
    assert surprises(results_of(engine, listed, ("h5", "keras"), tmp_path)) == []


@pytest.mark.slow
@pytest.mark.parametrize("listed", parts([*FIRST, *COUNTED]))
def test_that_one_saved_model_of_each_class_rebuilds_with_equal_outputs(
    listed: list[Case], engine: Engine, tmp_path: Path
) -> None:
    assert surprises(results_of(engine, listed, ("tf",), tmp_path)) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_that_the_table_people_read_is_what_comes_out(
    engine: Engine, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Runs everything in one go; only when asked to, because the parts above have done it."""
    if not request.config.getoption("--update-classes"):
        pytest.skip("run with --update-classes to write the table anew")
    found = results_of(engine, ALL, ("h5", "keras"), tmp_path / "files")
    found += results_of(engine, [*FIRST, *COUNTED], ("tf",), tmp_path / "folders")
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(class_table.table(found, keras2_models.NO_MODEL, EXPECTED), encoding="utf-8")
