"""Settings, numbers in words, fates of groups, our own faults, presets and the step editor."""

import json
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QByteArray, QSettings, Qt
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from core.model.plan import Fate
from core.recipes.presets import presets
from core.recipes.recipe import Recipe
from gui.controllers.service import Service
from gui.crash import CrashWatch
from gui.dialogs.export import drift_words
from gui.main_window import MainWindow
from gui.models import digest
from gui.settings import Settings
from gui.widgets import theme as themes
from gui.widgets.fields import NumberField
from tests.gui.hand_made import FakeWorker, steps

LEFT = Qt.MouseButton.LeftButton


# words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (None, "\u2013"),
        (0, "0"),
        (812, "812"),
        (1000, "1.0K"),
        (23_600, "23.6K"),
        (99_960, "100.0K"),
        (109_000, "109K"),
        (25_636_712, "25.6M"),
        (4_100_000_000, "4.1G"),
        (3_000_000_000_000, "3000G"),
    ],
)
def test_that_counts_read_as_people_say_them(number: int | None, words: str) -> None:
    assert digest.count_words(number) == words


def test_that_drift_is_told_in_words() -> None:
    assert drift_words(0.0, exact=True) == "exactly equal"
    assert drift_words(2e-7, exact=True) == "equal up to rounding (2.0e-07 relative)"
    assert drift_words(0.034, exact=False) == "drifts by 3.40% relative"


def test_that_a_weight_whose_name_has_a_slash_belongs_to_its_layer() -> None:
    fates = [Fate("body/lstm/cell/kernel", "adapted", (1,), rule="sum"), Fate("body/lstm/cell/bias", "copied", (1,))]
    found = digest.badges(fates, {"body", "body/lstm"})
    assert set(found) == {"body", "body/lstm"}
    assert found["body/lstm"].words() == "1 adapted (sum), 1 copied"
    assert found["body"].fate == "adapted"


# settings


def test_that_settings_come_back_with_their_types(tmp_path: Path) -> None:
    file = tmp_path / "settings.ini"
    known = tmp_path / "model.keras"
    known.touch()
    first = Settings(file)
    first.theme = "dark"
    first.verify_after_export = False
    first.add_recent(str(known))
    first.add_recent(str(tmp_path / "gone.keras"))
    first.save_bytes("geometry", QByteArray(b"\x00\xff\x01"))
    first.sync()
    again = Settings(file)
    assert again.theme == "dark"
    assert again.verify_after_export is False
    assert again.recent == [str(known)]
    assert bytes(again.bytes_of("geometry").data()) == b"\x00\xff\x01"


def test_that_settings_that_make_no_sense_count_as_absent(tmp_path: Path) -> None:
    file = tmp_path / "settings.ini"
    raw = QSettings(str(file), QSettings.Format.IniFormat)
    for key in ("theme", "recent", "verify_after_export", "bytes/geometry", "folder"):
        raw.setValue(key, "{not json")
    raw.sync()
    settings = Settings(file)
    assert settings.theme == "auto"
    assert settings.recent == []
    assert settings.verify_after_export is True
    assert settings.bytes_of("geometry").isEmpty()
    assert Path(settings.folder).is_dir()


# themes


@pytest.mark.parametrize("theme", [themes.LIGHT, themes.DARK], ids=["light", "dark"])
def test_that_every_text_stands_out_from_its_ground(theme: themes.Theme) -> None:
    """WCAG 2.1, relative luminance and contrast ratio; 4.5 is its level AA for text."""

    def luminance(colour: str) -> float:
        channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: str, other: str) -> float:
        light, dark = sorted((luminance(one), luminance(other)), reverse=True)
        return (light + 0.05) / (dark + 0.05)

    pairs = {
        "text": (theme.text, theme.panel),
        "muted": (theme.muted, theme.panel),
        "muted on window": (theme.muted, theme.window),
        "button": (theme.on_accent, theme.accent),
        "selection": (theme.selection_text, theme.selection),
    }
    for name in themes.FATE_LETTERS:
        pairs[name] = (theme.fate(name).ink, theme.fate(name).fill)
    for name in ("error", "warning", "info", "success"):
        pairs[f"{name} banner"] = (theme.text, theme.severity(name).fill)
        pairs[name] = (theme.severity(name).ink, theme.panel)
    weak = {name: round(contrast(*pair), 2) for name, pair in pairs.items() if contrast(*pair) < 4.5}
    assert weak == {}


@pytest.mark.parametrize(
    ("class_name", "family"),
    [
        ("DepthwiseConv2D", "conv"),
        ("Dense", "dense"),
        ("BatchNormalization", "norm"),
        ("MaxPooling2D", "pool"),
        ("Concatenate", "merge"),
        ("MultiHeadAttention", "attention"),
        ("ZeroPadding2D", "shape"),
        ("LSTM", "recurrent"),
        ("InputLayer", "port"),
        ("Magic", "other"),
    ],
)
def test_that_layers_belong_to_families(class_name: str, family: str) -> None:
    assert themes.family(class_name) == family


# our own faults


def test_that_a_fault_of_ours_is_saved_and_told_once(qtbot: QtBot, qapp: QApplication) -> None:
    watch = CrashWatch()
    before = sys.excepthook
    watch.install()
    try:
        with qtbot.waitSignal(watch.crashed) as told:
            error = RuntimeError("broken on purpose")
            sys.excepthook(type(error), error, error.__traceback__)
    finally:
        watch.remove()
    assert sys.excepthook is before
    assert told.args is not None
    sentence, details = told.args
    assert "broken on purpose" in details
    report = Path(sentence.rpartition(" is in ")[2].removesuffix("."))
    assert "broken on purpose" in report.read_text(encoding="utf-8")


# services


def test_that_a_dropped_request_is_never_answered(qtbot: QtBot) -> None:
    worker = FakeWorker()
    service = Service("engine", worker)
    heard: list[object] = []
    service.drop(service.ask("first", heard.append, heard.append))
    service.ask("second", heard.append, heard.append)
    qtbot.waitUntil(lambda: not service.busy)
    service.stop()
    assert len(heard) == 1


# fields


@pytest.mark.parametrize(("text", "value"), [("12", 12), (" 7 ", 7), ("", None), ("any", None), ("x", None)])
def test_that_number_fields_read_numbers(qapp: QApplication, text: str, value: int | None) -> None:
    field = NumberField("Width", nullable=True)
    field.setText(text)
    assert field.value == value
    assert bool(field.problem) == (text == "x")


# presets and steps


def test_that_every_preset_is_a_recipe_with_a_title(opened: MainWindow) -> None:
    assert all(preset.title and preset.text for preset in presets())
    assert all(preset.steps() for preset in presets())


def test_that_a_preset_adds_its_steps_and_says_what_to_adapt(opened: MainWindow) -> None:
    preset = next(one for one in presets() if one.hint)
    opened.workspace.recipe.add_preset(preset)
    assert opened.session.recipe.edits == preset.steps()
    assert preset.hint in opened.banner.text.text()
    opened.actions_["undo"].trigger()
    assert opened.session.recipe == Recipe()


def test_that_a_step_is_edited_as_text(qtbot: QtBot, opened: MainWindow) -> None:
    preset = next(one for one in presets() if one.file == "gray-input.json")
    opened.workspace.recipe.add_preset(preset)
    panel = opened.workspace.recipe
    panel.view.setCurrentIndex(panel.model.index(0))
    panel.pencil.click()
    sheet = opened._step
    assert sheet is not None
    step = json.loads(sheet.text.toPlainText())
    step["shape"] = [96, 96, 1]
    sheet.text.setPlainText(json.dumps(step))
    qtbot.mouseClick(sheet.apply, LEFT)
    assert steps(opened.session.recipe)[0].shape == (96, 96, 1)
    assert not sheet.isVisible()


@pytest.mark.parametrize("text", ["{", "[]", '{"do": "dance"}', '{"do": "change_input", "shape": [0, 1, 1]}'])
def test_that_a_step_that_makes_no_sense_cannot_be_applied(opened: MainWindow, text: str) -> None:
    opened.workspace.recipe.add_preset(presets()[0])
    opened._edit_step(0)
    assert opened._step is not None
    before = opened.session.recipe
    opened._step.text.setPlainText(text)
    assert opened._step.problem.text()
    assert not opened._step.apply.isEnabled()
    assert opened.session.recipe == before


# the file dialog


def test_that_export_asks_for_a_name_that_is_not_the_source_s(qtbot: QtBot, opened: MainWindow, tmp_path: Path) -> None:
    opened.settings.folder = str(tmp_path)
    QApplication.setAttribute(Qt.ApplicationAttribute.AA_DontUseNativeDialogs)
    qtbot.mouseClick(opened.top.export, LEFT)
    (dialog,) = opened.findChildren(QFileDialog)
    assert [Path(path).name for path in dialog.selectedFiles()] == ["digits-adapted.keras"]
    with qtbot.waitSignal(opened.export_finished):
        dialog.accept()
    assert opened.files.sheet.title.text() == "digits-adapted.keras is written"
