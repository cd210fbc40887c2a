"""Files that are read apart: whatever they do to the process that reads them, the command line tells it and goes on."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from core.analysis.opening import read_model
from core.errors import FileError
from core.readers import open_store, prove_arrays
from tests.helpers.blockers import ROOT

VARIANTS = 160
LAYERS: list[dict[str, Any]] = [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 4], "dtype": "float32"}},
    {"class_name": "Dense", "config": {"name": "one", "units": 3, "activation": "relu"}},
    {"class_name": "Dense", "config": {"name": "two", "units": 3, "activation": "linear"}},
]
DRIVER = """
import contextlib, io, json, os, signal, sys
from core.cli import run
import core.service.apart as apart

commands, dying = json.loads(sys.stdin.read())
if dying == "signal":
    apart.read_model = lambda *_: os.kill(os.getpid(), signal.SIGSEGV)
if dying == "fault":
    apart.read_model = lambda *_: 1 / 0
if dying == "loop":
    apart.CPU_SECONDS = 1
    def endless(*_):
        while True: pass
    apart.read_model = endless
for command in commands:
    reading, writing = os.pipe()
    kept = os.dup(1), os.dup(2)
    os.dup2(writing, 1), os.dup2(writing, 2)
    try:
        code = run(command)
    finally:
        for number, one in zip((1, 2), kept):
            os.dup2(one, number), os.close(one)
        os.close(writing)
    with open(reading, errors="replace") as pipe:
        words = pipe.read(4000)
    print(json.dumps([code, words, "tensorflow" in sys.modules]), flush=True)
"""


def _file(path: Path, **options: Any) -> Path:
    """A whole model in Keras 2's HDF5."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.4.0"
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": LAYERS}})
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"in", b"one", b"two"]
        group.create_group("in").attrs["weight_names"] = np.array([], "S1")
        for name, width in (("one", 4), ("two", 3)):
            layer = group.create_group(name)
            layer.attrs["weight_names"] = [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
            inner = layer.create_group(name)
            inner.create_dataset("kernel:0", data=np.ones((width, 3), "float32"), **options)
            inner["bias:0"] = np.ones(3, "float32")
    return path


def _answers(commands: list[list[str]], dying: str = "") -> list[tuple[int, str, bool]]:
    """Exit code, words, and whether TensorFlow was loaded, for each command in one process without Keras."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER], input=json.dumps([commands, dying]), capture_output=True, text=True,
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("dying", ["signal", "loop"])
def test_that_a_file_which_ends_its_reader_is_told_in_a_sentence(tmp_path: Path, dying: str) -> None:
    path, recipe = str(_file(tmp_path / "model.h5")), str(tmp_path / "blank.json")
    Path(recipe).write_text('{"suture": 1, "edits": []}')
    commands = [["inspect", path], ["inspect", path, "--json"], ["diff", path, path], ["plan", path, recipe],
                ["apply", path, recipe, "-o", str(tmp_path / "out.keras")], ["verify", path, recipe, path]]  # fmt: skip
    commands = commands if dying == "signal" else commands[:1]
    found = _answers(commands, dying)
    assert len(found) == len(commands)
    for code, words, keras in found:
        assert code == 2
        assert "the reader process ended" in words
        assert words.count("\n") == 1
        assert not keras


def test_that_a_fault_of_ours_in_the_reader_is_told_as_such(tmp_path: Path) -> None:
    [(code, words, _)] = _answers([["inspect", str(_file(tmp_path / "model.h5"))]], "fault")
    assert code == 3
    assert "reading a file" in words


@pytest.mark.slow
def test_that_flipped_bytes_end_no_command(tmp_path: Path) -> None:
    rng = random.Random(20)
    good = [_file(tmp_path / "plain.h5"), _file(tmp_path / "chunked.h5", chunks=(2, 2), compression="gzip")]
    commands = []
    for number in range(VARIANTS):
        data = bytearray(good[number % 2].read_bytes())
        for _ in range(rng.choice((1, 2, 4, 16))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path = tmp_path / f"{number}.h5"
        path.write_bytes(data)
        commands.append(["diff", str(path), str(good[0])] if number % 4 == 3 else ["inspect", str(path)])
    found = _answers(commands)
    assert len(found) == VARIANTS
    wrong = [(code, words) for code, words, _ in found if code not in (0, 2) or "Traceback" in words]
    assert wrong == []
    assert {code for code, _, _ in found} == {0, 2}


def test_that_the_reader_that_is_kept_answers_like_the_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.service import apart

    _file(tmp_path / "model.h5")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(apart, "_can_fork", lambda: False)
    source = apart.read_apart("model.h5", prove=True)
    assert source == read_model("model.h5")
    monkeypatch.chdir(tmp_path / "other")
    with pytest.raises(FileError, match="does not exist"):
        apart.read_apart("model.h5")
    apart._kept.pop()[1].stop()


def test_that_arrays_which_hdf5_works_out_are_proven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.readers.containers import store

    read: list[str] = []
    monkeypatch.setattr(store, "read_array", lambda file, name, path: read.append(name))
    prove_arrays(read_model(_file(tmp_path / "plain.h5")))
    assert read == []
    prove_arrays(read_model(_file(tmp_path / "chunked.h5", chunks=(2, 2))))
    assert [name.rpartition("/")[2] for name in read] == ["kernel:0", "kernel:0"]


def _touched(path: Path) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1000))


@pytest.mark.parametrize("which", ["model", "weights"])
def test_that_a_file_which_changed_since_it_was_read_is_not_opened(tmp_path: Path, which: str) -> None:
    import keras

    path = _file(tmp_path / "model.h5")
    if which == "model":
        source = read_model(path)
    else:
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="one"), keras.layers.Dense(3)])
        (tmp_path / "model.json").write_text(model.to_json())
        source = read_model(tmp_path / "model.json", path)
    with open_store(source) as store:
        assert store.keys()
    _touched(path)
    with pytest.raises(FileError, match="has changed since it was opened"):
        open_store(source)
