"""Files that recipes name, through the real engine process and the real command line: read apart, and read anew."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tf_keras

from core.analysis.opening import read_model
from core.errors import FileError
from core.recipes.recipe import Recipe
from core.service.client import Worker
from core.service.messages import Apply, BuildApplication, CompareRules, MakePlan, MatchWeights, SetSource, Verify
from core.service.worker import READER_BYTES
from tests.core.engine.drive import recipe
from tests.core.service.test_apart import _answers
from tests.core.service.test_reader import ask
from tests.helpers.damage import without_text_types
from tests.helpers.own_classes import filled

if TYPE_CHECKING:
    from core.model.plan import Plan, Written


def model_of(k: Any, nested: bool, seed: int, units: int = 3) -> Any:
    start = x = k.Input((4,), name="start")
    x = k.layers.Dense(units, activation="tanh", name="one")(x)
    if nested:
        inside = k.Input((units,), name="inside_start")
        x = k.Model(inside, k.layers.Dense(2, name="two")(inside), name="inside")(x)
    else:
        x = k.layers.Dense(2, name="two")(x)
    return filled(k.Model(start, x), seed)


def write_keras(path: Path, nested: bool, seed: int, units: int = 3) -> Any:
    model = model_of(keras, nested, seed, units)
    model.save(path)
    return model


def write_h5(path: Path, nested: bool, seed: int, units: int = 3) -> Any:
    model = model_of(tf_keras, nested, seed, units)
    model.save(path)
    return model


def write_weights(path: Path, nested: bool, seed: int, units: int = 3) -> Any:
    model = model_of(keras, nested, seed, units)
    model.save_weights(path)
    return model


Write = Callable[[Path, bool, int], Any]
KINDS: dict[str, tuple[Write, bool]] = {
    "flat.keras": (write_keras, False),
    "nested.keras": (write_keras, True),
    "nested.h5": (write_h5, True),
    "flat.weights.h5": (write_weights, False),
    "nested.weights.h5": (write_weights, True),
}
WHOLE = [name for name in KINDS if "weights" not in name]


def damaged(path: Path) -> Path:
    """The file with one byte of a header changed: whoever lets HDF5 read that attribute ends."""
    path.write_bytes(without_text_types(path.read_bytes()))
    return path


@pytest.fixture(scope="module", autouse=True)
def _quiet_keras() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("absl.logging.warning", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def engine() -> Iterator[Worker]:
    worker = Worker("engine")
    yield worker
    worker.stop()


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def open_source(worker: Worker, folder: Path, nested: bool) -> None:
    write_keras(folder / "source.keras", nested, 0)
    ask(worker, SetSource(source=read_model(folder / "source.keras")))


def transfer(path: Path) -> Recipe:
    return recipe({"do": "transfer_weights", "file": str(path)})


def x() -> Any:
    return np.random.default_rng(7).normal(size=(5, 4)).astype("float32")


def refused_step(plan: Any, path: Path) -> None:
    """The plan of the other steps, with why this one is left out."""
    assert not plan.ok
    (told,) = (one for one in plan.findings if one.code == "step.refused")
    assert "the reader process ended" in told.message
    assert path.name in told.message
    assert "\n" not in told.message


def answers(path: Path) -> Any:
    return np.asarray(keras.saving.load_model(path, compile=False)(x()))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_that_a_damaged_file_of_weights_is_a_sentence_and_the_engine_lives_on(
    engine: Worker, kind: str, tmp_path: Path
) -> None:
    write, nested = KINDS[kind]
    open_source(engine, tmp_path, nested)
    pid, path = engine.pid, tmp_path / kind
    write(path, nested, 1)
    good = ask(engine, MakePlan(recipe=transfer(path)))
    damaged(path)
    refused_step(ask(engine, MakePlan(recipe=transfer(path))), path)
    wanted = [
        Apply(recipe=transfer(path), out=str(tmp_path / "out.keras")),
        MatchWeights(recipe=Recipe(), file=str(path)),
        MatchWeights(recipe=Recipe(), file=str(path), match="order"),
        CompareRules(recipe=transfer(path), number=1),
        Verify(recipe=transfer(path), out=str(tmp_path / "source.keras")),
    ]
    for body in wanted:
        with pytest.raises(FileError, match="the reader process ended") as caught:
            ask(engine, body)
        assert str(path) in caught.value.message
        assert caught.value.message.count("\n") == 0
        assert engine.pid == pid
    assert not (tmp_path / "out.keras").exists()
    write(path, nested, 1)
    again = ask(engine, MakePlan(recipe=transfer(path)))
    assert engine.pid == pid
    assert [fate.weight for fate in again.fates] == [fate.weight for fate in good.fates]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("whole", WHOLE)
def test_that_a_damaged_model_to_join_is_a_sentence_and_the_engine_lives_on(
    engine: Worker, whole: str, tmp_path: Path
) -> None:
    write, nested = KINDS[whole]
    open_source(engine, tmp_path, nested)
    pid = engine.pid
    write(tmp_path / whole, nested, 1)
    joined = recipe({"do": "join_models", "file": str(tmp_path / whole), "how": "parallel"})
    assert ask(engine, MakePlan(recipe=joined)).ok
    damaged(tmp_path / whole)
    refused_step(ask(engine, MakePlan(recipe=joined)), tmp_path / whole)
    assert engine.pid == pid


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_that_a_damaged_result_to_check_is_a_sentence_and_the_engine_lives_on(engine: Worker, tmp_path: Path) -> None:
    open_source(engine, tmp_path, True)
    write_h5(tmp_path / "result.h5", True, 0)
    damaged(tmp_path / "result.h5")
    pid = engine.pid
    with pytest.raises(FileError, match="the reader process ended"):
        ask(engine, Verify(recipe=Recipe(), out=str(tmp_path / "result.h5")))
    assert engine.pid == pid


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_that_a_file_of_weights_that_was_saved_again_is_read_again(engine: Worker, kind: str, tmp_path: Path) -> None:
    write, nested = KINDS[kind]
    open_source(engine, tmp_path, nested)
    path = tmp_path / kind
    write(path, nested, 1)
    assert {fate.fate for fate in ask(engine, MakePlan(recipe=transfer(path))).fates} == {"transferred"}
    # other shapes show in the plan
    write(path, nested, 1, units=6)  # type: ignore[call-arg]
    plan: Plan = ask(engine, MakePlan(recipe=transfer(path)))
    assert "mismatched" in {fate.fate for fate in plan.fates}
    # other values show in the result, with nothing asked between
    other = write(path, nested, 2)
    written: Written = ask(engine, Apply(recipe=transfer(path), out=str(tmp_path / "out.keras")))
    assert written.verification is not None
    assert written.verification.ok
    np.testing.assert_allclose(answers(tmp_path / "out.keras"), np.asarray(other(x())), rtol=0, atol=1e-5)
    # and so they do when the source has been opened again
    ask(engine, SetSource(source=read_model(tmp_path / "source.keras")))
    third = write(path, nested, 3)
    ask(engine, Apply(recipe=transfer(path), out=str(tmp_path / "out.keras"), verify=False))
    np.testing.assert_allclose(answers(tmp_path / "out.keras"), np.asarray(third(x())), rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("whole", WHOLE)
def test_that_a_model_to_join_that_was_saved_again_is_read_again(engine: Worker, whole: str, tmp_path: Path) -> None:
    write, nested = KINDS[whole]
    open_source(engine, tmp_path, nested)
    path, out = tmp_path / whole, tmp_path / "out.keras"
    edit = {"do": "join_models", "file": str(path), "how": "parallel", "shared": True, "merge": "concatenate"}
    for seed, units in ((1, 3), (2, 3), (3, 7)):
        other = write(path, nested, seed, units=units)  # type: ignore[call-arg]
        written: Written = ask(engine, Apply(recipe=recipe(edit), out=str(out)))
        assert written.verification is not None
        assert written.verification.ok, written.verification
        given = answers(tmp_path / "source.keras"), np.asarray(other(x()))
        np.testing.assert_allclose(answers(out), np.concatenate(given, axis=-1), rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_that_a_result_may_go_over_a_file_that_another_recipe_used_and_not_over_its_own(
    engine: Worker, tmp_path: Path
) -> None:
    open_source(engine, tmp_path, False)
    used, other = tmp_path / "used.keras", tmp_path / "other.h5"
    write_keras(used, False, 1)
    donor = write_h5(other, False, 2)
    for path in (used, other):
        assert ask(engine, MakePlan(recipe=transfer(path))).ok
        with pytest.raises(FileError, match="is an input file"):
            ask(engine, Apply(recipe=transfer(path), out=str(path)))
        with pytest.raises(FileError, match="is an input file"):
            ask(engine, Apply(recipe=transfer(path), out=str(tmp_path / "source.keras")))
    written = ask(engine, Apply(recipe=transfer(other), out=str(used)))
    assert written.written == str(used)
    np.testing.assert_allclose(answers(used), np.asarray(donor(x())), rtol=0, atol=1e-5)
    # a step that is switched off uses nothing
    off = recipe({"do": "transfer_weights", "file": str(other), "enabled": False})
    assert ask(engine, Apply(recipe=off, out=str(other), verify=False)).written == str(other)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_that_a_result_never_goes_over_a_file_of_weights_beside_an_architecture(engine: Worker, tmp_path: Path) -> None:
    model = model_of(keras, True, 1)
    (tmp_path / "model.json").write_text(model.to_json())
    model.save_weights(tmp_path / "arrays.weights.h5")
    arrays = str(tmp_path / "arrays.weights.h5")
    ask(engine, SetSource(source=read_model(tmp_path / "model.json", arrays)))
    with pytest.raises(FileError, match="is an input file"):
        ask(engine, Apply(recipe=Recipe(), out=arrays))
    open_source(engine, tmp_path, True)
    edit = {"do": "join_models", "file": str(tmp_path / "model.json"), "weights": arrays, "how": "parallel"}
    with pytest.raises(FileError, match="is an input file"):
        ask(engine, Apply(recipe=recipe(edit), out=arrays))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_that_damaged_weights_of_a_new_application_are_a_sentence_and_the_engine_lives_on(
    engine: Worker, tmp_path: Path
) -> None:
    arrays = tmp_path / "arrays.weights.h5"
    write_weights(arrays, False, 1)
    open_source(engine, tmp_path, False)
    pid, out = engine.pid, str(tmp_path / "new.keras")
    with pytest.raises(FileError, match="does not fit MobileNet"):
        ask(engine, BuildApplication(name="MobileNet", out=out, weights=str(arrays), input_shape=(32, 32, 3)))
    damaged(arrays)
    with pytest.raises(FileError, match="the reader process ended"):
        ask(engine, BuildApplication(name="MobileNet", out=out, weights=str(arrays), input_shape=(32, 32, 3)))
    assert engine.pid == pid


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., list[str]]:
    """A command with one of three recipes: `join` (a model with weights beside it), and two with a damaged file."""
    write_keras(tmp_path / "source.keras", False, 0)
    model = model_of(keras, True, 1)
    (tmp_path / "model.json").write_text(model.to_json())
    model.save_weights(tmp_path / "arrays.weights.h5")
    write_h5(tmp_path / "bad.h5", True, 1)
    damaged(tmp_path / "bad.h5")
    join = {"do": "join_models", "file": str(tmp_path / "model.json"), "how": "parallel", "shared": True}
    recipes = {
        "join": {**join, "weights": str(tmp_path / "arrays.weights.h5"), "merge": "concatenate"},
        "bad": {"do": "transfer_weights", "file": str(tmp_path / "bad.h5")},
        "bad_beside": {**join, "weights": str(tmp_path / "bad.h5")},
    }
    for name, edit in recipes.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"suture": 1, "edits": [edit]}))
    return lambda what, name, *more: [what, str(tmp_path / "source.keras"), str(tmp_path / f"{name}.json"), *more]


def assert_refused(found: list[tuple[int, str, bool]]) -> None:
    assert [(code, words.count("\n")) for code, words, _ in found] == [(2, 1)] * len(found), found
    assert all("the reader process ended" in words for _, words, _ in found)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_that_damaged_files_of_a_recipe_are_told_by_the_command_line_before_keras_is_there(
    command: Callable[..., list[str]], tmp_path: Path
) -> None:
    out = str(tmp_path / "out.keras")
    found = _answers([command("plan", "bad"), command("plan", "bad_beside"), command("apply", "bad", "-o", out)])
    assert_refused(found)
    assert not any(keras_loaded for _, _, keras_loaded in found)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_that_the_command_line_takes_a_model_with_weights_beside_it_and_survives_damaged_files_beside_keras(
    command: Callable[..., list[str]], tmp_path: Path
) -> None:
    out = tmp_path / "out.keras"
    (tmp_path / "code.py").write_text("import keras\n\n\nclass Mine(keras.layers.Dense):\n    pass\n")
    code = ["--code", str(tmp_path / "code.py")]
    good = [command("apply", "join", "-o", str(out)), command("plan", "join", *code)]
    bad = [command("plan", "bad"), command("plan", "bad_beside"), command("plan", "bad", *code)]
    found = _answers([*good, *bad])
    assert [exit_code for exit_code, _, _ in found[:2]] == [0, 0], found[:2]
    assert_refused(found[2:])
    given = answers(tmp_path / "source.keras"), np.asarray(model_of(keras, True, 1)(x()))
    np.testing.assert_allclose(answers(out), np.concatenate(given, axis=-1), rtol=0, atol=1e-5)


def test_that_the_reader_of_the_engine_ends_with_it(engine: Worker, tmp_path: Path) -> None:
    def running(pid: int) -> bool:
        try:
            return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return False

    if not Path("/proc/self/task").exists():
        pytest.skip("processes are looked up in /proc")
    open_source(engine, tmp_path, False)
    write_keras(tmp_path / "other.keras", False, 1)
    ask(engine, MakePlan(recipe=transfer(tmp_path / "other.keras")))
    children = Path(f"/proc/{engine.pid}/task/{engine.pid}/children").read_text().split()
    readers = [int(one) for one in children if b"resource_tracker" not in Path(f"/proc/{one}/cmdline").read_bytes()]
    assert len(readers) == 1
    limits = Path(f"/proc/{readers[0]}/limits").read_text().splitlines()
    assert next(line.split()[3] for line in limits if line.startswith("Max address space")) == str(READER_BYTES)
    engine.stop()
    end = time.monotonic() + 20
    while running(readers[0]) and time.monotonic() < end:
        time.sleep(0.02)
    assert not running(readers[0])
