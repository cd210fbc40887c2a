"""What lies on the disk when the process that writes or checks a result ends, at every stage of it.

The real engine runs once; at each stage the folder is remembered as it is, which is what a killed process would leave.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest

from core.errors import FileError, NotChecked
from core.recipes.recipe import Recipe
from core.service.leftovers import Stamp, settle_leftovers, stamp
from core.service.messages import Apply, CheckAgain
from core.writers import atomic
from core.writers.partials import unverified_path
from tests.core.engine.drive import opened, recipe, saved
from tests.core.engine.small_models import build

GRAY = recipe({"do": "set_trainable", "layers": ["*"], "trainable": False})
CHECKING = ("reloading", "comparing weights", "running", "comparing outputs")
"""Stages in which the file is whole."""
WHOLE, CHECKED, OLD = "before it is whole", "before it gets its name", "what was there before"


class Deaths:
    """Copies of a folder at every stage of a job; names in it keep the files that they have."""

    def __init__(self, folder: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._kept = folder, kept
        self.found: dict[str, Path] = {}
        real = atomic.rename_over

        def renaming(made: Path, out: Path) -> None:
            checked = out.parent == folder
            self.at(CHECKED if checked else WHOLE, 0.0)
            real(made, out)
            self.at("named" if checked else "written", 0.0)

        monkeypatch.setattr(atomic, "rename_over", renaming)

    def at(self, stage: str, fraction: float) -> None:
        """A stage begins."""
        if stage not in self.found:
            place = self.found[stage] = self._kept / str(len(self.found))
            shutil.copytree(self._folder, place, copy_function=os.link)


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def settled(place: Path, out: str, before: Stamp, body: Callable[..., Any] = Apply) -> NotChecked | None:
    """What the window does when it sees that the process is gone."""
    return settle_leftovers(body(recipe=Recipe(), out=str(place / out)), os.getpid(), before)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A flat model, a nested one, and a file that Keras 2 wrote."""
    import tf_keras

    folder = tmp_path_factory.mktemp("sources")
    layers = [tf_keras.layers.Input((8,)), tf_keras.layers.Dense(6, activation="relu"), tf_keras.layers.Dense(3)]
    old = folder / "old.h5"
    tf_keras.Sequential(layers).save(old)
    return {
        "flat": saved(build("residual"), folder, "flat.keras"),
        "nested": saved(build("nested"), folder, "nested.keras"),
        "old": old,
    }


@pytest.mark.parametrize("there", [False, True], ids=["new", "replacing"])
@pytest.mark.parametrize(("source", "ending"), [("flat", ".keras"), ("nested", ".h5"), ("old", ".weights.h5")])
def test_that_nothing_whole_is_lost_and_nothing_half_is_left(
    source: str, ending: str, there: bool, made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, name, old = opened(made[source]), f"new{ending}", []
    folder = tmp_path / "folder"
    folder.mkdir()
    if there:
        (folder / name).write_text(OLD, encoding="utf-8")
        old = [name]
    before = stamp(folder / name)
    deaths = Deaths(folder, tmp_path, monkeypatch)
    engine.apply(GRAY, folder / name, True, deaths.at)
    monkeypatch.undo()
    whole = (folder / name).read_bytes()
    assert list(deaths.found) == ["planning", "writing", WHOLE, "written", *CHECKING, CHECKED, "named"]
    for stage, place in deaths.found.items():
        error = settled(place, name, before)
        if stage == "named":
            assert error is not None
            assert (error.fields["passed"], error.fields["kept"]) == (True, str(place / name))
            assert names(place) == [name]
            assert (place / name).read_bytes() == whole
        elif stage in ("written", *CHECKING, CHECKED):
            assert error is not None, stage
            kept = place / f"{name}.unverified"
            assert error.fields == {"kept": str(kept), "out": str(place / name), "passed": False}, stage
            assert names(place) == [*old, kept.name], stage
            assert kept.read_bytes() == whole, stage
        else:
            assert error is None, stage
            assert names(place) == old, stage
        if there and stage != "named":
            assert (place / name).read_text(encoding="utf-8") == OLD, stage


def test_that_a_second_check_leaves_what_it_checks(
    made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = opened(made["flat"])
    folder = tmp_path / "folder"
    folder.mkdir()
    out = folder / "new.keras"
    engine.apply(GRAY, out, False)
    out.rename(unverified_path(out))
    deaths = Deaths(folder, tmp_path, monkeypatch)
    written = engine.check_again(GRAY, out, deaths.at)
    monkeypatch.undo()
    assert (written.written, names(folder)) == (str(out), [out.name])
    assert written.verification is not None
    assert written.verification.ok
    assert written.bytes == out.stat().st_size
    for stage, place in deaths.found.items():
        error = settled(place, out.name, None, CheckAgain)
        assert error is not None
        assert error.fields["passed"] == (stage == "named"), stage
        assert names(place) == [out.name if stage == "named" else "new.keras.unverified"], stage


def test_that_a_result_that_fails_a_second_check_does_not_get_its_name(made: dict[str, Path], tmp_path: Path) -> None:
    engine, out = opened(made["flat"]), tmp_path / "new.keras"
    engine.apply(GRAY, out, False)
    model = keras.saving.load_model(out, compile=False)
    first = next(layer for layer in model.layers if layer.weights)
    first.set_weights([weights + 1 for weights in first.get_weights()])
    model.save(out)
    out.rename(unverified_path(out))
    written = engine.check_again(GRAY, out)
    assert written.verification is not None
    assert not written.verification.ok
    assert (written.written, names(tmp_path)) == (str(unverified_path(out)), ["new.keras.unverified"])


def test_that_a_damaged_result_stays_where_it_is(made: dict[str, Path], tmp_path: Path) -> None:
    engine, out = opened(made["flat"]), tmp_path / "new.keras"
    with pytest.raises(FileError, match="does not exist"):
        engine.check_again(GRAY, out)
    unverified_path(out).write_bytes(b"PK damaged")
    with pytest.raises(FileError):
        engine.check_again(GRAY, out)
    assert names(tmp_path) == ["new.keras.unverified"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileError("flat.keras has changed."), "flat.keras has changed. new.keras was written completely"),
        (MemoryError(), "There is not enough memory to check it. new.keras was written completely"),
        (KeyboardInterrupt(), "Cancelled. new.keras was written completely"),
    ],
)
def test_that_a_check_that_cannot_be_made_keeps_the_file(
    error: BaseException, words: str, made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.engine import verify

    def fails(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(verify, "held_weights", fails)
    with pytest.raises(NotChecked, match=words) as caught:
        opened(made["flat"]).apply(GRAY, tmp_path / "new.keras")
    assert caught.value.fields["kept"] == str(tmp_path / "new.keras.unverified")
    assert names(tmp_path) == ["new.keras.unverified"]


def test_that_an_export_without_a_check_that_ended_before_its_answer_is_told_as_written(tmp_path: Path) -> None:
    out = tmp_path / "new.keras"
    assert settle_leftovers(Apply(recipe=Recipe(), out=str(out), verify=False), 1, stamp(out)) is None
    before = stamp(out)
    out.write_text("whole", encoding="utf-8")
    error = settle_leftovers(Apply(recipe=Recipe(), out=str(out), verify=False), 1, before)
    assert error is not None
    assert error.message == "new.keras was written, but not checked."
