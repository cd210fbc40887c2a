"""A form is a list of fields: it draws them, checks them, and gives the values that a step needs."""

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from gui.widgets.cells import Field
from gui.widgets.form import Form


def percent(text: str) -> int:
    """A whole number up to a hundred."""
    if not text.isdecimal() or int(text) > 100:
        raise ValueError("The share is a whole number from 0 to 100.")
    return int(text)


FIELDS = (
    Field("filters", "Filters", "whole", high=64, help="How many channels it gives"),
    Field("kernel_size", "Kernel", "wholes", parts=("Height", "Width", "Depth")),
    Field("rule", "By", "choice", options=(("", "Automatic", "Chooses."), ("sum", "Sum", "Adds.")),
          shown=lambda said: said["filters"] is not None, explained=lambda said: said["filters"] is not None),
    Field("share", "Share", "text", read=percent, default=0, usable=lambda said: said["bias"]),
    Field("bias", "With bias", "flag", default=False),
    Field("multiple", "to a multiple of", "multiple", hint="32"),
)  # fmt: skip


@pytest.fixture
def form(qtbot: QtBot) -> Form:
    made = Form(FIELDS)
    qtbot.addWidget(made)
    made.show_values({"share": 0})
    made.show()
    return made


def test_that_a_field_that_says_its_default_is_no_value_of_the_step(qtbot: QtBot, form: Form) -> None:
    assert form.values() == {}
    qtbot.keyClicks(form.number("filters"), "12")
    form.box("bias").setChecked(True)
    assert form.values() == {"filters": 12, "bias": True}


def test_that_every_row_is_labelled_and_spoken(form: Form) -> None:
    texts = {one.text() for one in form.findChildren(QLabel)}
    assert {"Filters", "Kernel", "Share"} <= texts
    assert form.number("filters").accessibleName() == "Filters"
    assert form.number("filters").toolTip() == "How many channels it gives"
    assert [one.accessibleName() for one in form.numbers("kernel_size")] == ["Height", "Width", "Depth"]


def test_that_a_field_is_there_when_its_condition_holds_and_says_nothing_otherwise(qtbot: QtBot, form: Form) -> None:
    rule = form.choice("rule")
    rule.show_key("sum")
    assert not rule.isVisible()
    assert "rule" not in form.values()
    qtbot.keyClicks(form.number("filters"), "4")
    assert rule.isVisible()
    assert form.values() == {"filters": 4, "rule": "sum"}
    assert form.explanation.text() == "Adds."


def test_that_a_field_can_be_used_when_its_condition_holds(form: Form) -> None:
    assert not form.line("share").isEnabled()
    form.box("bias").setChecked(True)
    assert form.line("share").isEnabled()


def test_that_the_first_wrong_field_says_one_sentence_and_keeps_its_text(qtbot: QtBot, form: Form) -> None:
    qtbot.keyClicks(form.number("filters"), "65")
    assert form.problem.text() == "Filters must be a whole number from 1 to 64, not 65."
    assert form.number("filters").text() == "65"
    form.number("filters").clear()
    form.box("bias").setChecked(True)
    form.line("share").clear()
    qtbot.keyClicks(form.line("share"), "200")
    assert form.problem.text() == "The share is a whole number from 0 to 100."
    assert not form.check()


def test_that_numbers_left_empty_mean_what_the_source_has(qtbot: QtBot, form: Form) -> None:
    form.show_originals({"kernel_size": (7, 7)})
    height, width, depth = form.numbers("kernel_size")
    assert [one.placeholderText() for one in (height, width)] == ["7", "7"]
    assert not depth.isVisible()
    assert "kernel_size" not in form.values()
    qtbot.keyClicks(height, "5")
    assert form.values()["kernel_size"] == [5, 7]


def test_that_typing_settles_after_a_moment_and_a_choice_at_once(qtbot: QtBot, form: Form) -> None:
    heard: list[str] = []
    form.changed.connect(lambda: heard.append("changed"))
    form.step.connect(lambda: heard.append("step"))
    qtbot.keyClicks(form.number("filters"), "16")
    assert heard == ["step"]
    qtbot.waitUntil(lambda: "changed" in heard)
    assert heard == ["step", "changed"]
    heard.clear()
    form.box("bias").setChecked(True)
    assert heard == ["step", "changed", "step"]


def test_that_a_shown_value_is_no_gesture(qtbot: QtBot, form: Form) -> None:
    with qtbot.assertNotEmitted(form.changed, wait=100):
        form.show_values({"filters": 3, "rule": "sum", "bias": True, "multiple": 64})
    assert form.values() == {"filters": 3, "rule": "sum", "bias": True, "multiple": 64}


def test_that_a_reset_takes_back_what_is_being_typed(qtbot: QtBot, form: Form) -> None:
    form.show_values({"multiple": 64})
    qtbot.keyClicks(form.number("filters"), "many")
    form.reset()
    assert form.values() == {}
    assert form.problem.text() == ""
    assert form.number("filters").text() == ""


def test_that_a_default_that_an_empty_field_means_is_written_out(qtbot: QtBot) -> None:
    made = Form([Field("groups", "Groups", "text", read=lambda text: int(text or 1))])
    qtbot.addWidget(made)
    assert made.line("groups").text() == ""
    made.show_values({"groups": 1})
    assert made.line("groups").text() == "1"
