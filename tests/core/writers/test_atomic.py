"""Outputs are whole or not at all, and what goes wrong is said in one sentence."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from core.engine.arrays import Arrays
from core.errors import FileError, PlanRefused, SutureError
from core.recipes.recipe import Recipe
from core.writers.atomic import Unchecked, rename_over
from core.writers.partials import remove_partials
from tests.core.engine.drive import opened, recipe, saved
from tests.core.engine.small_models import build

ENDINGS = [".keras", ".h5", ".weights.h5"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return saved(build("residual"), folder)


def sentence(error: SutureError) -> str:
    """The message, which must be one line and end like a sentence."""
    assert "\n" not in error.message
    assert error.message.endswith("."), error.message
    assert "Traceback" not in error.message
    return error.message


def failing(after: int, error: Exception) -> Any:
    """A way to read arrays that fails after some of them."""
    original = Arrays.values
    count = 0

    def values(self: Arrays, move: Any) -> Any:
        nonlocal count
        count += 1
        if count > after:
            raise error
        return original(self, move)

    return values


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EIO, "Input/output error"),
        MemoryError(),
        KeyboardInterrupt(),
    ],
    ids=["full", "broken", "memory", "interrupt"],
)
def test_that_a_failure_in_the_middle_leaves_nothing_new_and_the_old_file_untouched(
    ending: str, error: Exception, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    out = folder / f"model{ending}"
    out.write_bytes(b"what was there before")
    monkeypatch.setattr(Arrays, "values", failing(3, error))
    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else FileError
    with pytest.raises(expected) as caught:
        opened(source).apply(Recipe(), out, check=False)
    if isinstance(caught.value, SutureError):
        sentence(caught.value)
    assert [path.name for path in folder.iterdir()] == [out.name]
    assert out.read_bytes() == b"what was there before"


@pytest.mark.parametrize("ending", ENDINGS)
def test_that_a_full_disk_is_said_in_a_sentence(
    ending: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Arrays, "values", failing(2, OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(FileError) as caught:
        opened(source).apply(Recipe(), tmp_path / f"out{ending}", check=False)
    assert "full" in sentence(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_that_a_device_that_is_really_full_is_said_in_a_sentence(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real error of the operating system, through HDF5's own writing."""
    from core.writers import atomic

    monkeypatch.setattr(atomic, "partial_path", lambda out, process: Path("/dev/full"))
    monkeypatch.setattr(atomic, "remove_partials", lambda out, process: None)
    with pytest.raises(FileError) as caught:
        opened(source).apply(Recipe(), tmp_path / "out.weights.h5", check=False)
    sentence(caught.value)
    assert not (tmp_path / "out.weights.h5").exists()


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_that_the_source_is_never_the_output(ending: str, tmp_path: Path) -> None:
    source = saved(build("residual"), tmp_path, f"source{ending}")
    before = source.read_bytes()
    other = tmp_path / f"link{ending}"
    other.symlink_to(source)
    for out in (source, other, tmp_path / "." / source.name):
        with pytest.raises(FileError) as caught:
            opened(source).apply(Recipe(), out, check=False)
        assert "source" in sentence(caught.value)
    assert source.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source.name, other.name])


def test_that_a_missing_folder_is_said_in_a_sentence(source: Path, tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        opened(source).apply(Recipe(), tmp_path / "nowhere" / "out.keras", check=False)
    assert "nowhere" in sentence(caught.value)
    assert not (tmp_path / "nowhere").exists()


def test_that_a_folder_is_not_taken_as_an_output(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out.keras").mkdir()
    with pytest.raises(FileError) as caught:
        opened(source).apply(Recipe(), tmp_path / "out.keras", check=False)
    assert "folder" in sentence(caught.value)


def test_that_a_file_is_not_taken_as_a_folder(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileError) as caught:
        opened(source).apply(Recipe(), tmp_path / "file" / "out.keras", check=False)
    assert "not a folder" in sentence(caught.value)


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="the superuser may write anywhere")
def test_that_a_folder_without_permission_is_said_in_a_sentence(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with pytest.raises(FileError) as caught:
        opened(source).apply(Recipe(), folder / "out.keras", check=False)
    assert "do not have permission" in sentence(caught.value)


def test_that_an_ending_that_says_no_format_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        opened(source).apply(Recipe(), tmp_path / "out.model", check=False)
    assert ".keras" in sentence(caught.value)


def test_that_a_plan_with_errors_writes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    source = saved(build("chain"), folder)
    with pytest.raises(PlanRefused) as caught:
        opened(source).apply(recipe({"do": "change_input", "shape": [20, 20, 3]}), tmp_path / "out.keras")
    assert sentence(caught.value).startswith("Nothing was written")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_that_the_source_is_not_changed_by_anything_that_is_done_to_it(source: Path, tmp_path: Path) -> None:
    before = source.read_bytes(), source.stat().st_mtime_ns
    engine = opened(source)
    engine.apply(recipe({"do": "change_input", "shape": [16, 16, 1]}), tmp_path / "out.keras", check=True)
    assert (source.read_bytes(), source.stat().st_mtime_ns) == before


def test_that_an_unchecked_result_is_cleared_away_as_a_partial_one_is(tmp_path: Path) -> None:
    out = tmp_path / "new.keras"
    with Unchecked(out) as unchecked:
        assert unchecked.place.name == "new.keras"
        unchecked.place.write_text("whole", encoding="utf-8")
        # what a parent does when its writer was cut off
        remove_partials(out, os.getpid())
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("made", ["file", "folder"])
@pytest.mark.parametrize("there", ["nothing", "file", "folder"])
def test_that_a_name_goes_over_to_what_was_made(made: str, there: str, tmp_path: Path) -> None:
    out = tmp_path / "name"
    for path, kind, text in ((tmp_path / "made", made, "new"), (out, there, "old")):
        if kind == "folder":
            path.mkdir()
            (path / "inside").write_text(text, encoding="utf-8")
        elif kind == "file":
            path.write_text(text, encoding="utf-8")
    rename_over(tmp_path / "made", out)
    assert [item.name for item in tmp_path.iterdir()] == ["name"]
    assert (out / "inside" if made == "folder" else out).read_text(encoding="utf-8") == "new"


def test_that_a_folder_stays_when_the_new_one_cannot_have_its_name(tmp_path: Path) -> None:
    out = tmp_path / "name"
    out.mkdir()
    with pytest.raises(FileNotFoundError):
        rename_over(tmp_path / "missing", out)
    assert [item.name for item in tmp_path.iterdir()] == ["name"]
