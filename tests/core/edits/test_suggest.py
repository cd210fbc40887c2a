from typing import Any

import numpy as np
import pytest

from core.edits import ChangeInput, SetRule
from core.edits.suggest import position_grids, suggested_rules
from tests.core.edits.bench import Bench, drift


def test_that_a_dense_after_flatten_is_offered_what_the_map_allows(bench: Any) -> None:
    source = bench("sequential")
    edit = ChangeInput(shape=(20, 20, 3))
    before, after = source.graph, source.edited(edit)
    chains = suggested_rules(before, after, "hidden", "kernel", (200, 10), (392, 10))
    assert [chain[0].name for chain in chains] == ["spatial_resize", "spatial_mean", "initialize"]
    built = source.built(edit, SetRule(weight="hidden/kernel", rule=chains[1]))
    white, small = np.ones((1, 20, 20, 3), "float32"), np.ones((1, 16, 16, 3), "float32")
    assert drift(built(white), source.old(small)) < 1e-5


def test_that_the_same_fix_works_inside_a_nested_model() -> None:
    import keras

    from tests.core.edits import zoo

    inner = zoo.sequential()
    source = Bench(keras.Sequential([keras.Input((16, 16, 3), name="outer"), inner]))
    edit = ChangeInput(shape=(24, 24, 3))
    chains = suggested_rules(source.graph, source.edited(edit), "sequential/hidden", "kernel", (200, 10), (648, 10))
    assert chains[0][0].name == "spatial_resize"
    built = source.built(edit, SetRule(weight="sequential/hidden/kernel", rule=chains[0]))
    assert built(np.zeros((1, 24, 24, 3), "float32")).shape == (1, 5)


@pytest.mark.parametrize("prefix", [0, 1])
def test_that_the_grid_of_position_embeddings_is_read_off_the_patches(prefix: Any) -> None:
    import keras

    inputs = keras.Input((32, 24, 3))
    patches = keras.layers.Conv2D(6, 8, strides=8, name="patch")(inputs)
    source = Bench(keras.Model(inputs, keras.layers.Reshape((-1, 6), name="tokens")(patches)))
    after = source.edited(ChangeInput(shape=(48, 48, 3)))
    assert position_grids(source.graph, after, 12 + prefix, 36 + prefix) == [((4, 3), (6, 6), prefix)]


def test_that_channels_are_offered_the_channel_rules(bench: Any) -> None:
    source = bench("flat")
    chains = suggested_rules(source.graph, source.graph, "stem", "kernel", (3, 3, 3, 8), (3, 3, 1, 8))
    assert [chain[0].name for chain in chains][:2] == ["sum", "repeat"]
