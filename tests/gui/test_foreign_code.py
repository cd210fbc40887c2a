"""Code that is not Keras's, in the window: named, replaced, trusted, revoked; nothing runs without a click."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QPushButton
from pytestqt.qtbot import QtBot

from core import trust_store
from core.errors import FileError
from core.findings import Finding, Fix, NameCode, TrustCode
from core.readers.source import Source
from core.service.messages import AskTrust, SetSource, TrustFile
from gui.models.opened import SHOWN
from gui.models.opened import opened as summary
from gui.window import MainWindow
from tests.gui.hand_made import FakeWorker, layer, rule_edit, source, steps

LEFT = Qt.MouseButton.LeftButton
UNKNOWN = Finding(
    "warning", "layer.unknown", "hidden", "hidden is a Magic, whose code is not here.", (NameCode("hidden"),), "hidden"
)
REPLACE = Fix("Replace it by Rescaling", (rule_edit("predictions/kernel"),))
STORED = Finding(
    "warning", "code.lambda", "dropout", "dropout is a Lambda layer.", (REPLACE, TrustCode("dropout")), "LOAD_FAST x"
)


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUTURE_STATE", str(tmp_path / "state"))


def with_findings(path: Path, *findings: Finding) -> Source:
    """The hand-made model as a file with opaque layers where the findings say so."""
    path.write_bytes(b"model")
    status = path.stat()
    made = source(str(path), findings=findings)
    opaque = {"hidden": "Magic", "dropout": "Lambda"}
    layers = tuple(
        replace(one, class_name=opaque[one.name], opaque=True)
        if one.name in {finding.layer for finding in findings}
        else one
        for one in made.graph.layers
    )
    graph = replace(made.graph, layers=layers)
    return replace(made, graph=graph, size=status.st_size, mtime_ns=status.st_mtime_ns)


@pytest.fixture
def unknown(open_source: Callable[[Source], MainWindow], tmp_path: Path) -> MainWindow:
    return open_source(with_findings(tmp_path / "magic.keras", UNKNOWN))


@pytest.fixture
def stored(open_source: Callable[[Source], MainWindow], tmp_path: Path) -> MainWindow:
    return open_source(with_findings(tmp_path / "stored.keras", STORED))


def told(engine: FakeWorker) -> list[tuple[tuple[str, ...], bool]]:
    """What the engine was told of code and trust, one entry a request."""
    return [(tuple(Path(one).name for one in body.code), body.trust) for body in engine.bodies(SetSource)]


# where is this class defined?


@pytest.mark.parametrize("door", ["finding", "inspector", "banner", "menu", "key"])
def test_that_the_question_is_asked_from_everywhere(qtbot: QtBot, unknown: MainWindow, door: str) -> None:
    if door == "finding":
        buttons = unknown.workspace.findings.view.findChildren(QPushButton)
        (button,) = [one for one in buttons if one.text() == "Where is it defined?\u2026"]
        qtbot.mouseClick(button, LEFT)
    elif door == "inspector":
        unknown.session.select("hidden")
        qtbot.mouseClick(unknown.workspace.inspector.code, LEFT)
    elif door == "banner":
        qtbot.mouseClick(unknown.banner.more, LEFT)
        unknown.banner.wanted.emit(NameCode(""))
    elif door == "menu":
        menu = QMenu(unknown)
        unknown.code.extend_menu(menu, "hidden")
        menu.actions()[-1].trigger()
    else:
        unknown.actions_["define_class"].trigger()
    assert unknown.code.code.isVisible()
    assert unknown.code.code.title.text() == "Where is Magic defined?"
    assert "hidden" in unknown.code.code.users.text()


def test_that_nothing_runs_until_the_person_says_so(
    qtbot: QtBot, unknown: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    sheet = unknown.code.code
    unknown.code.show_code("hidden")
    assert not sheet.run.isEnabled()
    (tmp_path / "magic.py").write_text("x = 1", encoding="utf-8")
    sheet.file.setText(str(tmp_path / "magic.py"))
    assert told(engine) == [((), False)]
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    assert not sheet.isVisible()
    assert told(engine) == [((), False)]


def test_that_a_named_file_goes_to_the_engine_and_the_recipe_stays(
    qtbot: QtBot, unknown: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    from tests.gui.test_window import resize

    resize(qtbot, unknown, 64)
    before = unknown.session.recipe
    (tmp_path / "magic.py").write_text("x = 1", encoding="utf-8")
    unknown.code.show_code("hidden")
    unknown.code.code.file.setText(str(tmp_path / "magic.py"))
    qtbot.mouseClick(unknown.code.code.run, LEFT)
    qtbot.waitUntil(lambda: not unknown.code.code.isVisible())
    qtbot.waitUntil(lambda: not unknown.session.planning)
    assert told(engine)[-1] == (("magic.py",), False)
    assert unknown.session.recipe == before
    assert unknown.session.plan is not None
    assert unknown.session.plan.inputs[0].shape == (None, 64, 64, 3)
    assert unknown.banner.tone == "success"
    assert "magic.py ran in the engine" in unknown.banner.text.text()
    assert not [one for one in unknown.session.findings if one.code == "layer.unknown"]


def test_that_a_named_file_is_remembered_while_the_window_lives(
    qtbot: QtBot, unknown: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    (tmp_path / "magic.py").write_text("x = 1", encoding="utf-8")
    unknown.work.trust.run_file(str(tmp_path / "magic.py"))
    qtbot.waitUntil(lambda: unknown.work.trust.code != ())
    opened = unknown.session.source
    assert opened is not None
    unknown.session.close_source()
    unknown.session.set_source(opened)
    qtbot.waitUntil(lambda: unknown.work.trust.code != ())
    assert told(engine)[-1] == (("magic.py",), False)
    unknown.session.set_source(source("other.keras"))
    assert unknown.work.trust.code == ()


def test_that_a_file_that_does_not_run_is_one_sentence_and_what_held_holds(
    qtbot: QtBot, unknown: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    (tmp_path / "bad.py").write_text("1/0", encoding="utf-8")
    engine.refuse_code = FileError("bad.py does not run: ZeroDivisionError: division by zero")
    sheet = unknown.code.code
    unknown.code.show_code("hidden")
    sheet.file.setText(str(tmp_path / "bad.py"))
    qtbot.mouseClick(sheet.run, LEFT)
    qtbot.waitUntil(lambda: bool(sheet.problem.text()))
    assert sheet.problem.text() == "bad.py does not run: ZeroDivisionError: division by zero"
    assert sheet.isVisible()
    assert sheet.run.isEnabled()
    assert told(engine) == [((), False), (("bad.py",), False), ((), False)]
    assert [one.code for one in unknown.session.findings] == ["layer.unknown"]


def test_that_a_file_that_is_not_there_is_said_at_once(qtbot: QtBot, unknown: MainWindow, engine: FakeWorker) -> None:
    unknown.code.show_code("hidden")
    unknown.code.code.file.setText("/nowhere/magic.py")
    qtbot.mouseClick(unknown.code.code.run, LEFT)
    assert unknown.code.code.problem.text().startswith("The file /nowhere/magic.py does not exist")
    assert told(engine) == [((), False)]


def test_that_a_file_that_runs_for_ever_can_be_stopped(
    qtbot: QtBot, unknown: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    (tmp_path / "loop.py").write_text("while True: pass", encoding="utf-8")
    sheet = unknown.code.code
    unknown.code.show_code("hidden")
    sheet.file.setText(str(tmp_path / "loop.py"))
    engine.hold = True
    qtbot.mouseClick(sheet.run, LEFT)
    assert sheet.without.text() == "Stop"
    qtbot.mouseClick(sheet.without, LEFT)
    engine.hold = False
    assert engine.restarts == 1
    assert sheet.problem.text() == "Stopped; nothing was changed."
    assert told(engine)[-1] == ((), False)
    qtbot.mouseClick(sheet.without, LEFT)
    assert not sheet.isVisible()


# stored code


def test_that_stored_code_is_shown_as_text_and_replaced_by_one_click(
    qtbot: QtBot, stored: MainWindow, engine: FakeWorker
) -> None:
    sheet = stored.code.stored
    stored.actions_["stored_code"].trigger()
    assert sheet.listing.toPlainText() == "LOAD_FAST x"
    assert sheet.title.text() == "Code stored in dropout"
    qtbot.mouseClick(sheet.fixes[0], LEFT)
    assert [step.weight for step in steps(stored.session.recipe)] == ["predictions/kernel"]
    assert not sheet.isVisible()
    assert all(not trust for _, trust in told(engine))


def test_that_keeping_the_code_changes_nothing(qtbot: QtBot, stored: MainWindow, engine: FakeWorker) -> None:
    stored.code.show_code("dropout")
    qtbot.mouseClick(stored.code.stored.keep, LEFT)
    assert not stored.code.stored.isVisible()
    assert told(engine) == [((), False)]


def trust_it(qtbot: QtBot, window: MainWindow) -> None:
    window.code.show_code("dropout")
    sheet = window.code.stored
    assert not sheet.sure.isVisible()
    qtbot.mouseClick(sheet.trust, LEFT)
    assert sheet.consent.isVisible()
    qtbot.mouseClick(sheet.sure, LEFT)


def test_that_trust_takes_two_clicks_and_lets_the_engine_run_the_code(
    qtbot: QtBot, stored: MainWindow, reader: FakeWorker, engine: FakeWorker
) -> None:
    trust_it(qtbot, stored)
    qtbot.waitUntil(lambda: stored.work.trust.trusted)
    opened = stored.session.source
    assert opened is not None
    assert reader.bodies(TrustFile) == [TrustFile(path=opened.path, size=opened.size, mtime_ns=opened.mtime_ns)]
    assert told(engine) == [((), False), ((), True)]
    assert stored.banner.text.text().startswith("stored.keras is trusted")


def test_that_a_trusted_file_is_live_as_soon_as_it_is_opened_again_until_it_is_revoked(
    qtbot: QtBot, stored: MainWindow, reader: FakeWorker, engine: FakeWorker
) -> None:
    opened = stored.session.source
    assert opened is not None
    trust_store.trust(opened.path)
    stored.session.set_source(opened)
    qtbot.waitUntil(lambda: stored.work.trust.trusted)
    assert reader.bodies(AskTrust) == [AskTrust(path=opened.path)]
    assert told(engine)[-1] == ((), True)
    stored.actions_["preferences"].trigger()
    assert stored.sheets.preferences is not None
    (button,) = stored.sheets.preferences.trusted.buttons
    qtbot.mouseClick(button, LEFT)
    qtbot.waitUntil(lambda: not stored.work.trust.trusted)
    assert trust_store.entries() == ()
    assert stored.sheets.preferences.trusted.buttons == []
    assert told(engine)[-1] == ((), False)
    assert [one.code for one in stored.session.findings] == ["code.lambda"]


def test_that_a_file_that_changed_since_it_was_looked_at_is_not_trusted(
    qtbot: QtBot, stored: MainWindow, reader: FakeWorker, engine: FakeWorker
) -> None:
    opened = stored.session.source
    assert opened is not None
    Path(opened.path).write_bytes(b"something else")
    trust_it(qtbot, stored)
    sheet = stored.code.stored
    qtbot.waitUntil(lambda: "has changed on disk" in sheet.problem.text())
    assert trust_store.entries() == ()
    assert told(engine) == [((), False)]


def test_that_a_file_trusted_before_whose_code_fails_now_is_told_in_the_banner(
    qtbot: QtBot, stored: MainWindow, engine: FakeWorker
) -> None:
    opened = stored.session.source
    assert opened is not None
    trust_store.trust(opened.path)
    engine.refuse_code = FileError("The stored code does not run with this Python.")
    stored.session.set_source(opened)
    qtbot.waitUntil(lambda: stored.banner.text.text() == "The stored code does not run with this Python.")
    assert not stored.work.trust.trusted
    assert told(engine)[-1] == ((), False)


def test_that_a_trust_that_comes_to_nothing_is_not_kept(qtbot: QtBot, stored: MainWindow, engine: FakeWorker) -> None:
    engine.refuse_code = FileError("The stored code does not run with this Python.")
    trust_it(qtbot, stored)
    qtbot.waitUntil(lambda: bool(stored.code.stored.problem.text()))
    assert trust_store.entries() == ()


# the banner


def test_that_the_banner_counts_and_lists_calmly() -> None:
    repairs = [Finding("info", "legacy.repaired", f"l{number}", f"repair {number}") for number in range(20)]
    said = summary(source(findings=(UNKNOWN, STORED, *repairs)))
    assert said.sentence.endswith("1 layer without code and 1 layer with stored code \u00b7 20 repairs")
    assert [group.link and group.link.action for group in said.groups] == [NameCode(""), TrustCode(""), None]
    assert len(said.groups[-1].lines) == SHOWN + 1
    assert said.groups[-1].lines[-1].startswith("\u2026 and 8 more")


def test_that_details_unfold_to_a_short_list_and_fold_again(qtbot: QtBot, unknown: MainWindow) -> None:
    banner = unknown.banner
    height = banner.height()
    qtbot.mouseClick(banner.more, LEFT)
    qtbot.waitUntil(lambda: banner.height() > height)
    assert banner.height() < 300
    qtbot.mouseClick(banner.more, LEFT)
    qtbot.waitUntil(lambda: banner.height() == height)


def test_that_a_model_class_of_its_own_is_told_and_not_asked_for(
    open_source: Callable[[Source], MainWindow],
) -> None:
    finding = Finding("warning", "graph.opaque", "", "Mine is a custom model class.")
    window = open_source(source(findings=(finding,)))
    assert "its connections are unknown" in window.banner.text.text()
    assert window.work.trust.missing() == []
    assert not window.actions_["define_class"].isEnabled()


def test_that_layers_of_keras_have_no_button_for_code(opened: MainWindow) -> None:
    opened.session.select("hidden")
    assert not opened.workspace.inspector.code.isVisible()
    assert opened.work.trust.kind_of("hidden") == ""
    menu: Any = QMenu(opened)
    opened.code.extend_menu(menu, "hidden")
    assert menu.isEmpty()
    assert layer("x", "Dense", (1,)).opaque is False
