"""The surgery catalogue in the real window with the real reader and engine."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from core.recipes.gestures import make_edit, tag
from gui.window import MainWindow
from tests.gui.hand_made import steps
from tests.helpers.damage import without_text_types

LEFT = Qt.MouseButton.LeftButton
PATIENCE = 120_000


def open_and_plan(qtbot: QtBot, window: MainWindow, path: Path) -> None:
    window.open_path(str(path))
    qtbot.waitUntil(lambda: window.session.source is not None, timeout=PATIENCE)
    planned(qtbot, window)


def planned(qtbot: QtBot, window: MainWindow) -> None:
    session = window.session
    qtbot.waitUntil(lambda: session.plan is not None and not session.planning, timeout=PATIENCE)


def test_that_a_forbidden_size_is_settled_transferred_and_verified_on_own_inputs(
    qtbot: QtBot, real_window: MainWindow, samples: Path, tmp_path: Path
) -> None:
    window = real_window
    open_and_plan(qtbot, window, samples / "digits_vgg.keras")
    (row,) = window.workspace.input.rows
    qtbot.waitUntil(lambda: row.legal.words.text().startswith("Only 32\u00d732 \u2013 fc1"), timeout=PATIENCE)
    for field in row.fields[:2]:
        field.setText("48")
    row.apply()
    qtbot.waitUntil(lambda: "fc1" in row.legal.forbidden.text(), timeout=PATIENCE)
    qtbot.mouseClick(row.legal.buttons[0], LEFT)
    planned(qtbot, window)
    plan = window.session.plan
    assert plan is not None
    assert plan.ok
    assert plan.inputs[0].shape == (None, 48, 48, 3)
    assert {fate.fate for fate in plan.fates} == {"copied"}
    # the same weights again, out of the file itself
    sheet = window.sheets.transfer
    sheet.look_at(str(samples / "digits_vgg.keras"))
    qtbot.waitUntil(lambda: sheet.apply.isEnabled(), timeout=PATIENCE)
    assert {row.fate for row in sheet.model.rows} == {"transferred"}
    assert all(row.source.endswith(f"{row.layer}/{row.weight}") for row in sheet.model.rows)
    qtbot.mouseClick(sheet.apply, LEFT)
    planned(qtbot, window)
    assert [tag(edit) for edit in steps(window.session.recipe)] == ["insert_adapter", "transfer_weights"]
    out = tmp_path / "larger.keras"
    with qtbot.waitSignal(window.export_finished, timeout=PATIENCE):
        window.export_to(str(out))
    np.save(tmp_path / "mine.npy", np.random.default_rng(0).uniform(0, 255, (2, 48, 48, 3)).astype("float32"))
    with qtbot.waitSignal(window.work.verifying.finished, timeout=PATIENCE) as verified:
        window.exporting.verify_on([str(tmp_path / "mine.npy")])
    assert verified.args is not None
    assert verified.args[0].ok


def test_that_the_engine_names_its_layers_and_says_which_presets_fit(
    qtbot: QtBot, real_window: MainWindow, samples: Path
) -> None:
    window = real_window
    open_and_plan(qtbot, window, samples / "digits_residual.keras")
    window.layers.insert("stem_relu")
    form = window.layers.form
    qtbot.waitUntil(lambda: form.layer_class is not None, timeout=PATIENCE)
    form.kind.setCurrentIndex(form.kind.findText("SpatialDropout2D"))
    form.form.form.show_values({"rate": 0.25})
    form._refresh()
    qtbot.mouseClick(form.apply, LEFT)
    planned(qtbot, window)
    plan = window.session.plan
    assert plan is not None
    assert plan.ok
    (fresh,) = [layer for _, layer in plan.graph.walk() if layer.class_name == "SpatialDropout2D"]
    assert fresh.config["rate"] == 0.25
    window.actions_["presets"].trigger()
    sheet = window.sheets.presets
    fits = dict(zip([preset.title for preset in sheet.presets], sheet.buttons, strict=True))
    qtbot.waitUntil(lambda: fits["Gray input"].isEnabled(), timeout=PATIENCE)
    assert not fits["Pad the input"].isEnabled()
    assert not fits["Features at a named layer"].isEnabled()
    qtbot.mouseClick(fits["Gray input"], LEFT)
    planned(qtbot, window)
    assert window.session.plan is not None
    assert window.session.plan.inputs[0].shape == (None, 32, 32, 1)


@pytest.mark.slow
def test_that_a_step_reads_its_file_anew_after_reload_and_a_damaged_one_is_only_a_sentence(
    qtbot: QtBot, real_window: MainWindow, samples: Path, tmp_path: Path
) -> None:
    window, donor = real_window, tmp_path / "donor.keras"
    good = (samples / "digits_nested.keras").read_bytes()
    donor.write_bytes(good)
    open_and_plan(qtbot, window, samples / "digits_nested.keras")
    session = window.session
    edit = make_edit("transfer_weights", file=str(donor))
    session.gesture(lambda recipe: recipe.plus(edit), edit.summary())
    planned(qtbot, window)
    worker: Any = window.work.processes.helpers.engine._worker
    pid = worker.pid

    def refusal() -> str:
        return session.refusal.message if session.refusal is not None else ""

    assert refusal() == ""
    for content, refused in ((without_text_types(good), True), (good, False)):
        donor.write_bytes(content)
        with qtbot.waitSignal(session.source_changed, timeout=PATIENCE):
            window.opening.reload()
        qtbot.waitUntil(lambda: session.recipe.edits == (edit,) and not session.planning, timeout=PATIENCE)
        assert ("the reader process ended" in refusal()) == bool(refusal()) == refused
        assert worker.pid == pid
        assert window.work.processes.engine_state == "ready"
