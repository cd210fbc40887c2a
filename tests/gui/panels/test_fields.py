"""Fields of one number."""

import pytest
from PySide6.QtWidgets import QApplication

from gui.widgets.fields import NumberField


@pytest.mark.parametrize(("text", "value"), [("12", 12), (" 7 ", 7), ("", None), ("any", None), ("x", None)])
def test_that_number_fields_read_numbers(qapp: QApplication, text: str, value: int | None) -> None:
    field = NumberField("Width", nullable=True)
    field.setText(text)
    assert field.value == value
    assert bool(field.problem) == (text == "x")
