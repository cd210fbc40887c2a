from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from core.edits import TransferWeights
from core.edits.transfer_weights import pairing
from core.errors import EditError
from core.model.graph import StoreKey
from core.readers.source import Source
from tests.core.edits import zoo
from tests.core.edits.bench import Bench, drift
from tests.helpers.edits import applied, outcome


def other(model: Any, seed: int = 7) -> tuple[Any, dict[str, Source]]:
    """Another model as a second file. Its arrays join those of a bench under file number 1."""
    bench = Bench(model, seed)
    return bench, {"other.keras": Source("other.keras", "Keras 3 (.keras)", "model", bench.graph)}


def joined(bench: Any, second: Any) -> Any:
    fresh = Bench.__new__(Bench)
    fresh.model, fresh.graph = bench.model, bench.graph
    fresh.arrays = {**bench.arrays, **{StoreKey(key.key, 1): array for key, array in second.arrays.items()}}
    return fresh


def renamed(graph: Any, names: dict[str, str]) -> Any:
    from core.edits import RenameLayer

    for old, new in names.items():
        graph = applied(graph, RenameLayer(layer=old, name=new))
    return graph


@pytest.mark.parametrize("match", ["name", "order", "shape"])
def test_that_the_same_architecture_takes_every_weight(bench: Any, match: Any) -> None:
    second, sources = other(zoo.flat())
    source = joined(bench("flat"), second)
    edit = TransferWeights(file="other.keras", match=match)
    built = source.built(edit, sources=sources)
    image = np.random.default_rng(0).uniform(0, 1, (2, 16, 16, 3)).astype("float32")
    assert drift(built(image), second.old(image)) == 0.0
    assert source.outcome(edit, sources=sources).findings == ()


def test_that_an_extra_layer_shifts_nothing_in_order(bench: Any) -> None:
    import keras

    L = keras.layers
    inputs = keras.Input((16, 16, 3))
    x = L.Conv2D(8, 3, padding="same", name="a")(inputs)
    x = L.BatchNormalization(name="b")(x)
    x = L.Conv2D(3, 1, name="extra")(x)
    x = L.Conv2D(12, 3, name="late")(L.Conv2D(8, 1, name="wide")(x))
    second = Bench(keras.Model(inputs, x))
    found = dict(pairing(bench("flat").graph, second.graph, "order").pairs)
    assert found["stem"] == "a"
    assert found["stem_bn"] == "b"
    assert "extra" not in found.values()
    assert found["last"] == "late"


def test_that_pairs_set_by_hand_come_first_and_a_mismatch_asks_for_a_rule(bench: Any) -> None:
    second, sources = other(zoo.flat(channels=1))
    source = joined(bench("flat"), second)
    edit = TransferWeights(file="other.keras", match="pairs", pairs=(("stem", "stem"), ("pw", "pw")))
    graph = source.edited(edit, sources=sources)
    stem = {weight.name: weight for weight in graph.find("stem").weights}
    assert stem["kernel"].shape == (3, 3, 1, 8)
    assert stem["kernel"].source == StoreKey("stem/kernel", 1)
    assert graph.find("last").weights == source.graph.find("last").weights
    assert "found no match" in source.outcome(edit, sources=sources).findings[0].message


def test_that_other_paths_with_the_same_last_name_are_found(bench: Any) -> None:
    found = pairing(bench("nested").graph, renamed(bench("nested").graph, {"backbone": "base"}), "name")
    assert dict(found.pairs)["backbone/stem"] == "base/stem"
    assert found.ours == ()
    assert found.theirs == ()


def test_that_a_file_of_weights_alone_fills_an_architecture(bench: Any) -> None:
    second, sources = other(zoo.flat())
    empty = second.graph.replace_layers(lambda path, layer: replace(layer, weights=()))
    source = joined(bench("flat"), second)
    source.graph = empty
    built = source.built(TransferWeights(file="other.keras"), sources=sources)
    image = np.random.default_rng(0).uniform(0, 1, (2, 16, 16, 3)).astype("float32")
    assert drift(built(image), second.old(image)) == 0.0


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (TransferWeights(file=""), "file is empty"),
        (TransferWeights(file="x.h5"), "was not opened"),
        (TransferWeights(file="other.keras", match="pairs"), "pairs is empty"),
        (TransferWeights(file="other.keras", match="pairs", pairs=(("stemm", "stem"),)), "not a layer of this model"),
        (TransferWeights(file="other.keras", match="pairs", pairs=(("stem", "x"),)), "has no weights"),
    ],
)
def test_that_what_cannot_be_is_refused_in_a_sentence(bench: Any, edit: Any, words: Any) -> None:
    source = bench("flat")
    sources = {"other.keras": Source("other.keras", "Keras 3 (.keras)", "model", source.graph)}
    with pytest.raises(EditError, match=words):
        outcome(edit, source.graph, sources)
