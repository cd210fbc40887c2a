"""Adapters, fronts, legal sizes, outputs, kept classes, single layers, presets, transfer: widgets in, recipe out."""

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QCheckBox, QLineEdit, QMenu
from pytestqt.qtbot import QtBot

from core.layers.descriptions import Argument
from core.model.plan import LegalSizes, Verification
from core.recipes.gestures import make_edit, tag
from core.recipes.presets import presets
from core.recipes.recipe import Recipe
from core.service.messages import CheckRecipes, CompareRules, MatchWeights, Verify
from gui.dialogs.presets import fitted
from gui.panels.input import InputRow
from gui.panels.keep import parsed as classes_of
from gui.panels.keep import read_labels
from gui.panels.legal import size_words
from gui.panels.states import states
from gui.widgets.arguments import parsed, read
from gui.widgets.fields import Choice
from gui.window import MainWindow
from tests.gui.hand_made import FakeWorker, model, steps
from tests.helpers.edits import applied

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def row(opened: MainWindow) -> InputRow:
    opened.workspace.show_tab("Input")
    return opened.workspace.input.rows[0]


def way(qtbot: QtBot, row: InputRow, key: str) -> None:
    qtbot.mouseClick(row.ways.button(key), LEFT)


def pick(choice: Choice, key: str) -> None:
    choice.show_key(key)
    choice.activated.emit(choice.currentIndex())


# adapters and fronts


def test_that_an_adapter_is_one_step_and_changing_it_stays_one(qtbot: QtBot, opened: MainWindow, row: InputRow) -> None:
    way(qtbot, row, "adapt")
    for field, text in zip(row.adapt.form.numbers("shape"), ("200", "180", "3"), strict=True):
        field.setText(text)
    qtbot.mouseClick(row.adapt.apply, LEFT)
    pick(row.adapt.form.choice("fit"), "letterbox")
    pick(row.adapt.form.choice("interpolation"), "bicubic")
    qtbot.mouseClick(row.adapt.apply, LEFT)
    (edit,) = steps(opened.session.recipe)
    assert (tag(edit), edit.fit, edit.shape, edit.interpolation) == (
        "insert_adapter", "letterbox", (200, 180, 3), "bicubic",
    )  # fmt: skip
    qtbot.mouseClick(row.adapt.remove, LEFT)
    assert opened.session.recipe == Recipe()


def test_that_padding_to_a_multiple_says_so_and_crops_back(qtbot: QtBot, opened: MainWindow, row: InputRow) -> None:
    way(qtbot, row, "adapt")
    pick(row.adapt.form.choice("fit"), "pad")
    row.adapt.form.box("multiple").setChecked(True)
    row.adapt.form.show_values({"multiple": 64})
    qtbot.mouseClick(row.adapt.apply, LEFT)
    (edit,) = steps(opened.session.recipe)
    assert (edit.fit, edit.multiple, edit.crop_back) == ("pad", 64, True)


def test_that_channels_and_sizes_have_an_adapter_each(qtbot: QtBot, opened: MainWindow, row: InputRow) -> None:
    way(qtbot, row, "adapt")
    qtbot.mouseClick(row.adapt.apply, LEFT)
    pick(row.adapt.form.choice("fit"), "repeat")
    qtbot.mouseClick(row.adapt.apply, LEFT)
    assert [(edit.fit, edit.shape[-1]) for edit in steps(opened.session.recipe)] == [("resize", 3), ("repeat", 1)]


def test_that_a_front_holds_the_layers_of_its_list(qtbot: QtBot, opened: MainWindow, row: InputRow) -> None:
    way(qtbot, row, "front")
    qtbot.mouseClick(row.front.add, LEFT)
    form = opened.layers.form
    qtbot.waitUntil(lambda: form.layer_class is not None)
    form.kind.setCurrentIndex(form.kind.findText("Dropout"))
    assert not form.apply.isEnabled()
    rate = form.form.form.widget("rate")
    assert isinstance(rate, QLineEdit)
    qtbot.keyClicks(rate, "0.2")
    qtbot.mouseClick(form.apply, LEFT)
    qtbot.mouseClick(row.front.up, LEFT)
    qtbot.mouseClick(row.front.apply, LEFT)
    (edit,) = steps(opened.session.recipe)
    assert [entry["class_name"] for entry in edit.layers] == ["Conv2D", "Dropout", "MaxPooling2D"]
    assert edit.layers[1]["config"] == {"rate": 0.2}
    assert edit.shape == (192, 192, 3)


# legal sizes


@pytest.mark.parametrize(
    ("legal", "words"),
    [
        (LegalSizes("a", 32, 1, None, ""), "Smallest 32, any size from there"),
        (LegalSizes("a", 64, 32, None, ""), "Multiples of 32, from 64"),
        (LegalSizes("a", 224, None, 224, "fc1: one size"), "Only 224\u00d7224 \u2013 fc1: one size"),
        (LegalSizes("a", None, None, None, ""), ""),
    ],
)
def test_that_legal_sizes_are_one_line(legal: LegalSizes, words: str) -> None:
    assert size_words(legal, 2) == words


def test_that_a_forbidden_size_names_the_layer_and_offers_what_fits(
    qtbot: QtBot, opened: MainWindow, row: InputRow
) -> None:
    qtbot.waitUntil(lambda: row.legal.words.text() == "Multiples of 32, from 32", timeout=5000)
    for field in row.fields[:2]:
        field.setText("100")
    row.apply()
    qtbot.waitUntil(lambda: "block1_add" in row.legal.forbidden.text(), timeout=5000)
    assert [button.text() for button in row.legal.buttons] == [
        "Pad to a multiple of 32, crop back", "Resize to 96\u00d796 inside", "Crop to 96\u00d796 inside",
    ]  # fmt: skip
    qtbot.mouseClick(row.legal.buttons[0], LEFT)
    (edit,) = steps(opened.session.recipe)
    assert (tag(edit), edit.multiple, edit.shape) == ("insert_adapter", 32, (100, 100, 3))
    assert row.way == "adapt"
    opened.session.undo_stack.undo()
    assert [tag(edit) for edit in steps(opened.session.recipe)] == ["change_input"]


def test_that_a_change_of_channels_survives_the_adapter(qtbot: QtBot, opened: MainWindow, row: InputRow) -> None:
    for field, text in zip(row.fields, ("100", "100", "1"), strict=True):
        field.setText(text)
    row.apply()
    qtbot.waitUntil(lambda: len(row.legal.buttons) == 3, timeout=5000)
    qtbot.mouseClick(row.legal.buttons[1], LEFT)
    change, adapter = steps(opened.session.recipe)
    assert (change.shape, adapter.shape, adapter.fit) == ((96, 96, 1), (100, 100, 1), "resize")


# head and outputs


def test_that_kept_classes_reach_the_recipe_and_leave_the_old_head(qtbot: QtBot, opened: MainWindow) -> None:
    opened.workspace.show_tab("Head")
    head = opened.workspace.head
    head.attach.click()
    head.kept.on.setChecked(True)
    head.kept.classes.setText("0, 3, 7-9")
    head.apply()
    (edit,) = steps(opened.session.recipe)
    assert (tag(edit), edit.keep, edit.hidden) == ("attach_head", (0, 3, 7, 8, 9), ())
    head.kept.on.setChecked(False)
    assert [tag(edit) for edit in steps(opened.session.recipe)] == ["remove_head", "attach_head"]


def test_that_labels_come_from_lines_and_from_json(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("cat\ndog\n\nsea lion\n")
    (tmp_path / "b.json").write_text('{"1": ["n2", "dog"], "0": ["n1", "cat"]}')
    assert read_labels(tmp_path / "a.txt") == ("cat", "dog", "sea lion")
    assert read_labels(tmp_path / "b.json") == ("cat", "dog")
    assert classes_of("sea lion, 0", ("cat", "dog", "sea lion")) == ["sea lion", 0]
    with pytest.raises(ValueError, match="neither a number nor one of the labels"):
        classes_of("bird", ("cat",))
    with pytest.raises(ValueError, match="Enter the old classes to keep"):
        classes_of(" , ", ())


def test_that_outputs_are_added_by_name_and_by_selection_and_taken_out(qtbot: QtBot, opened: MainWindow) -> None:
    opened.workspace.show_tab("Head")
    form = opened.workspace.head.outputs
    form.name.setText("backbone/block1_add")
    qtbot.keyClick(form.name, Qt.Key.Key_Return)
    opened.session.select("hidden")
    qtbot.mouseClick(form.selected, LEFT)
    (edit,) = steps(opened.session.recipe)
    assert edit.layers == ("backbone/block1_add", "hidden")
    form.name.setText("nowhere")
    form.add_typed()
    assert "There is no layer" in form.problem.text()
    form.list.setCurrentRow(0)
    qtbot.mouseClick(form.trash, LEFT)
    qtbot.mouseClick(form.trash, LEFT)
    assert opened.session.recipe == Recipe()


# the menu of a layer


def entry(menu: QMenu, text: str) -> None:
    (action,) = [one for one in menu.actions() if one.text() == text]
    assert action.isEnabled()
    action.trigger()


def menu_of(window: MainWindow, path: str) -> QMenu:
    menu = QMenu(window)
    window.layers.fill(menu, path)
    return menu


def test_that_the_menu_of_a_layer_changes_the_recipe(opened: MainWindow) -> None:
    entry(menu_of(opened, "hidden"), "Freeze")
    entry(menu_of(opened, "backbone/block1_relu"), "Remove")
    entry(menu_of(opened, "hidden"), "Outputs here")
    entry(menu_of(opened, "backbone"), "Output here too")
    found = [(tag(edit), getattr(edit, "layer", None) or edit.layers) for edit in steps(opened.session.recipe)]
    assert found == [
        ("set_trainable", ("hidden",)),
        ("remove_layer", "backbone/block1_relu"),
        ("cut_at", ("hidden", "backbone")),
    ]


def test_that_layers_with_two_inputs_and_inputs_cannot_be_removed(opened: MainWindow) -> None:
    for path in ("backbone/block1_add", "input_layer"):
        states_of = {action.text(): action.isEnabled() for action in menu_of(opened, path).actions()}
        assert not states_of["Remove"], path
        assert not states_of["Insert before\u2026"], path


def test_that_inserting_before_goes_behind_the_feeder(qtbot: QtBot, opened: MainWindow) -> None:
    entry(menu_of(opened, "backbone/block1_relu"), "Insert before\u2026")
    form = opened.layers.form
    qtbot.waitUntil(lambda: form.layer_class is not None)
    for name, text in (("filters", "8"), ("kernel_size", "3, 5")):
        widget = form.form.form.widget(name)
        assert isinstance(widget, QLineEdit)
        qtbot.keyClicks(widget, text)
    bias = form.form.form.widget("use_bias")
    assert isinstance(bias, QCheckBox)
    bias.setChecked(False)
    form.name.setText("fresh")
    qtbot.mouseClick(form.apply, LEFT)
    (edit,) = steps(opened.session.recipe)
    assert edit.layer == "backbone/block1_bn1"
    assert edit.config == {
        "class_name": "Conv2D",
        "config": {"name": "fresh", "filters": 8, "kernel_size": [3, 5], "use_bias": False},
    }


def test_that_replacing_by_the_same_class_names_what_changed_only(qtbot: QtBot, opened: MainWindow) -> None:
    entry(menu_of(opened, "backbone/block1_conv1"), "Replace\u2026")
    form = opened.layers.form
    qtbot.waitUntil(lambda: form.layer_class is not None)
    activation = form.form.form.widget("activation")
    assert isinstance(activation, Choice)
    pick(activation, "relu")
    qtbot.mouseClick(form.apply, LEFT)
    (edit,) = steps(opened.session.recipe)
    assert (edit.layer, edit.config) == ("backbone/block1_conv1", {"activation": "relu"})


def test_that_a_name_that_is_taken_is_refused_before_it_is_a_step(qtbot: QtBot, opened: MainWindow) -> None:
    opened.session.select("hidden")
    opened.actions_["rename_layer"].trigger()
    sheet = opened.layers.rename_sheet
    sheet.name.setText("predictions")
    assert "already" in sheet.problem.text()
    assert not sheet.apply.isEnabled()
    sheet.name.setText("features")
    qtbot.keyClick(sheet.name, Qt.Key.Key_Return)
    (edit,) = steps(opened.session.recipe)
    assert (edit.layer, edit.name) == ("hidden", "features")


@pytest.mark.qt_log_ignore(r"This plugin does not support (raise|grabbing)", extend=True)
def test_that_the_canvas_and_the_menu_key_open_the_menu(opened: MainWindow) -> None:
    opened.workspace.canvas.context_requested.emit("hidden", QPoint(10, 10))
    assert opened.session.selection == "hidden"
    shown = [menu for menu in opened.findChildren(QMenu) if menu.accessibleName() == "Layer hidden"]
    assert len(shown) == 1
    shown[0].close()


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("whole", "7", 7),
        ("number", "0.5", 0.5),
        ("sizes", "3", 3),
        ("sizes", "(3, 5)", [3, 5]),
        ("sizes", "[[1, 2], [3, 4]]", [[1, 2], [3, 4]]),
        ("json", "[1, 2]", [1, 2]),
        ("json", "relu", "relu"),
    ],
)
def test_that_arguments_are_read_as_their_kind(kind: str, text: str, value: object) -> None:
    assert parsed(text, Argument("x", kind)) == value  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "text"), [("whole", "3.5"), ("number", "much"), ("sizes", "3 by 4"), ("json", "[1")])
def test_that_an_argument_that_makes_no_sense_is_a_sentence(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"must be a|must be one|cannot be read"):
        parsed(text, Argument("x", kind))  # type: ignore[arg-type]


# presets, transfer, verification, comparison, freezing


@pytest.mark.parametrize(
    ("name", "kind", "text", "sentence"),
    [
        ("filters", "whole", "0", "Filters must be a whole number of at least 1, not \u201c0\u201d."),
        ("rate", "number", "1.5", "Rate must be a number from 0 to 1, not \u201c1.5\u201d."),
        ("kernel_size", "sizes", "3, -1", "Kernel size must be whole numbers of at least 1, not -1."),
        ("epsilon", "number", "nan", "Epsilon must be a number of at least 0, not \u201cnan\u201d."),
        ("units", "whole", "-4", "Units must be a whole number of at least 1, not \u201c-4\u201d."),
    ],
)
def test_that_numbers_that_no_layer_can_take_are_refused_in_the_form(
    name: str, kind: Any, text: str, sentence: str
) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        read(Argument(name, kind), text)
    assert str(caught.value) == sentence


def test_that_presets_show_which_fit_and_one_is_one_step_of_undo(
    qtbot: QtBot, opened: MainWindow, engine: FakeWorker
) -> None:
    opened.actions_["presets"].trigger()
    sheet = opened.sheets.presets
    titles = [preset.title for preset in sheet.presets]
    gray, cut = titles.index("Gray input"), titles.index("Features at a named layer")
    qtbot.waitUntil(lambda: sheet.buttons[gray].isEnabled())
    assert len(engine.bodies(CheckRecipes)[0].recipes) == len(presets())
    assert not sheet.buttons[cut].isEnabled()
    assert "no layer of this name" in sheet.reasons[cut].text()
    qtbot.mouseClick(sheet.buttons[gray], LEFT)
    (edit,) = steps(opened.session.recipe)
    assert edit.shape == (96, 96, 1)
    opened.session.undo_stack.undo()
    assert opened.session.recipe == Recipe()


def test_that_a_preset_takes_the_selected_layer_for_one_that_is_not_there() -> None:
    preset = next(one for one in presets() if one.file == "features-at-layer.json")
    (edit,) = fitted(preset, model(), "hidden")
    assert edit.layers == ("hidden",)


def test_that_both_sides_are_seen_before_weights_are_transferred(
    qtbot: QtBot, opened: MainWindow, engine: FakeWorker
) -> None:
    sheet = opened.sheets.transfer
    sheet.look_at("other.keras")
    sheet.open(sheet.choose)
    qtbot.waitUntil(lambda: sheet.model.rowCount() == 4)
    texts = [[sheet.model.index(row, column).data() for column in range(5)] for row in range(4)]
    assert texts[0] == ["top/kernel", "128\u00d77", "predictions/kernel", "128\u00d710", "does not fit"]
    assert texts[3][4] == "keeps its own"
    assert opened.session.recipe == Recipe()
    qtbot.mouseClick(sheet.ways.button("order"), LEFT)
    sheet.theirs.setCurrentText("extra")
    sheet.ours.setCurrentText("hidden")
    qtbot.mouseClick(sheet.pair, LEFT)
    qtbot.waitUntil(lambda: sheet.apply.isEnabled())
    assert engine.bodies(MatchWeights)[-1].pairs == (("hidden", "extra"),)
    qtbot.mouseClick(sheet.apply, LEFT)
    (edit,) = steps(opened.session.recipe)
    assert (edit.file, edit.match, edit.pairs) == ("other.keras", "order", (("hidden", "extra"),))


def test_that_the_matching_model_keeps_the_rules_of_models(
    qtmodeltester: object, opened: MainWindow, qtbot: QtBot
) -> None:
    sheet = opened.sheets.transfer
    sheet.look_at("other.keras")
    qtbot.waitUntil(lambda: sheet.model.rowCount() == 4)
    qtmodeltester.check(sheet.model)  # type: ignore[attr-defined]


def test_that_rules_are_compared_on_ones_own_files(qtbot: QtBot, opened: MainWindow, engine: FakeWorker) -> None:
    opened.session.change_recipe(Recipe().plus(make_edit("change_input", shape=[96, 96, 1])), "Gray")
    sheet = opened.sheets.comparison
    sheet.begin(number=1)
    sheet.use(["a.npy", "b.png"])
    qtbot.waitUntil(lambda: len(sheet.buttons) == 2)
    assert engine.bodies(CompareRules)[-1].inputs == ("a.npy", "b.png")
    assert "a.npy, b.png" in sheet.files.text()


def test_that_verification_on_ones_own_files_ranks_layers_by_drift(
    qtbot: QtBot, opened: MainWindow, engine: FakeWorker, tmp_path: Path
) -> None:
    from core.model.plan import ContractResult

    out = tmp_path / "out.keras"
    out.write_bytes(b"x")
    with qtbot.waitSignal(opened.export_finished):
        opened.export_to(str(out))
    opened.exporting.verify_on(["mine.npy"])
    qtbot.waitUntil(lambda: not opened.work.verifying.path)
    assert engine.bodies(Verify)[-1].inputs == ("mine.npy",)
    drifts = (("hidden", 0.01), ("backbone/stem_conv", 0.3))
    opened.exporting.sheet.on_verified(
        Verification(True, True, True, (ContractResult("new == old", 0.3, exact=False),), drift_by_layer=drifts)
    )
    drift = opened.exporting.sheet.drift
    assert drift is not None
    assert [button.toolTip() for button in drift.buttons] == ["backbone/stem_conv", "hidden"]
    qtbot.mouseClick(drift.buttons[0], LEFT)
    assert opened.session.selection == "backbone/stem_conv"


def test_that_weights_statistics_and_call_mode_are_counted_apart(opened: MainWindow) -> None:
    found = states(model())
    assert (found.layers, found.frozen, found.norms, found.norms_frozen, found.inference) == (7, 0, 2, 0, 0)
    edit = make_edit("set_trainable", layers=["backbone/*"], trainable=False, batch_norm="trainable")
    frozen = states(applied(model(), edit))
    assert (frozen.frozen, frozen.norms_frozen) == (3, 0)
