"""Descriptions of files that recipes name: kept while a file is what it was, and no longer."""

import os
from pathlib import Path
from typing import Any

import pytest

from core.analysis.recipe_files import _MOST, RecipeFiles
from core.errors import FileError
from core.layers.kinds import Kind
from core.model.graph import Graph
from core.readers.source import Source
from core.recipes.recipe import Recipe, from_json


class Reading:
    """A reader that counts; what it says of a file is what stands in it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, path: str, weights: str | None = None, *, kinds: Any = None) -> Source:
        self.asked.append(path)
        words = Path(path).read_text() if Path(path).is_file() else "folder"
        if words.startswith("bad"):
            raise FileError(f"{path} is damaged.", code="file.damaged", path=path)
        return Source(path, words, "model", Graph("g"), weights_path=weights)


def touched(path: Path, by: int = 1000) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + by))


def test_that_an_unchanged_file_is_read_once_and_is_the_same_object(tmp_path: Path) -> None:
    reading, path = Reading(), tmp_path / "a.h5"
    files = RecipeFiles(reading)
    path.write_text("one")
    first = files.read(str(path))
    assert files.read(str(path)) is first
    assert len(reading.asked) == 1


@pytest.mark.parametrize("change", ["size", "time"])
def test_that_a_file_of_another_size_or_time_is_read_again(tmp_path: Path, change: str) -> None:
    reading, path = Reading(), tmp_path / "a.h5"
    files = RecipeFiles(reading)
    path.write_text("one")
    files.read(str(path))
    status = path.stat()
    path.write_text("two" if change == "time" else "three")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + (change == "time")))
    assert files.read(str(path)).format == path.read_text()
    assert len(reading.asked) == 2


def test_that_the_file_of_weights_beside_an_architecture_counts_too(tmp_path: Path) -> None:
    reading, path, beside = Reading(), tmp_path / "a.json", tmp_path / "a.h5"
    files = RecipeFiles(reading)
    path.write_text("one")
    beside.write_text("arrays")
    first = files.read(str(path), str(beside))
    assert files.read(str(path)) is not first
    assert files.read(str(path), str(beside)) is first
    touched(beside)
    assert files.read(str(path), str(beside)) is not first


def test_that_classes_known_by_now_are_asked_for_anew(tmp_path: Path) -> None:
    reading, path = Reading(), tmp_path / "a.h5"
    files = RecipeFiles(reading)
    path.write_text("one")
    kinds = {"Mine": Kind("Dense", frozenset({"units"})), "Another": Kind("LSTM")}
    files.read(str(path))
    first = files.read(str(path), kinds=kinds)
    assert files.read(str(path), kinds=dict(reversed(kinds.items()))) is first
    assert len(reading.asked) == 2


def test_that_what_is_wrong_with_a_file_is_remembered_until_it_changes_or_is_opened_again(tmp_path: Path) -> None:
    reading, path = Reading(), tmp_path / "a.h5"
    files = RecipeFiles(reading)
    path.write_text("bad one")
    for _ in range(3):
        with pytest.raises(FileError, match="damaged"):
            files.read(str(path))
    assert len(reading.asked) == 1
    files.retry()
    with pytest.raises(FileError, match="damaged"):
        files.read(str(path))
    assert len(reading.asked) == 2
    path.write_text("good")
    assert files.read(str(path)).format == "good"


def test_that_a_missing_file_is_looked_for_each_time(tmp_path: Path) -> None:
    files = RecipeFiles()
    path = tmp_path / "a.json"
    for _ in range(2):
        with pytest.raises(FileError, match="does not exist"):
            files.read(str(path))
    path.write_text('{"class_name": "Sequential", "config": {"name": "m", "layers": []}}')
    assert files.read(str(path)).kind == "architecture"


@pytest.mark.parametrize(
    "inside", ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"]
)
@pytest.mark.parametrize("named", ["folder", "saved_model.pb"])
def test_that_a_saved_model_is_known_by_what_lies_in_its_folder(tmp_path: Path, inside: str, named: str) -> None:
    reading = Reading()
    files = RecipeFiles(reading)
    folder = tmp_path / "folder"
    (folder / "variables").mkdir(parents=True)
    for name in ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"):
        (folder / name).write_text("x")
    path = str(folder if named == "folder" else folder / named)
    first = files.read(path)
    assert files.read(path) is first
    touched(folder / inside)
    assert files.read(path) is not first


def test_that_a_checkpoint_is_known_by_its_index(tmp_path: Path) -> None:
    reading = Reading()
    files = RecipeFiles(reading)
    (tmp_path / "point.index").write_text("x")
    first = files.read(str(tmp_path / "point"))
    assert files.read(str(tmp_path / "point")) is first
    touched(tmp_path / "point.index")
    assert files.read(str(tmp_path / "point")) is not first


def test_that_only_the_latest_files_are_kept(tmp_path: Path) -> None:
    reading = Reading()
    files = RecipeFiles(reading)
    paths = [tmp_path / f"{number}.h5" for number in range(_MOST + 4)]
    for path in paths:
        path.write_text("one")
        files.read(str(path))
        files.read(str(paths[0]))  # in use all the time
    assert len(files._known) == _MOST
    assert reading.asked.count(str(paths[0])) == 1
    files.read(str(paths[1]))
    assert reading.asked.count(str(paths[1])) == 2


def test_that_a_recipe_names_the_files_of_the_steps_that_are_on() -> None:
    edits = [
        {"do": "join_models", "file": "b.json", "weights": "b.h5"},
        {"do": "transfer_weights", "file": "a.h5"},
        {"do": "transfer_weights", "file": "c.h5", "enabled": False},
        {"do": "join_models", "file": "d.keras"},
    ]
    import json

    recipe = from_json(json.dumps({"suture": 1, "edits": edits}))
    assert list(recipe.files().items()) == [
        ("b.json with b.h5", ("b.json", "b.h5")), ("a.h5", ("a.h5", None)), ("d.keras", ("d.keras", None)),
    ]  # fmt: skip
    assert Recipe().files() == {}
