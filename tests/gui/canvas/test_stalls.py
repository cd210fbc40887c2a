"""What is done to a graph of a thousand layers leaves the window answering."""

import time

import pytest
from pytestqt.qtbot import QtBot

from gui.canvas.colouring import Colouring
from tests.gui.canvas import graphs
from tests.gui.canvas.driver import Shower
from tests.gui.watchdog import longest_stall

MOST = 0.050


@pytest.mark.parametrize("act", ["fold", "unfold one", "colour", "find"])
def test_that_no_act_on_a_thousand_layers_holds_up_the_window(qtbot: QtBot, show: Shower, act: str) -> None:
    view = show(graphs.residual(200))
    (card,) = [node for node in view.scene.nodes if node.group is not None]
    colours = Colouring("params", {f"b{number}_a": float(number) for number in range(200)})

    def fold_again() -> None:
        view.select("")
        view.fold_all()

    acts = {
        "fold": (view.fold_all, lambda: view.select("b90_a")),
        "unfold one": (lambda: view.view.fold_requested.emit(card), view.fold_all),
        "colour": (lambda: view.set_colouring(colours), view.colour_by_class),
        "find": (lambda: view.select("b90_a"), fold_again),
    }
    assert longest_stall(qtbot, *acts[act]) < MOST


def test_that_the_watchdog_sees_a_stall(qtbot: QtBot) -> None:
    def busy() -> None:
        began = time.thread_time()
        while time.thread_time() - began < 0.06:
            pass

    assert longest_stall(qtbot, busy, lambda: None, tries=1) > MOST
