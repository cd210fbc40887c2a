"""The window as a whole: opening, one selection, views, fixes, export, keys, names, themes."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QLineEdit,
    QListView,
    QMenu,
    QSpinBox,
    QTreeView,
    QWidget,
)
from pytestqt.qtbot import QtBot

from core.errors import FileError, PlanRefused
from core.findings import Finding
from core.readers.source import Source
from core.recipe import Recipe, to_json
from core.service.messages import Apply, OpenModel, Verify
from gui import gestures
from gui import theme as themes
from gui.app import Painter
from gui.main_window import MainWindow
from gui.models.layer_tree import Column
from gui.opened import opened_words
from gui.panels.welcome import Welcome, samples
from gui.settings import Settings
from tests.gui.hand_made import FakeWorker, source, steps

LEFT = Qt.MouseButton.LeftButton


def resize(qtbot: QtBot, window: MainWindow, size: int, channels: int = 3) -> None:
    window.session.gesture(
        lambda recipe: gestures.set_input(recipe, None, (size, size, channels), "auto", (96, 96, 3)), "Resize"
    )
    qtbot.waitUntil(lambda: not window.session.planning)


# opening


def test_that_a_new_user_sees_where_to_drop_a_model(window: MainWindow) -> None:
    assert window.pages.currentWidget() is window.welcome
    assert window._workspace is None


def test_that_the_bundled_samples_are_listed_by_name(window: MainWindow) -> None:
    assert len(samples()) >= 3
    names = [button.toolTip() for button in window.welcome.findChildren(QAbstractButton, "listItem")]
    assert [str(path) for path in samples()][:5] == names


def test_that_opening_shows_layers_and_graph_before_the_engine_answers(
    qtbot: QtBot, window: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    engine.hold = True
    file = tmp_path / "model.keras"
    file.touch()
    with qtbot.waitSignal(window.session.source_changed):
        window.open_path(str(file))
    assert window.workspace.layers.model.index_of("backbone/stem_conv", Column.OUTPUT).data() == "48\u00d748\u00d732"
    assert window.workspace.canvas.graph is not None
    assert window.session.plan is None
    assert window.windowTitle().startswith("model.keras")


def test_that_a_file_that_is_not_there_is_one_sentence(window: MainWindow, reader: FakeWorker) -> None:
    window.open_path("/nowhere/at/all.keras")
    assert window.banner.isVisible()
    assert window.banner.text.text().startswith("There is no file /nowhere/at/all.keras")
    assert reader.bodies(OpenModel) == []


def test_that_a_damaged_file_leaves_the_window_alive(
    qtbot: QtBot, opened: MainWindow, reader: FakeWorker, tmp_path: Path
) -> None:
    file = tmp_path / "bad.keras"
    file.touch()
    reader.files[str(file)] = FileError("bad.keras ends too early.", code="file.damaged", path=str(file))
    opened.open_path(str(file))
    qtbot.waitUntil(lambda: opened.banner.tone == "error" and opened.banner.isVisible())
    assert opened.banner.text.text() == "bad.keras ends too early."
    assert opened.pages.currentWidget() is opened.workspace
    opened.banner.copy.click()
    assert "file.damaged" in QApplication.clipboard().text()


def test_that_reading_can_be_cancelled(qtbot: QtBot, window: MainWindow, reader: FakeWorker, tmp_path: Path) -> None:
    reader.hold = True
    file = tmp_path / "large.keras"
    file.touch()
    window.open_path(str(file))
    assert window.status.cancel.isVisible()
    qtbot.mouseClick(window.status.cancel, LEFT)
    qtbot.waitUntil(lambda: not window.session.opening)
    assert reader.restarts == 1
    assert window.pages.currentWidget() is window.welcome
    assert not window.status.cancel.isVisible()


@pytest.mark.parametrize("target", ["window", "drop area"])
def test_that_a_dropped_file_is_opened(
    qtbot: QtBot, window: MainWindow, reader: FakeWorker, tmp_path: Path, target: str
) -> None:
    file = tmp_path / "dropped.keras"
    file.touch()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file))])
    where = window if target == "window" else window.welcome.target
    copy, none = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    entered = QDragEnterEvent(QPoint(9, 9), copy, data, LEFT, none)
    QApplication.sendEvent(where, entered)
    assert entered.isAccepted()
    QApplication.sendEvent(where, QDropEvent(QPointF(9, 9), copy, data, LEFT, none))
    qtbot.waitUntil(lambda: window.session.source is not None)
    assert [Path(body.path) for body in reader.bodies(OpenModel)] == [file]


def test_that_opened_files_are_remembered(qtbot: QtBot, window: MainWindow, settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "first.keras"
    file.touch()
    window.open_path(str(file))
    qtbot.waitUntil(lambda: window.session.source is not None)
    assert settings.recent == [str(file)]
    window.files.close()
    assert window.pages.currentWidget() is window.welcome
    assert str(file) in [button.toolTip() for button in window.welcome.findChildren(QAbstractButton, "listItem")]


def test_that_an_architecture_takes_weights_from_another_file(
    qtbot: QtBot, opened: MainWindow, reader: FakeWorker
) -> None:
    opened.files.open_weights_path("weights.h5")
    qtbot.waitUntil(lambda: bool(opened.session.source and opened.session.source.weights_path))
    assert reader.bodies(OpenModel)[-1].weights_path == "weights.h5"
    assert "weights from weights.h5" in opened.banner.text.text()


def test_that_the_banner_tells_kind_repairs_and_what_is_missing() -> None:
    findings = (
        Finding("info", "legacy.repaired", "conv", "groups was dropped."),
        Finding("warning", "code.custom", "magic", "The class Magic is not in Keras."),
    )
    tone, sentence, details = opened_words(source(findings=findings))
    assert tone == "warning"
    assert sentence.startswith("Keras 3 (.keras), 17 layers")
    assert "1 old setting repaired" in sentence
    assert "1 layer whose code is not in the file" in sentence
    assert details == "magic: The class Magic is not in Keras.\nconv: groups was dropped."


# one selection


def test_that_the_tree_leads_canvas_and_inspector(qtbot: QtBot, opened: MainWindow) -> None:
    tree = opened.workspace.layers.tree
    index = opened.workspace.layers.model.index_of("backbone/stem_conv")
    tree.scrollTo(index)
    qtbot.mouseClick(tree.viewport(), LEFT, pos=tree.visualRect(index).center())
    assert opened.session.selection == "backbone/stem_conv"
    assert opened.workspace.canvas.selected == "backbone/stem_conv"
    assert opened.workspace.inspector.path.text() == "backbone/stem_conv"


def test_that_the_canvas_leads_the_tree(opened: MainWindow) -> None:
    opened.workspace.canvas.layer_selected.emit("hidden")
    layers = opened.workspace.layers
    assert layers.model.path_of(layers.tree.currentIndex()) == "hidden"
    assert opened.workspace.inspector.path.text() == "hidden"


def test_that_the_selection_survives_a_plan(qtbot: QtBot, opened: MainWindow) -> None:
    opened.session.select("backbone/stem_conv")
    resize(qtbot, opened, 64)
    layers = opened.workspace.layers
    assert layers.model.path_of(layers.tree.currentIndex()) == "backbone/stem_conv"
    assert opened.workspace.canvas.selected == "backbone/stem_conv"


def test_that_finding_a_layer_goes_to_it(qtbot: QtBot, opened: MainWindow) -> None:
    opened.actions_["find"].trigger()
    opened.top.finder.setText("block1_conv2")
    qtbot.keyClick(opened.top.finder, Qt.Key.Key_Return)
    assert opened.session.selection == "backbone/block1_conv2"


# views


def test_that_difference_shows_only_what_differs(qtbot: QtBot, opened: MainWindow) -> None:
    resize(qtbot, opened, 96, 1)
    qtbot.mouseClick(opened.top.views.button("difference"), LEFT)
    paths = opened.workspace.layers.model.paths()
    assert "backbone/stem_conv" in paths
    assert "predictions" not in paths
    qtbot.mouseClick(opened.top.views.button("after"), LEFT)
    assert "predictions" in opened.workspace.layers.model.paths()


def test_that_before_shows_the_source_s_shapes(qtbot: QtBot, opened: MainWindow) -> None:
    resize(qtbot, opened, 64)
    model = opened.workspace.layers.model
    assert model.index_of("input_layer", Column.OUTPUT).data() == "64\u00d764\u00d73"
    opened.actions_["before"].trigger()
    assert model.index_of("input_layer", Column.OUTPUT).data() == "96\u00d796\u00d73"


# findings


def test_that_a_mismatch_shows_in_tree_graph_and_findings_and_one_click_settles_it(
    qtbot: QtBot, open_source: Callable[[Source], MainWindow]
) -> None:
    window = open_source(source(flatten=True))
    resize(qtbot, window, 128)
    findings, layers = window.workspace.findings, window.workspace.layers
    assert [finding.layer for finding in findings.model.findings] == ["hidden"]
    badge = layers.model.index_of("hidden", Column.FATE)
    assert "1 mismatched" in badge.data(Qt.ItemDataRole.ToolTipRole)
    assert window.workspace.canvas._badges["hidden"].fate == "mismatched"
    row = findings.view.visualRect(findings.model.index(0))
    qtbot.mouseClick(findings.view.viewport(), LEFT, pos=QPoint(row.left() + 60, row.top() + 10))
    assert window.session.selection == "hidden"
    qtbot.mouseClick(findings.buttons[0], LEFT)
    qtbot.waitUntil(lambda: not window.session.planning)
    assert window.session.plan is not None
    assert window.session.plan.ok
    assert findings.model.rowCount() == 0
    window.actions_["undo"].trigger()
    qtbot.waitUntil(lambda: not window.session.planning)
    assert [finding.code for finding in findings.model.findings] == ["weight.mismatch"]


def test_that_f8_walks_through_the_findings(qtbot: QtBot, open_source: Callable[[Source], MainWindow]) -> None:
    window = open_source(source(flatten=True))
    resize(qtbot, window, 128, 1)
    window.actions_["next_finding"].trigger()
    assert window.session.selection == "hidden"
    window.actions_["next_finding"].trigger()
    assert window.session.selection == "backbone/stem_conv"
    window.actions_["previous_finding"].trigger()
    assert window.session.selection == "hidden"


def test_that_a_refused_recipe_is_a_banner_until_it_is_mended(
    qtbot: QtBot, opened: MainWindow, engine: FakeWorker
) -> None:
    from core.errors import RecipeError

    engine.refuse = RecipeError("Edit 1 names a layer that is not there.", edit=1)
    resize(qtbot, opened, 64)
    qtbot.waitUntil(lambda: opened.banner.tone == "error")
    assert opened.banner.text.text() == "Edit 1 names a layer that is not there."
    engine.refuse = None
    opened.actions_["undo"].trigger()
    qtbot.waitUntil(lambda: not opened.banner.isVisible())


# recipe


def test_that_steps_are_switched_removed_and_moved_by_undoable_gestures(qtbot: QtBot, opened: MainWindow) -> None:
    resize(qtbot, opened, 64)
    opened.session.gesture(lambda recipe: gestures.set_frozen(recipe, ["hidden"], True), "Freeze")
    panel = opened.workspace.recipe
    panel.model.setData(panel.model.index(0), Qt.CheckState.Unchecked, Qt.ItemDataRole.CheckStateRole)
    assert [edit.enabled for edit in steps(opened.session.recipe)] == [False, True]
    panel.view.setCurrentIndex(panel.model.index(1))
    qtbot.keyClick(panel.view, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert [edit.enabled for edit in steps(opened.session.recipe)] == [True, False]
    qtbot.keyClick(panel.view, Qt.Key.Key_Delete)
    assert len(steps(opened.session.recipe)) == 1
    for _ in range(5):
        opened.actions_["undo"].trigger()
    assert opened.session.recipe == Recipe()


def test_that_a_recipe_is_saved_and_loaded(qtbot: QtBot, opened: MainWindow, tmp_path: Path) -> None:
    resize(qtbot, opened, 64)
    file = tmp_path / "recipe.json"
    opened.files.save_recipe_to(str(file))
    assert file.read_text(encoding="utf-8") == to_json(opened.session.recipe)
    saved = opened.session.recipe
    opened.session.clear_recipe()
    opened.files.load_recipe_from(str(file))
    assert opened.session.recipe == saved


@pytest.mark.parametrize("text", ["", "[]", '{"edits": [{"do": "dance"}]}', '{"edits": [], "extra": 1}'])
def test_that_a_file_that_is_no_recipe_is_one_sentence(opened: MainWindow, tmp_path: Path, text: str) -> None:
    file = tmp_path / "recipe.json"
    file.write_text(text, encoding="utf-8")
    opened.files.load_recipe_from(str(file))
    assert opened.banner.tone == "error"
    assert opened.banner.text.text().startswith("recipe.json is not a recipe")
    assert opened.session.recipe == Recipe()


# export


def test_that_an_export_shows_progress_then_what_keras_says(
    qtbot: QtBot, opened: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    engine.hold = True
    opened.export_to(str(tmp_path / "out"))
    sheet = opened.files.sheet
    assert sheet.isVisible()
    assert not opened.actions_["export"].isEnabled()
    engine.progress("writing kernel", 0.25)
    qtbot.waitUntil(lambda: sheet.bar.value() == 250)
    engine.hold = False
    with qtbot.waitSignal(opened.export_finished):
        pass
    assert engine.bodies(Apply)[0].out == str(tmp_path / "out.keras")
    assert sheet.title.text() == "out.keras is written"
    assert opened.actions_["export"].isEnabled()
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    assert not sheet.isVisible()


def test_that_an_export_can_be_cancelled(qtbot: QtBot, opened: MainWindow, engine: FakeWorker) -> None:
    engine.hold = True
    opened.export_to("out.h5")
    qtbot.mouseClick(opened.files.sheet.cancel, LEFT)
    qtbot.waitUntil(lambda: not opened.session.exporting)
    assert not opened.files.sheet.isVisible()
    engine.hold = False
    qtbot.waitUntil(lambda: opened.session.engine_state == "ready")


def test_that_a_refused_export_is_one_sentence(qtbot: QtBot, opened: MainWindow, engine: FakeWorker) -> None:
    engine.refuse = PlanRefused("The plan has 1 error, so nothing was written.")
    opened.export_to("out.keras")
    qtbot.waitUntil(lambda: opened.files.sheet.title.text() == "Nothing was written")
    assert opened.files.sheet.subtitle.text() == "The plan has 1 error, so nothing was written."


def test_that_a_written_file_can_be_verified_again(qtbot: QtBot, opened: MainWindow, engine: FakeWorker) -> None:
    opened.files.verify_path("out.keras")
    qtbot.waitUntil(lambda: opened.files.sheet.title.text() == "out.keras holds what the plan says")
    assert engine.bodies(Verify) == [Verify(recipe=Recipe(), out="out.keras")]


# keys, names, themes


def test_that_no_two_commands_share_a_key(window: MainWindow) -> None:
    keys = Counter(key.toString() for action in window.actions_.all().values() for key in action.shortcuts())
    assert [key for key, count in keys.items() if count > 1 and key] == []


def test_that_quit_preferences_undo_and_open_have_keys(window: MainWindow) -> None:
    for name in ("quit", "preferences", "undo", "redo", "open", "export", "find"):
        assert not window.actions_[name].shortcut().isEmpty(), name


def test_that_every_command_is_reachable_from_the_menu(window: MainWindow) -> None:
    shown = {action.objectName() for menu in window.findChildren(QMenu) for action in menu.actions()}
    assert set(window.actions_.all()) - shown - {"menu"} == set()


def is_part_of_a_control(widget: QWidget) -> bool:
    """Popups of combo boxes, clear buttons of fields: Qt's own, spoken with the control that they belong to."""
    above = widget.parentWidget()
    while above is not None:
        if isinstance(above, QComboBox | QLineEdit | QSpinBox):
            return True
        above = above.parentWidget()
    return False


def test_that_every_control_has_a_name_to_be_spoken(opened: MainWindow) -> None:
    opened.actions_["preferences"].trigger()
    kinds = (QAbstractButton, QComboBox, QLineEdit, QTreeView, QListView)
    silent = []
    for kind in kinds:
        for widget in opened.findChildren(kind):
            text = widget.text() if isinstance(widget, QAbstractButton) else ""
            if not (is_part_of_a_control(widget) or text.strip() or widget.accessibleName()):
                silent.append(f"{type(widget).__name__} {widget.objectName()} in {type(widget.parent()).__name__}")
    assert not silent, "\n".join(silent)


def test_that_commands_about_a_model_wait_for_one(window: MainWindow) -> None:
    for name in ("export", "verify", "close", "find", "save_recipe", "fit"):
        assert not window.actions_[name].isEnabled(), name


def test_that_the_theme_can_be_chosen_and_is_remembered(window: MainWindow, settings: Settings) -> None:
    window.actions_["preferences"].trigger()
    sheet = window._preferences
    assert sheet is not None
    sheet.theme.show_key("dark")
    sheet.theme.activated.emit(sheet.theme.currentIndex())
    assert window.look.theme is themes.DARK
    assert settings.theme == "dark"
    sheet.theme.show_key("light")
    sheet.theme.activated.emit(sheet.theme.currentIndex())
    assert window.look.theme is themes.LIGHT


@pytest.mark.parametrize(
    ("choice", "scheme", "expected"),
    [
        ("auto", Qt.ColorScheme.Dark, themes.DARK),
        ("auto", Qt.ColorScheme.Light, themes.LIGHT),
        ("auto", Qt.ColorScheme.Unknown, themes.LIGHT),
        ("light", Qt.ColorScheme.Dark, themes.LIGHT),
        ("dark", Qt.ColorScheme.Light, themes.DARK),
    ],
)
def test_that_auto_follows_the_desktop(choice: themes.Choice, scheme: Qt.ColorScheme, expected: themes.Theme) -> None:
    assert themes.resolve(choice, scheme) is expected


def test_that_a_change_of_the_desktop_is_followed(painter: Painter) -> None:
    painter._on_scheme(Qt.ColorScheme.Dark)
    assert painter.look.theme is themes.DARK
    painter._on_scheme(Qt.ColorScheme.Light)
    assert painter.look.theme is themes.LIGHT


def test_that_a_fault_of_ours_is_shown_and_the_window_goes_on(window: MainWindow) -> None:
    window.show_crash("Suture made a mistake.", "Traceback\n  here")
    assert window._crash is not None
    assert window._crash.isVisible()
    window.show_crash("Suture made another.", "Traceback\n  there")
    assert window._crash.text.toPlainText() == "Traceback\n  here\nTraceback\n  there"


def test_that_sizes_are_remembered(qtbot: QtBot, opened: MainWindow, settings: Settings) -> None:
    opened.workspace.splitters["top"].setSizes([300, 700, 400])
    sizes = opened.workspace.splitters["top"].sizes()
    opened.close()
    assert not settings.bytes_of("splitter_top").isEmpty()
    again = MainWindow(opened.session, settings, opened.look)
    qtbot.addWidget(again)
    again.resize(opened.size())
    again.show()
    again.session.source_changed.emit()
    qtbot.waitUntil(lambda: sum(again.workspace.splitters["top"].sizes()) == sum(sizes))
    assert again.workspace.splitters["top"].sizes() == sizes


def test_that_the_welcome_page_opens_what_is_clicked(qtbot: QtBot, window: MainWindow) -> None:
    welcome = window.findChild(Welcome)
    assert welcome is not None
    button = welcome.findChildren(QAbstractButton, "listItem")[0]
    qtbot.mouseClick(button, LEFT)
    qtbot.waitUntil(lambda: window.session.source is not None)
    assert window.session.source is not None
    assert window.session.source.path == button.toolTip()
