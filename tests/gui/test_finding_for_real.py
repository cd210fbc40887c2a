"""Selecting, finding and freezing over the real reader and engine, on one model."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from gui.models.digest import frozen_layers
from gui.window import MainWindow
from tests.gui.hands import awake, open_file, planned
from tests.gui.test_finding import listed, look_for, marked

LEFT = Qt.MouseButton.LeftButton
CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def branched(qtbot: QtBot, real_window: MainWindow, tmp_path_factory: pytest.TempPathFactory) -> MainWindow:
    """A model with two branches, written by Keras in another process than the window's."""
    import subprocess
    import sys

    path = Path(tmp_path_factory.getbasetemp()) / "branched.keras"
    if not path.exists():
        subprocess.run([sys.executable, "-c", PROGRAM, str(path)], check=True, capture_output=True)
    open_file(qtbot, real_window, path)
    return real_window


PROGRAM = """
import sys, keras
from keras import layers as L
image = keras.Input((8, 8, 3), name="image")
inside = keras.Input((8, 8, 3), name="inside")
encoder = keras.Model(inside, L.Conv2D(4, 3, name="inner_conv")(inside), name="encoder")
left = L.Conv2D(4, 3, name="left")(image)
right = L.ReLU(name="quiet")(encoder(image))
joined = L.Add(name="join")([left, right])
head = L.Dense(3, name="head")(L.GlobalAveragePooling2D(name="pool")(joined))
keras.Model(image, head).save(sys.argv[1])
"""


def frozen(window: MainWindow) -> set[str]:
    graph = window.session.after_graph
    assert graph is not None
    return {path for path in frozen_layers(graph) if graph.find(path).inner is None}


def test_that_branches_freeze_apart_and_what_is_frozen_and_removed_is_found(qtbot: QtBot, branched: MainWindow) -> None:
    window, session = branched, branched.session
    awake(qtbot, window)
    session.select("left")
    window.actions_["freeze_up_to"].trigger()
    planned(qtbot, window)
    assert frozen(window) == {"left"}
    session.select("join")
    window.actions_["freeze_up_to"].trigger()
    planned(qtbot, window)
    assert frozen(window) == {"left", "encoder/inner_conv"}
    assert session.plan is not None
    assert session.plan.after.trainable_params == 4 * 3 + 3  # of the head alone
    look_for(qtbot, window, "frozen")
    assert listed(window) == ["encoder", "encoder/inner_conv", "left"]
    assert window.top.finder.count.text() == "2 found"
    look_for(qtbot, window, "3x3x3x4")
    assert marked(window) == 2
    window.layers.remove("quiet")
    planned(qtbot, window)
    look_for(qtbot, window, "quiet")
    assert window.top.finder.count.text() == "no match"
    assert "Difference" in window.top.finder.accessibleDescription()
    for view in ("difference", "before"):
        qtbot.mouseClick(window.top.views.button(view), LEFT)
        qtbot.keyClick(window.top.finder, Qt.Key.Key_Return)
        assert session.selection == "quiet", view
        session.select("")
