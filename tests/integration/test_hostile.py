"""Files made to do harm, on the command line and in the window's helpers: nothing runs, leaks or takes all memory."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest

from core.analysis.opening import read_model
from core.engine.api import Engine
from core.errors import FileError, SutureError
from core.recipes.recipe import Recipe
from core.service.client import Worker
from core.service.messages import Apply, OpenModel, PreviewWeight, SetSource, Verify
from tests.helpers.blockers import ROOT
from tests.helpers.hostile import NUMBER, SECRET, Trap, archives, hdf5_files

LIMIT = 2 << 30
COMMANDS = ("inspect", "plan", "apply", "verify", "as result")


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Trap:
    folder = tmp_path_factory.mktemp("trap")
    image = keras.Input((4,), name="in")
    model = keras.Model(
        image, keras.layers.Dense(2, name="top")(keras.layers.Dense(3, name="dense", use_bias=False)(image))
    )
    model.save(folder / "good.keras")
    model.save(folder / "good.h5")
    (folder / "empty.json").write_text('{"suture": 1, "edits": []}')
    return Trap(folder, folder / "good.keras")


@pytest.fixture(scope="module")
def files(trap: Trap) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for ending, makers in ((".keras", archives(trap)), (".h5", hdf5_files(trap))):
        for name, make in makers.items():
            path = trap.folder / f"{len(found):03}{ending}"
            make(trap, path)
            found[name] = path
    return found


def commands(trap: Trap, path: Path) -> dict[str, list[str]]:
    """Every command with the file as its model, and one with the file as the result to be verified."""
    recipe, good = str(trap.folder / "empty.json"), trap.folder / f"good{path.suffix}"
    out = trap.folder / f"out-{path.stem}{path.suffix}"
    return {
        "inspect": ["inspect", str(path), "--json"],
        "plan": ["plan", str(path), recipe, "--json"],
        "apply": ["apply", str(path), recipe, "-o", str(out), "--verify", "--json"],
        "verify": ["verify", str(path), recipe, str(good), "--json"],
        "as result": ["verify", str(good), recipe, str(path), "--json"],
    }


@pytest.fixture(scope="module")
def answers(trap: Trap, files: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """What every command said of every file, by `file / command`."""
    todo = [
        (f"{name} / {command}", arguments)
        for name, path in files.items()
        for command, arguments in commands(trap, path).items()
    ]
    listing = trap.folder / "commands.json"
    listing.write_text(json.dumps(todo))
    found: dict[str, dict[str, Any]] = {}
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{trap.folder}"}
    with (trap.folder / "driver.err").open("w") as errors:
        done = subprocess.run(
            [sys.executable, "-m", "tests.helpers.hostile_driver", str(listing)],
            cwd=trap.folder, env=environment, stdout=subprocess.PIPE, stderr=errors, timeout=900, check=False,
        )  # fmt: skip
    for line in done.stdout.decode().splitlines():
        answer = json.loads(line)
        found[answer["name"]] = answer
    last = next((name for name, _ in todo if name not in found), "")
    words = (trap.folder / "driver.err").read_text()[-2000:]
    assert done.returncode == 0, f"the process ended with {done.returncode} at {last!r}: {words}"
    return found


def leaks(text: str) -> bool:
    return SECRET in text or str(NUMBER) in text


def test_that_the_harmful_files_would_do_harm_if_they_were_believed(trap: Trap) -> None:
    import marshal
    import types

    code = marshal.loads(trap.code())
    types.FunctionType(code, {"__builtins__": __builtins__})(1)
    assert trap.marker.exists()
    trap.marker.unlink()


@pytest.mark.parametrize("command", COMMANDS)
def test_that_every_command_answers_in_json_or_one_sentence(
    command: str, files: dict[str, Path], answers: dict[str, dict[str, Any]]
) -> None:
    wrong = {}
    for name in files:
        answer = answers[f"{name} / {command}"]
        sentence = answer["err"].strip()
        told = answer["code"] == 0 or (
            answer["code"] in (1, 2) and sentence and "\n" not in sentence and sentence.endswith(".")
        )
        if not told or "Traceback" in answer["err"] + answer["out"]:
            wrong[name] = (answer["code"], answer["err"][-400:])
    assert wrong == {}


@pytest.mark.parametrize("command", COMMANDS)
def test_that_nothing_ran_and_nothing_of_the_secret_is_told(
    command: str, trap: Trap, files: dict[str, Path], answers: dict[str, dict[str, Any]]
) -> None:
    assert not trap.marker.exists()
    assert not (trap.folder.parent / "marker").exists()
    told = {name: answers[f"{name} / {command}"] for name in files}
    assert [name for name, one in told.items() if leaks(one["out"] + one["err"])] == []
    assert [name for name, one in told.items() if one["seconds"] > 30] == []


def test_that_no_written_file_holds_the_secret(trap: Trap, answers: dict[str, dict[str, Any]]) -> None:
    needles = (SECRET.encode(), (trap.folder / "secret.bin").read_bytes()[:8])
    for path in trap.folder.glob("out-*"):
        data = path.read_bytes()
        assert not any(needle in data for needle in needles), path


def test_that_code_is_always_announced(files: dict[str, Path], answers: dict[str, dict[str, Any]]) -> None:
    # what is not carried into anything is dropped without more words than that
    dropped = ("as unknown field", "as compile_config", "as build_config", "training config", "member names")
    silent = []
    for name in files:
        answer = answers[f"{name} / inspect"]
        if answer["code"] or name.endswith(dropped):
            continue
        codes = {finding["code"] for finding in json.loads(answer["out"])["findings"]}
        if not codes & {"code.lambda", "code.custom", "layer.unknown", "weight.unmatched", "graph.opaque"}:
            silent.append(name)
    assert silent == []


def test_that_dropped_code_is_not_in_what_is_written(
    trap: Trap, files: dict[str, Path], answers: dict[str, dict[str, Any]]
) -> None:
    for name, path in files.items():
        if name.endswith(("as unknown field", "as compile_config", "as build_config", "training config")):
            written = (trap.folder / f"out-{path.stem}{path.suffix}").read_bytes()
            assert str(trap.marker).encode() not in written, name
            assert b"harm_by_import" not in written, name
            assert b"__lambda__" not in written, name
            assert answers[f"{name} / apply"]["code"] == 0


def test_that_a_graph_which_writes_files_is_not_loaded(trap: Trap) -> None:
    import tensorflow as tf

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32)])
        def serve(self, x: Any) -> Any:
            with tf.control_dependencies([tf.io.write_file(str(trap.marker), "harm")]):
                return tf.identity(x[:, :2])

    out = trap.folder / "graph.savedmodel"
    tf.saved_model.save(Module(), str(out))
    engine = Engine()
    engine.set_source(read_model(trap.good))
    result = engine.verify(Recipe(), out)
    assert not result.ok
    assert "WriteFile" in result.message
    assert not trap.marker.exists()
    tf.saved_model.load(str(out)).serve(tf.zeros((1, 4)))
    assert trap.marker.exists()
    trap.marker.unlink()


@pytest.fixture(scope="module")
def workers() -> Iterator[tuple[Worker, Worker]]:
    pair = Worker("reader"), Worker("engine")
    yield pair
    for worker in pair:
        worker.stop()


def ask(worker: Worker, body: Any) -> Any:
    """The value, or the error; the process must live on."""
    number, end = worker.send(body), time.monotonic() + 60
    while time.monotonic() < end:
        for reply in worker.poll():
            if reply.id == number and reply.done:
                return reply.error if reply.error is not None else reply.value
        time.sleep(0.002)
    raise TimeoutError(str(body))


def peak(worker: Worker) -> int:
    """The most memory the process ever held, in bytes; 0 where the system does not tell."""
    status = Path(f"/proc/{worker.pid}/status")
    if not status.exists():
        return 0
    return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))


def test_that_the_window_s_helpers_live_through_every_file(
    trap: Trap, files: dict[str, Path], workers: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, engine = workers
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{trap.folder}")
    ask(reader, OpenModel(path=str(trap.good)))
    pids = None
    for name, path in files.items():
        source = ask(reader, OpenModel(path=str(path)))
        if isinstance(source, SutureError):
            assert isinstance(source, FileError), (name, source.message)
            assert not leaks(source.message)
            continue
        weights = [one for _, layer in source.graph.walk() for one in layer.weights if one.source is not None]
        for weight in weights[:2]:
            seen = ask(reader, PreviewWeight(path=str(path), key=weight.source.key, weight=weight.name))
            assert not leaks(repr(seen)), name
        for body in (
            SetSource(source=source),
            Apply(recipe=Recipe(), out=str(trap.folder / f"window-{path.stem}{path.suffix}"), verify=True),
            Verify(recipe=Recipe(), out=str(trap.good)),
        ):
            answer = ask(engine, body)
            assert not (isinstance(answer, SutureError) and answer.exit_code == 3), (name, answer.message)
            assert not leaks(repr(answer)), name
        pids = pids or (reader.pid, engine.pid)
        assert (reader.pid, engine.pid) == pids, name
    assert not trap.marker.exists()
    assert peak(reader) < LIMIT
    assert peak(engine) < LIMIT
