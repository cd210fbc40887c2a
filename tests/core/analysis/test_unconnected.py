"""A model whose connections are unknown is said to show layers and weights only where there are some."""

from msgspec.structs import replace

from core.analysis.opaque import opaque_findings
from core.findings import RebuildModel
from core.model.graph import Graph, Layer, Weight

LAYER = Layer("dense", "Dense", module="keras.layers")


def said(*layers: Layer) -> tuple[str, bool]:
    (finding,) = opaque_findings(Graph("model", class_name="Mine", opaque=True, layers=layers))
    return finding.message, any(isinstance(one, RebuildModel) for one in finding.actions)


def test_that_a_file_without_layers_says_that_it_has_none() -> None:
    message, rebuilt = said()
    assert "lists none of its layers" in message
    assert "are shown" not in message
    assert not rebuilt


def test_that_layers_without_weights_are_said_to_have_none() -> None:
    message, rebuilt = said(LAYER)
    assert "Its layers are shown and kept; the file holds no weights for them." in message
    assert not rebuilt


def test_that_layers_with_weights_are_shown_with_them() -> None:
    message, rebuilt = said(replace(LAYER, weights=(Weight("kernel", (2, 3)),)))
    assert "Its layers and weights are shown and kept." in message
    assert rebuilt
