"""Two models in one window over the real engine: what is done for one never becomes the other's."""

import os
import signal
from pathlib import Path
from typing import Any

from pytestqt.qtbot import QtBot

from core.recipes import gestures
from gui.page import Page
from gui.window import MainWindow
from tests.gui.hands import PATIENCE, planned


def resize(page: Page, size: int) -> None:
    page.session.gesture(
        lambda recipe: gestures.set_input(recipe, None, (size, size, 3), "auto", (32, 32, 3)), f"Resize to {size}"
    )


def test_that_two_models_share_an_engine_that_writes_one_and_is_killed(
    qtbot: QtBot, real_window: MainWindow, samples: Path, tmp_path: Path
) -> None:
    window = real_window
    window.open_paths([str(samples / "digits_residual.keras"), str(samples / "digits_nested.keras")])
    qtbot.waitUntil(lambda: all(page.session.source is not None for page in window.documents), timeout=PATIENCE)
    first, second = window.documents
    planned(qtbot, window)
    window.show_page(second)
    planned(qtbot, window)

    def check(page: Page, size: int) -> None:
        plan, source = page.session.plan, page.session.source
        assert plan is not None
        assert source is not None
        assert plan.inputs[0].shape == (None, size, size, 3)
        assert plan.graph.name == source.graph.name

    window.show_page(first)
    resize(first, 64)
    planned(qtbot, window)
    window.settings.verify_after_export = False
    out = tmp_path / "out.keras"
    with qtbot.waitSignal(first.export_finished, timeout=PATIENCE):
        first.export_to(str(out))
        window.show_page(second)
        resize(second, 48)
    assert out.is_file()
    planned(qtbot, window)
    check(first, 64)
    check(second, 48)

    worker: Any = window.work.processes.helpers.engine._worker
    os.kill(worker.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: not worker.alive, timeout=PATIENCE)
    for page, size in ((first, 96), (second, 128), (first, 32 * 5)):
        window.show_page(page)
        resize(page, size)
        # the first answer may be that the process has ended
        planned(qtbot, window)
        if page.session.refusal is not None:
            resize(page, size + 32)
            resize(page, size)
            planned(qtbot, window)
        check(page, size)
