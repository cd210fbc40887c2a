from typing import Any

import numpy as np
import pytest

from core.edits import InsertFront, SetTrainable
from core.errors import EditError

FRONT = (
    {"class_name": "Conv2D", "config": {"filters": 3, "kernel_size": 3, "padding": "same", "name": "front_conv"}},
    {"class_name": "MaxPooling2D"},
)


@pytest.mark.parametrize("name", ["flat", "sequential", "nested"])
def test_that_a_new_front_trains_before_a_frozen_body(bench: Any, name: Any) -> None:
    source = bench(name)
    built = source.built(SetTrainable(layers=("*",)), InsertFront(shape=(32, 32, 1), layers=FRONT))
    assert len(built.model.trainable_weights) == 2
    assert built.fates.pop("front_conv/kernel") == "initialized"
    assert built.fates.pop("front_conv/bias") == "initialized"
    assert set(built.fates.values()) == {"copied"}
    assert built(np.zeros((1, 32, 32, 1), "float32")).shape == (1, *source.model.output_shape[1:])


def test_that_the_body_sees_what_the_front_makes(bench: Any) -> None:
    import keras

    source = bench("flat")
    built = source.built(InsertFront(shape=(32, 32, 1), layers=FRONT))
    image = np.random.default_rng(0).uniform(0, 1, (2, 32, 32, 1)).astype("float32")
    front = keras.Model(built.model.inputs[0], built.model.get_layer("max_pooling2d").output)
    assert np.allclose(built(image), source.old(np.asarray(front(image))), atol=1e-6)


def test_that_a_front_with_other_channels_than_the_body_takes_is_an_error(bench: Any) -> None:
    source = bench("flat")
    edit = InsertFront(shape=(16, 16, 1), layers=({"class_name": "Conv2D", "filters": 4, "kernel_size": 1},))
    finding = source.outcome(edit).findings[0]
    assert (finding.severity, finding.code) == ("error", "shape.incompatible")
    assert "gives 16\u00d716\u00d74; the body was made for 16\u00d716\u00d73" in finding.message


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (InsertFront(shape=(16, 16, 1), layers=()), "layers is empty"),
        (InsertFront(shape=(16, -2, 1), layers=FRONT), "shape contains -2"),
        (InsertFront(shape=(16, 16, 1), layers=({"filters": 3},)), "class_name"),
        (InsertFront(shape=(16, 16, 1), layers=({"class_name": "InputLayer"},)), "InputLayer"),
    ],
)
def test_that_what_cannot_be_is_refused_in_a_sentence(bench: Any, edit: Any, words: Any) -> None:
    with pytest.raises(EditError, match=words):
        bench("flat").edited(edit)
