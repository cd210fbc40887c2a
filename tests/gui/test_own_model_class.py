"""A model class of its own: what is possible without its code, and its weights in a rebuilt model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QPushButton
from pytestqt.qtbot import QtBot

from core.analysis.opaque import opaque_findings
from core.analysis.opening import read_model
from core.errors import FileError
from core.findings import RebuildModel
from core.readers.source import Source
from core.recipes.gestures import make_edit, tag
from core.recipes.recipe import Recipe
from core.service.messages import MatchWeights
from gui.window import MainWindow
from tests.gui.hand_made import FakeWorker, layer, source, steps
from tests.gui.hands import PATIENCE, begin_after, menu_of, open_file, planned

REBUILT = RebuildModel.title

LEFT = Qt.MouseButton.LeftButton

pytestmark = pytest.mark.qt_log_ignore(r"This plugin does not support (raise|grabbing)", extend=True)


def subclassed(path: str = "net.keras") -> Source:
    """What the reader makes of a subclassed model: groups of arrays, and what it says of them."""
    plain = source(path)
    held = tuple(
        replace(layer(name, "conv", (1,), weights={"0": (3,)}), calls=(), opaque=True) for name in ("conv", "top")
    )
    graph = replace(plain.graph, class_name="Net", opaque=True, layers=held, inputs=None, outputs=None)
    return replace(plain, graph=graph, findings=opaque_findings(graph))


def link(window: MainWindow, text: str) -> QPushButton:
    (found,) = [one for one in window.banner.links if one.text() == text]
    return found


def rebuilt_link(window: MainWindow) -> QPushButton:
    (found,) = [one for one in window.workspace.findings.view.findChildren(QPushButton) if one.text() == REBUILT]
    return found


def test_that_a_class_of_its_own_says_what_is_possible_and_offers_no_code(
    open_source: Callable[[Source], MainWindow],
) -> None:
    window = open_source(subclassed())
    (finding,) = [one for one in window.session.findings if one.code == "graph.opaque"]
    assert "shown and kept" in finding.message
    assert "transfer_weights" in finding.message
    assert not window.actions_["define_class"].isEnabled()
    assert link(window, REBUILT).isVisible()
    assert rebuilt_link(window).isEnabled()


@pytest.mark.parametrize("start", [lambda window: link(window, REBUILT), rebuilt_link], ids=["banner", "finding"])
def test_that_its_weights_are_laid_beside_the_rebuilt_model(
    qtbot: QtBot,
    open_source: Callable[[Source], MainWindow],
    engine: FakeWorker,
    tmp_path: Path,
    start: Callable[[MainWindow], QPushButton],
) -> None:
    rebuilt = tmp_path / "rebuilt.keras"
    rebuilt.touch()
    window = open_source(subclassed(str(tmp_path / "net.keras")))
    sheet = window.sheets.transfer
    sheet.way, sheet.pairs = "order", {"hidden": "other"}
    qtbot.mouseClick(start(window), LEFT)
    (dialog,) = window.findChildren(QFileDialog)
    dialog.fileSelected.emit(str(rebuilt))
    dialog.close()
    qtbot.waitUntil(lambda: sheet.isVisible() and sheet.model.rowCount() == 4)
    opened_now = window.session.source
    assert opened_now is not None
    assert opened_now.path == str(rebuilt)
    asked = engine.bodies(MatchWeights)[-1]
    assert (asked.file, asked.match, asked.pairs) == (str(tmp_path / "net.keras"), "name", ())
    qtbot.mouseClick(sheet.apply, LEFT)
    (edit,) = steps(window.session.recipe)
    assert (tag(edit), edit.file, edit.match) == ("transfer_weights", str(tmp_path / "net.keras"), "name")


def test_that_a_rebuilt_model_that_cannot_be_opened_leaves_everything_and_is_forgotten(
    qtbot: QtBot, open_source: Callable[[Source], MainWindow], reader: FakeWorker, tmp_path: Path
) -> None:
    rebuilt = tmp_path / "rebuilt.keras"
    rebuilt.touch()
    window = open_source(subclassed())
    reader.files[str(rebuilt)] = FileError("rebuilt.keras is damaged.")
    window.rebuilding.take_over_into(str(rebuilt))
    qtbot.waitUntil(lambda: window.banner.text.text() == "rebuilt.keras is damaged.")
    assert window.session.source is not None
    assert window.session.source.graph.opaque
    del reader.files[str(rebuilt)]
    shown: list[str] = []
    window.session.plan_changed.connect(lambda: shown.append(window.session.source.path if window.session.plan else ""))
    window.open_path(str(rebuilt))
    qtbot.waitUntil(lambda: str(rebuilt) in shown)
    assert not window.sheets.transfer.isVisible()


def test_that_a_recipe_that_would_be_lost_is_asked_about_and_staying_forgets_the_other_model(
    qtbot: QtBot, open_source: Callable[[Source], MainWindow], tmp_path: Path
) -> None:
    rebuilt = tmp_path / "rebuilt.keras"
    rebuilt.touch()
    window = open_source(subclassed())
    window.session.change_recipe(Recipe().plus(make_edit("rename_layer", layer="conv", name="a")), "Rename")
    window.rebuilding.take_over_into(str(rebuilt))
    assert window.unsaved.sheet.isVisible()
    qtbot.keyClick(window.unsaved.sheet, Qt.Key.Key_Escape)
    assert not window.unsaved.sheet.isVisible()
    assert window.session.source is not None
    assert window.session.source.graph.opaque
    window.rebuilding.take_over_into(str(rebuilt))
    window.unsaved.sheet.discard_wanted.emit()
    qtbot.waitUntil(lambda: window.sheets.transfer.isVisible())
    assert window.session.source.path == str(rebuilt)


# with the real reader and engine


def test_that_a_subclassed_model_gives_its_weights_to_a_rebuilt_one(
    qtbot: QtBot, real_window: MainWindow, tmp_path: Path
) -> None:
    import keras

    class Net(keras.Model):
        def __init__(self, **fields: Any) -> None:
            super().__init__(**fields)
            self.first = keras.layers.Conv2D(4, 3, name="first")
            self.norm = keras.layers.BatchNormalization(name="norm")
            self.top = keras.layers.Dense(2, name="top")

        def call(self, image: Any) -> Any:
            return self.top(self.norm(self.first(image)))

    image = keras.Input((8, 8, 3))
    body = keras.layers.BatchNormalization(name="norm")(keras.layers.Conv2D(4, 3, name="first")(image))
    keras.Model(image, keras.layers.Dense(2, name="top")(body)).save(tmp_path / "rebuilt.keras")
    net, given = Net(), np.random.default_rng(3).normal(size=(2, 8, 8, 3)).astype("float32")
    net(given)
    for weight in net.weights:  # none is where a new model starts
        weight.assign(weight + 0.25)
    net.save(tmp_path / "net.keras")
    assert read_model(tmp_path / "net.keras").graph.opaque

    open_file(qtbot, real_window, tmp_path / "net.keras")
    assert link(real_window, REBUILT).isVisible()
    real_window.session.select("first")
    assert "code missing" in real_window.workspace.inspector.facts.text()
    assert not real_window.workspace.inspector.code.isVisible()
    assert not [one for one in menu_of(real_window, "first").actions() if "defined" in one.text()]
    begin_after(real_window, "first")
    qtbot.waitUntil(lambda: real_window.banner.tone == "error", timeout=PATIENCE)
    assert "are unknown" in real_window.banner.text.text()
    real_window.session.undo_stack.undo()
    real_window.rebuilding.take_over_into(str(tmp_path / "rebuilt.keras"))
    sheet = real_window.sheets.transfer
    qtbot.waitUntil(lambda: sheet.isVisible() and sheet.apply.isEnabled(), timeout=PATIENCE)
    assert [row.source for row in sheet.model.rows if not row.source] == []
    qtbot.mouseClick(sheet.apply, LEFT)
    planned(qtbot, real_window)
    with qtbot.waitSignal(real_window.work.exporting.finished, timeout=PATIENCE):
        real_window.export_to(str(tmp_path / "taken.keras"))
    taken = keras.saving.load_model(tmp_path / "taken.keras")
    np.testing.assert_allclose(taken(given), net(given), rtol=1e-5, atol=1e-6)
