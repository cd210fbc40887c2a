from typing import Any

import numpy as np
import pytest

from core.edits import SetTrainable
from core.edits.set_trainable import matched
from core.errors import EditError
from core.model.graph import Graph, Layer


def trainable(built: Any) -> Any:
    return {"/".join(weight.path.split("/")[-2:]) for weight in built.model.trainable_weights}


def test_that_a_glob_freezes_what_it_matches(bench: Any) -> None:
    built = bench("flat").built(SetTrainable(layers=("stem*", "dw")))
    assert {path.split("/")[-2] for path in trainable(built)} == {"pw", "last", "predictions"}


def test_that_a_nested_models_name_means_everything_inside(bench: Any) -> None:
    built = bench("nested").built(SetTrainable(layers=("backbone",)))
    assert all("predictions" in path for path in trainable(built))
    assert built.model.get_layer("backbone").trainable


def test_that_a_parent_does_not_wipe_what_was_set_on_a_child(bench: Any, tmp_path: Any) -> None:
    import keras

    source = bench("nested")
    built = source.built(
        SetTrainable(layers=("backbone",)), SetTrainable(layers=("backbone/block_conv",), trainable=True)
    )
    assert {path.split("/")[-2] for path in trainable(built)} == {"block_conv", "predictions"}
    built.model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert {"/".join(weight.path.split("/")[-2:]) for weight in again.trainable_weights} == trainable(built)


def test_that_a_model_frozen_as_a_whole_becomes_one_with_frozen_layers() -> None:
    import keras

    from tests.core.edits import zoo
    from tests.core.edits.bench import Bench

    model = zoo.nested()
    model.get_layer("backbone").trainable = False
    source = Bench(model)
    built = source.built(SetTrainable(layers=("backbone/block_conv",), trainable=True))
    assert {path.split("/")[-2] for path in trainable(built)} == {"block_conv", "predictions"}
    assert isinstance(built.model, keras.Sequential)


@pytest.mark.parametrize(("choice", "norms"), [("with_layer", False), ("frozen", False), ("trainable", True)])
def test_that_batch_normalization_has_a_say_of_its_own(bench: Any, choice: Any, norms: Any) -> None:
    source = bench("flat")
    edit = SetTrainable(layers=("stem*",), batch_norm=choice)
    built = source.built(edit)
    assert built.model.get_layer("stem_bn").trainable == norms
    assert not built.model.get_layer("stem").trainable
    codes = [finding.code for finding in source.outcome(edit).findings]
    assert codes == (["freeze.batch_norm"] if norms else [])


def test_that_the_finding_freezes_what_still_moves_with_one_click(bench: Any) -> None:
    source = bench("flat")
    edit = SetTrainable(layers=("stem",))
    finding = source.outcome(edit).findings[0]
    built = source.built(edit, *finding.fixes[0].edits)
    assert not built.model.get_layer("stem_bn").trainable


def test_that_wrapped_layers_freeze_with_their_wrapper(bench: Any) -> None:
    built = bench("signal").built(SetTrainable(layers=("rnn",)))
    assert not any("rnn" in path or "lstm" in path or "cell" in path for path in trainable(built))


def test_that_weights_do_not_change_by_freezing(bench: Any) -> None:
    source = bench("flat")
    built = source.built(SetTrainable(layers=("*",)))
    assert set(built.fates.values()) == {"copied"}
    assert not trainable(built)
    image = np.random.default_rng(0).uniform(0, 1, (1, 16, 16, 3)).astype("float32")
    assert np.array_equal(built(image), source.old(image))


@pytest.mark.parametrize(
    ("layers", "words"), [((), "layers is empty"), (("stemm",), "No layer matches 'stemm'; did you mean 'stem'?")]
)
def test_that_a_glob_that_means_nothing_is_refused(bench: Any, layers: Any, words: Any) -> None:
    with pytest.raises(EditError) as caught:
        bench("flat").edited(SetTrainable(layers=layers))
    assert words in caught.value.message


def test_that_matching_asks_each_layer_once_however_many_globs_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times the layers take ten times the steps: every layer is looked at a fixed number of times."""
    steps = []
    for count in (100, 1000):
        graph = Graph("m", layers=tuple(Layer(f"dense_{number}", "Dense") for number in range(count)))
        asked = 0

        def counting(self: Graph, prefix: str = "", walk: Any = Graph.walk) -> Any:
            nonlocal asked
            for one in walk(self, prefix):
                asked += 1
                yield one

        with monkeypatch.context() as patch:
            patch.setattr(Graph, "walk", counting)
            assert len(matched(graph, ("*", *(f"dense_{number}" for number in range(count))))) == count
        steps.append(asked / count)
    assert steps[0] == steps[1] <= 3
