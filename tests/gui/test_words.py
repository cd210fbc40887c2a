"""The vocabulary of a lookup, from its menu to a step of the recipe."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from core.model.graph import Call, Graph, Layer, TensorRef
from gui.dialogs.words import WordsSheet
from gui.document.session import Session
from gui.window import MainWindow
from tests.gui.hand_made import steps


def lookup(class_name: str, words: list[str] | list[int]) -> Graph:
    layers = (
        Layer("text", "InputLayer", config={"batch_shape": [None, 1], "dtype": "string"}, calls=(Call(),)),
        Layer("words", class_name, config={"vocabulary": words}, calls=(Call(args=(TensorRef("text"),)),)),
    )
    return Graph("reader", layers=layers, inputs=TensorRef("text"), outputs=TensorRef("words"))


def asked(window: MainWindow, graph: Graph, monkeypatch: pytest.MonkeyPatch) -> WordsSheet:
    """The sheet, asked for in the menu of the lookup in a graph as it was planned."""
    monkeypatch.setattr(Session, "after_graph", property(lambda _: graph))
    menu = QMenu()
    window.layers.fill(menu, "words")
    next(action for action in menu.actions() if action.text().startswith("Vocabulary")).trigger()
    return window.layers.words_sheet


def test_that_a_vocabulary_is_one_step(qtbot: QtBot, opened: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = asked(opened, lookup("StringLookup", ["a", "b", "c"]), monkeypatch)
    assert sheet.given() == ["a", "b", "c"]
    assert not sheet.apply.isEnabled()
    sheet.words.setFocus()
    sheet.words.selectAll()
    for word in ("c", "zz", "a"):
        qtbot.keyClicks(sheet.words, word)
        qtbot.keyClick(sheet.words, Qt.Key.Key_Return)
    assert sheet.note.text() == "2 kept, 1 new, 1 removed."
    qtbot.mouseClick(sheet.apply, Qt.MouseButton.LeftButton)
    (edit,) = steps(opened.session.recipe)
    assert (edit.layer, edit.vocabulary, edit.fresh) == ("words", ("c", "zz", "a"), "uniform")


@pytest.mark.parametrize(
    ("class_name", "typed", "sentence"),
    [
        ("StringLookup", "a\na", "a is listed 2 times; each word has one row."),
        ("StringLookup", "", "Enter at least one word."),
        ("IntegerLookup", "1\nx", "x is not a whole number."),
    ],
)
def test_that_words_that_cannot_be_are_told_at_once(
    class_name: str, typed: str, sentence: str, opened: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = lookup(class_name, [1, 2] if class_name == "IntegerLookup" else ["a", "b"])
    sheet = asked(opened, words, monkeypatch)
    sheet.words.setPlainText(typed)
    assert sheet.note.text() == sentence
    assert not sheet.apply.isEnabled()


def test_that_layers_without_words_offer_no_vocabulary(opened: MainWindow) -> None:
    menu = QMenu()
    opened.layers.fill(menu, "hidden")
    assert not [action for action in menu.actions() if action.text().startswith("Vocabulary")]
