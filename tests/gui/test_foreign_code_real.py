"""Code that is not Keras's with the real reader and engine: what runs, where, and what is left of it."""

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from core import trust_store
from gui.window import MainWindow

LEFT = Qt.MouseButton.LeftButton
PATIENCE = 60_000

MAGIC = """
import keras
from pathlib import Path

Path({marker!r}).write_text("ran")

@keras.saving.register_keras_serializable(package="mine")
class Magic(keras.layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

    def call(self, x):
        return keras.ops.concatenate([x * self.scale, x], axis=-1)
"""


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUTURE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("SUTURE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def magic(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A model with a class of its own, the file that defines it, and the marker that running the file leaves."""
    import keras

    marker, code, model = tmp_path / "marker", tmp_path / "magic.py", tmp_path / "magic.keras"
    code.write_text(MAGIC.format(marker=str(marker)), encoding="utf-8")
    scope: dict[str, Any] = {}
    known = set(keras.saving.get_custom_objects())
    exec(compile(code.read_text(encoding="utf-8"), "magic", "exec"), scope)
    layers = [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv"), scope["Magic"](name="magic")]
    keras.Sequential([*layers, keras.layers.Conv2D(2, 1, name="last")]).save(model)
    for name in set(keras.saving.get_custom_objects()) - known:
        del keras.saving.get_custom_objects()[name]
    marker.unlink()
    return model, code, marker


def lambda_model(path: Path, function: Any) -> Path:
    import keras

    layers = [keras.Input((8, 8, 3)), keras.layers.Lambda(function, name="stored")]
    keras.Sequential([*layers, keras.layers.Conv2D(2, 1, name="last")]).save(path)
    return path


def open_file(qtbot: QtBot, window: MainWindow, path: Path) -> None:
    window.open_path(str(path))
    qtbot.waitUntil(lambda: window.session.source is not None, timeout=PATIENCE)
    planned(qtbot, window)


def planned(qtbot: QtBot, window: MainWindow) -> None:
    session = window.session
    qtbot.waitUntil(lambda: session.plan is not None and not session.planning, timeout=PATIENCE)


def test_that_a_named_file_runs_once_asked_and_its_layer_is_checked_like_others(
    qtbot: QtBot, fresh_window: MainWindow, magic: tuple[Path, Path, Path]
) -> None:
    model, code, marker = magic
    open_file(qtbot, fresh_window, model)
    assert not marker.exists()
    assert fresh_window.work.trust.missing() == [("magic", "Magic")]
    fresh_window.code.show_code("magic")
    sheet = fresh_window.code.code
    sheet.file.setText(str(code))
    assert not marker.exists()
    qtbot.mouseClick(sheet.run, LEFT)
    qtbot.waitUntil(lambda: not sheet.isVisible(), timeout=PATIENCE)
    planned(qtbot, fresh_window)
    assert marker.read_text(encoding="utf-8") == "ran"
    layer = fresh_window.session.layer("magic")
    assert layer is not None
    assert not layer.opaque
    assert layer.calls[0].outputs is not None
    assert layer.calls[0].outputs[0].shape == (None, 6, 6, 8)
    assert fresh_window.work.trust.still_missing() == []


def test_that_a_file_that_fails_or_defines_something_else_leaves_everything_as_it_was(
    qtbot: QtBot, fresh_window: MainWindow, magic: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    model, _, _ = magic
    open_file(qtbot, fresh_window, model)
    fresh_window.code.show_code("magic")
    sheet = fresh_window.code.code
    for name, text, words in (
        ("bad.py", "1/0", "bad.py does not run: ZeroDivisionError"),
        ("empty.py", "x = 1", "empty.py defines no Keras layer"),
        ("other.py", "import keras\nclass Other(keras.layers.Layer):\n    pass\n", "Magic is still not available"),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
        sheet.file.setText(str(tmp_path / name))
        qtbot.mouseClick(sheet.run, LEFT)
        qtbot.waitUntil(lambda words=words: words in sheet.problem.text(), timeout=PATIENCE)  # type: ignore[misc]
        assert "Traceback" not in sheet.problem.text()
    planned(qtbot, fresh_window)
    layer = fresh_window.session.layer("magic")
    assert layer is not None
    assert layer.opaque


def test_that_stored_code_runs_only_after_trust_and_not_after_revoking(
    qtbot: QtBot, fresh_window: MainWindow, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    place = str(marker)
    model = lambda_model(tmp_path / "stored.keras", eval(f"lambda x: (open({place!r}, 'w').close(), x)[1]"))
    marker.unlink(missing_ok=True)
    open_file(qtbot, fresh_window, model)
    fresh_window.code.show_code("stored")
    assert "open" in fresh_window.code.stored.listing.toPlainText()
    assert not marker.exists()
    qtbot.mouseClick(fresh_window.code.stored.trust, LEFT)
    qtbot.mouseClick(fresh_window.code.stored.sure, LEFT)
    qtbot.waitUntil(lambda: fresh_window.work.trust.trusted, timeout=PATIENCE)
    planned(qtbot, fresh_window)
    assert marker.exists()
    marker.unlink()
    (entry,) = trust_store.entries()
    fresh_window.work.trust.revoke(entry.digest)
    qtbot.waitUntil(lambda: not fresh_window.work.trust.trusted, timeout=PATIENCE)
    planned(qtbot, fresh_window)
    layer = fresh_window.session.layer("stored")
    assert layer is not None
    assert layer.opaque
    assert not marker.exists()


def test_that_stored_code_that_kills_the_engine_is_one_sentence_and_is_not_run_again(
    qtbot: QtBot, fresh_window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # it ends every process that has this variable, which the tests' own has not while the model is made
    kill = "lambda x: (__import__('os')._exit(3) if __import__('os').environ.get('SUTURE_STATE') else 0, x)[1]"
    with monkeypatch.context() as patch:
        patch.delenv("SUTURE_STATE")
        model = lambda_model(tmp_path / "killer.keras", eval(kill))
    open_file(qtbot, fresh_window, model)
    fresh_window.code.show_code("stored")
    sheet = fresh_window.code.stored
    qtbot.mouseClick(sheet.trust, LEFT)
    qtbot.mouseClick(sheet.sure, LEFT)
    qtbot.waitUntil(lambda: bool(sheet.problem.text()), timeout=PATIENCE)
    assert sheet.problem.text().startswith("The engine process ended unexpectedly (code 3)")
    assert not fresh_window.work.trust.trusted
    assert trust_store.entries() == ()
    qtbot.waitUntil(lambda: fresh_window.work.processes.engine_state == "ready", timeout=PATIENCE)
    before = fresh_window.session.source
    fresh_window.actions_["reload"].trigger()
    qtbot.waitUntil(lambda: fresh_window.session.source is not before, timeout=PATIENCE)
    planned(qtbot, fresh_window)
    assert fresh_window.work.processes.engine_state == "ready"
    layer = fresh_window.session.layer("stored")
    assert layer is not None
    assert layer.opaque


def test_that_a_model_is_built_and_opened_from_the_gallery(qtbot: QtBot, fresh_window: MainWindow) -> None:
    fresh_window.actions_["new_application"].trigger()
    gallery = fresh_window.sheets.gallery
    gallery.choose("MobileNet")
    for field, text in zip(gallery.fields, ("32", "48", "1", "5"), strict=True):
        field.setText(text)
    qtbot.mouseClick(gallery.build, LEFT)
    qtbot.waitUntil(lambda: fresh_window.session.source is not None, timeout=PATIENCE)
    planned(qtbot, fresh_window)
    plan = fresh_window.session.plan
    assert plan is not None
    assert plan.inputs[0].shape == (None, 32, 48, 1)
    assert plan.outputs[0].shape == (None, 5)
    assert not fresh_window.session.findings
