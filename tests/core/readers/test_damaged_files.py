"""Damaged, truncated and wrong files end in one sentence, whatever bytes are hit."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.analysis.opening import read_model
from core.errors import FileError
from core.readers import open_store

Make = Callable[[Path], Path]


def _write(text: bytes) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(text)


WRONG: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "missing": ("does not exist", lambda path: None),
    "empty": ("is empty", _write(b"")),
    "text": ("is not a Keras model", _write(b"hello, this is no model")),
    "picture": ("is not a Keras model", _write(b"\x89PNG\r\n\x1a\n" + b"\0" * 100)),
    "pointer": ("Git LFS pointer", _write(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n")),
    "folder": ("folder without saved_model.pb", lambda path: path.mkdir()),
    "zip": ("zip archive", _write(b"PK\x03\x04" + b"\0" * 200)),
    "other json": ("does not describe a Keras model", _write(b'{"hello": [1, 2, 3]}')),
    "cut json": ("not valid JSON", _write(b'{"class_name": "Sequential", "config": {')),
    "hdf5 head": ("cannot be opened|truncated", _write(b"\x89HDF\r\n\x1a\n" + b"\0" * 600)),
}


@pytest.mark.parametrize("kind", sorted(WRONG))
def test_that_a_file_which_is_no_model_says_so(tmp_path: Path, kind: str) -> None:
    sentence, make = WRONG[kind]
    path = tmp_path / "model.keras"
    make(path)
    with pytest.raises(FileError, match=sentence) as caught:
        read_model(path)
    assert caught.value.fields["code"] == "file.damaged"
    assert str(tmp_path) not in caught.value.message


def test_that_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.keras")
    for path in (tmp_path / "model.keras", Path("/dev/zero")):
        with pytest.raises(FileError, match="pipe or a device"):
            read_model(path)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small model in every format."""
    import keras

    folder = tmp_path_factory.mktemp("originals")
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(2)]
    )
    files = {"keras": folder / "model.keras", "h5": folder / "model.h5", "weights": folder / "model.weights.h5"}
    model.save(files["keras"])
    model.save(files["h5"])
    model.save_weights(files["weights"])
    files["json"] = folder / "model.json"
    files["json"].write_text(model.to_json())
    return files


def _survives(path: Path) -> None:
    """Reading either works or ends in a `FileError` of one sentence."""
    refusal = None
    try:
        source = read_model(path)
        with open_store(source) as store:
            for _, layer in source.graph.walk():
                for weight in layer.weights:
                    if weight.source is not None:
                        store.read(weight.source.key)
    except FileError as error:
        refusal = error.message
    assert refusal is None or (refusal.endswith(".") and "\n" not in refusal)


@pytest.mark.parametrize("kind", ["keras", "h5", "weights", "json"])
def test_that_flipped_bytes_never_crash_the_reader(originals: dict[str, Path], tmp_path: Path, kind: str) -> None:
    data = originals[kind].read_bytes()
    generator = random.Random(7)
    path = tmp_path / originals[kind].name
    for _ in range(200):
        changed = bytearray(data)
        for _ in range(generator.choice((1, 4, 16))):
            changed[generator.randrange(len(changed))] = generator.randrange(256)
        path.write_bytes(changed)
        _survives(path)


@pytest.mark.parametrize("kind", ["keras", "h5", "weights", "json"])
def test_that_a_truncated_file_is_refused(originals: dict[str, Path], tmp_path: Path, kind: str) -> None:
    data = originals[kind].read_bytes()
    path = tmp_path / originals[kind].name
    for part in (1, 10, 100, len(data) // 3, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:part])
        with pytest.raises(FileError):
            read_model(path)


def test_that_an_array_gone_since_opening_is_one_sentence(originals: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(originals["keras"].read_bytes())
    source = read_model(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(FileError), open_store(source) as store:
        store.read("layers/conv2d/vars/0")


def test_that_saved_model_bytes_never_crash_the_reader(tmp_path: Path, corpus: Callable[[str], Path]) -> None:
    origin = corpus("keras-team-tf-keras/lso_savedmodel_tf2.2")
    files = {item.relative_to(origin): item.read_bytes() for item in origin.rglob("*") if item.is_file()}
    generator = random.Random(3)
    (tmp_path / "variables").mkdir()
    for _ in range(200):
        victim = generator.choice(sorted(files))
        for name, data in files.items():
            changed = bytearray(data)
            if name == victim:
                changed[generator.randrange(len(changed))] = generator.randrange(256)
            (tmp_path / name).write_bytes(changed)
        _survives(tmp_path)


def test_that_a_model_without_permission_says_so(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": []}}))
    path.chmod(0)
    try:
        path.read_bytes()
    except PermissionError:
        with pytest.raises(FileError, match="permission denied"):
            read_model(path)
    else:
        pytest.skip("this user may read everything")
