"""The list of weights and the look into one."""

import subprocess
import sys

import numpy as np
import pytest
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from core.analysis.preview import WeightPreview, preview_weight
from core.model.graph import Layer, StoreKey, Weight
from core.model.plan import Fate, Plan
from gui.panels.preview import caption_of, mosaic, number_words
from gui.panels.weights import WeightRow, WeightsPanel, rows_of
from gui.widgets.theme import LIGHT
from tests.gui.canvas import graphs


@pytest.fixture
def panel(qtbot: QtBot) -> WeightsPanel:
    made = WeightsPanel()
    qtbot.addWidget(made)
    made.resize(320, 700)
    made.show()
    return made


def weight(name: str, *shape: int, file: int = 0) -> Weight:
    return Weight(name, shape, source=StoreKey(f"layers/x/{name}", file))


def lstm() -> Layer:
    return Layer("lstm", "LSTM", weights=(weight("cell/kernel", 4, 32), weight("cell/bias", 32)))


def preview_of(array: np.ndarray, name: str = "conv/kernel") -> WeightPreview:
    return preview_weight(array, name)


def test_that_rows_tell_what_happens_to_each_weight() -> None:
    fates = (
        Fate("a/lstm/cell/kernel", "adapted", (2, 32), rule="sum", source="a/lstm/cell/kernel", source_shape=(4, 32)),
        Fate("a/lstm/cell/bias", "copied", (32,), source_shape=(32,)),
        Fate("a/lstm2/cell/bias", "copied", (32,)),
    )
    kernel, bias = rows_of("a/lstm", lstm(), Plan(True, graphs.graph(), fates=fates))
    assert kernel == WeightRow(
        "cell/kernel", "a/lstm/cell/kernel", (2, 32), (4, 32), "float32", "adapted", "sum", "", "layers/x/cell/kernel"
    )
    assert kernel.shapes == "4\u00d732 \u2192 2\u00d732"
    assert kernel.below == "4\u00d732 \u2192 2\u00d732 \u00b7 float32 \u00b7 Sum of the channels (sum)"
    assert "adapted from the source" in kernel.words()
    assert bias.shapes == "32"


def test_that_new_weights_have_no_place_in_the_file() -> None:
    new = Layer("logits", "Dense", origin=None)
    plan = Plan(True, graphs.graph(), fates=(Fate("logits/kernel", "initialized", (8, 5), rule="GlorotUniform"),))
    (row,) = rows_of("logits", new, plan)
    assert (row.key, row.fate, row.shapes) == (None, "initialized", "8\u00d75")


def test_that_weights_of_the_source_are_listed_without_a_plan() -> None:
    assert [row.name for row in rows_of("lstm", lstm(), None)] == ["cell/kernel", "cell/bias"]


def test_that_weights_of_another_file_cannot_be_looked_at_yet() -> None:
    layer = Layer("d", "Dense", weights=(weight("kernel", 2, 2, file=1),))
    assert rows_of("d", layer, None)[0].key is None


def test_that_a_models_list_leaves_out_what_belongs_to_layers_inside() -> None:
    graph = graphs.nested()
    fates = (Fate("backbone/conv/kernel", "copied", (3, 3)), Fate("backbone/token", "copied", (1, 4)))
    rows = rows_of("backbone", graph.layer("backbone"), Plan(True, graph, fates=fates))
    assert [row.name for row in rows] == ["token"]


def test_that_a_renamed_layers_weights_are_found_by_their_source() -> None:
    fates = (Fate("new/cell/kernel", "copied", (4, 32), source="lstm/cell/kernel"),)
    rows = rows_of("lstm", lstm(), Plan(True, graphs.graph(), fates=fates))
    assert [(row.name, row.fate) for row in rows] == [("cell/kernel", "copied"), ("cell/bias", None)]


def test_that_choosing_a_weight_asks_for_its_values_once(qtbot: QtBot, panel: WeightsPanel) -> None:
    panel.show_rows(rows_of("lstm", lstm(), None))
    with qtbot.waitSignal(panel.preview_requested) as caught:
        panel.list.setCurrentRow(0)
    assert caught.args == ["layers/x/cell/kernel", "lstm/cell/kernel"]
    assert panel.preview.message.text() == "Reading\u2026"
    panel.show_preview(preview_of(np.eye(4, 32), "lstm/cell/kernel"))
    assert panel.preview.numbers["maximum"].text() == "1"
    with qtbot.assertNotEmitted(panel.preview_requested):
        panel.show_rows(rows_of("lstm", lstm(), Plan(True, graphs.graph())))
        panel.list.setCurrentRow(-1)
        panel.list.setCurrentRow(0)
    assert panel.preview.shown is not None


def test_that_a_late_answer_does_not_replace_what_is_shown(panel: WeightsPanel) -> None:
    panel.show_rows(rows_of("lstm", lstm(), None))
    panel.list.setCurrentRow(0)
    panel.list.setCurrentRow(1)
    panel.show_preview(preview_of(np.eye(4, 32), "lstm/cell/kernel"))
    assert panel.preview.shown is None
    panel.show_preview(preview_of(np.ones(32), "somewhere/else"))
    assert panel.preview.shown is None
    panel.show_preview(preview_of(np.ones(32), "lstm/cell/bias"))
    assert panel.preview.shown is not None


def test_that_a_failure_is_said_in_its_sentence(panel: WeightsPanel) -> None:
    panel.show_rows(rows_of("lstm", lstm(), None))
    panel.list.setCurrentRow(0)
    panel.show_failure("lstm/cell/bias", "Not this one.")
    assert panel.preview.message.text() == "Reading\u2026"
    panel.show_failure("lstm/cell/kernel", "The file has changed.")
    assert panel.preview.message.text() == "The file has changed."


def test_that_the_chosen_weight_stays_chosen_after_an_edit(panel: WeightsPanel) -> None:
    panel.show_rows(rows_of("lstm", lstm(), None))
    panel.choose("cell/bias")
    plan = Plan(True, graphs.graph(), fates=(Fate("lstm/cell/bias", "copied", (32,)),))
    panel.show_rows(rows_of("lstm", lstm(), plan))
    current = panel.current()
    assert current is not None
    assert (current.name, current.fate) == ("cell/bias", "copied")


def test_that_values_are_drawn_as_histogram_and_pictures(panel: WeightsPanel) -> None:
    rng = np.random.default_rng(0)
    panel.show_rows([WeightRow("kernel", "conv/kernel", (5, 5, 3, 16), key="k")])
    panel.list.setCurrentRow(0)
    panel.show_preview(preview_of(rng.normal(size=(5, 5, 3, 16)).astype("float32")))
    assert panel.preview._plot.isVisible()
    assert panel.preview._pictures.isVisible()
    assert panel.preview.caption.text() == "16 filters, 5\u00d75, in color"
    panel.show_preview(preview_of(rng.normal(size=64)))
    assert not panel.preview._pictures.isVisible()


def test_that_values_that_are_not_numbers_do_not_stop_the_drawing(panel: WeightsPanel) -> None:
    panel.show_rows([WeightRow("kernel", "conv/kernel", (2, 2), key="k")])
    panel.list.setCurrentRow(0)
    panel.show_preview(preview_of(np.full((2, 2), np.nan)))
    assert panel.preview.health.text() == "no zeros, 4 NaN"


def test_that_zero_is_the_grounds_colour_and_signs_differ() -> None:
    tile = np.array([[[0.0, 1.0, -1.0]]], "float32")
    picture = mosaic(tile, LIGHT)
    assert picture.shape == (1, 3, 4)
    ground, positive, negative = (QColor(*(int(value) for value in picture[0, x, :3])) for x in range(3))
    assert ground == QColor(LIGHT.hover)
    assert positive == QColor(LIGHT.conv.ink)
    assert negative == QColor(LIGHT.activation.ink)


def test_that_every_picture_has_its_place() -> None:
    images = np.arange(1, 8, dtype="float32")[:, None, None] * np.ones((7, 2, 2), "float32")
    picture = mosaic(images, LIGHT)
    assert (picture[..., 3] > 0).sum() == 7 * 4
    colours = {tuple(pixel[:3]) for pixel in picture.reshape(-1, 4) if pixel[3]}
    assert len(colours) == 7


def test_that_kernels_in_colour_have_gray_for_zero() -> None:
    images = np.zeros((1, 1, 2, 3), "float32")
    images[0, 0, 1] = (1.0, -1.0, 0.5)
    picture = mosaic(images, LIGHT)
    assert picture[0, 0, :3].tolist() == [127, 127, 127]
    assert picture[0, 1, :3].tolist() == [255, 0, 191]


def test_that_captions_tell_what_is_left_out() -> None:
    many = preview_of(np.ones((3, 3, 8, 128), "float32"))
    assert caption_of(many, many.images) == "64 of 128 filters, 3\u00d73, each at its strongest channel"
    matrix = preview_of(np.ones((2048, 1000), "float32"))
    assert caption_of(matrix, matrix.images) == "All values as a matrix averaged down, 160\u00d7160"


def test_that_numbers_are_short() -> None:
    assert [number_words(value) for value in (0.0, 0.0123456, -1e-9, 12345678.0)] == [
        "0",
        "0.01235",
        "-1e-09",
        "1.235e+07",
    ]


def test_that_the_plots_library_is_loaded_at_first_use_only() -> None:
    code = "import sys, gui.panels.inspector, gui.canvas; sys.exit('pyqtgraph' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
