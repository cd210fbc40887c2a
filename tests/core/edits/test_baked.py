from typing import Any

import numpy as np
import pytest

from core.edits import ChangeInput
from core.edits.baked import correct_pad, retarget
from tests.core.edits.bench import Bench, drift


@pytest.mark.parametrize(("name", "old", "new"), [("MobileNetV2", 96, 65), ("MobileNetV2", 65, 96)])
def test_that_padding_by_parity_equals_the_native_build(name: Any, old: Any, new: Any) -> None:
    import keras

    build = getattr(keras.applications, name)
    source = Bench(build(weights=None, include_top=False, input_shape=(old, old, 3), alpha=0.35))
    edit = ChangeInput(shape=(new, new, 3))
    built = source.built(edit)
    native = build(weights=None, include_top=False, input_shape=(new, new, 3), alpha=0.35)
    native.set_weights(built.model.get_weights())
    image = np.random.default_rng(0).uniform(0, 1, (1, new, new, 3)).astype("float32")
    assert built.model.output_shape == native.output_shape
    assert drift(built(image), np.asarray(native(image, training=False))) == 0.0
    assert {one.code for one in edit.findings(source.graph, source.edited(edit))} == {"baked.constant"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MobileNetV2", "MobileNetV3Small", "EfficientNetB0", "NASNetMobile"])
@pytest.mark.parametrize(("old", "new"), [(224, 161), (161, 224)])
def test_that_every_family_with_parity_padding_equals_its_native_build(name: Any, old: Any, new: Any) -> None:
    import keras

    build = getattr(keras.applications, name)
    built = Bench(build(weights=None, include_top=False, input_shape=(old, old, 3))).built(
        ChangeInput(shape=(new, new, 3))
    )
    native = build(weights=None, include_top=False, input_shape=(new, new, 3))
    native.set_weights(built.model.get_weights())
    image = np.random.default_rng(0).uniform(0, 1, (1, new, new, 3)).astype("float32")
    assert built.model.output_shape == native.output_shape
    assert drift(built(image), np.asarray(native(image, training=False))) < 1e-5


def test_that_padding_that_never_followed_parity_stays() -> None:
    import keras

    source = Bench(keras.applications.ResNet50(weights=None, include_top=False, input_shape=(65, 65, 3)))
    edit = ChangeInput(shape=(64, 64, 3))
    assert source.edited(edit).find("conv1_pad").config["padding"] == [[3, 3], [3, 3]]
    assert edit.findings(source.graph, source.edited(edit)) == ()


@pytest.mark.parametrize("size", [32, 33, 160, 161])
@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_that_the_padding_is_that_of_keras(size: Any, kernel: Any) -> None:
    import keras
    from keras.src.applications.imagenet_utils import correct_pad as oracle

    found = correct_pad((size, size), (kernel, kernel))
    assert tuple(found) == oracle(keras.Input((size, size, 3)), kernel)


@pytest.mark.parametrize(
    ("old", "new", "target", "expected"),
    [
        ([7, 7, 512], [8, 8, 512], [49, 512], [64, 512]),
        ([7, 7, 512], [8, 8, 512], [25088], [32768]),
        ([7, 7, 512], [8, 8, 512], [-1, 512], [-1, 512]),
        ([4, 4, 8], [6, 4, 8], [1, 16, 8], [1, 24, 8]),
        ([49, 8], [64, 8], [7, 7, 8], None),
        ([4, 4, 8], [6, 6, 8], [8, 4, 4], None),
    ],
)
def test_that_a_reshape_target_follows_where_it_merges_axes(old: Any, new: Any, target: Any, expected: Any) -> None:
    assert retarget(old, new, target) == expected


def test_that_a_reshape_that_cannot_follow_is_reported() -> None:
    import keras

    inputs = keras.Input((4, 4, 4))
    tokens = keras.layers.Reshape((16, 4), name="tokens")(inputs)
    back = keras.layers.Reshape((4, 4, 4), name="back")(keras.layers.Dense(4, name="mix")(tokens))
    source = Bench(keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="pool")(back)))
    edit = ChangeInput(shape=(6, 6, 4))
    graph = source.edited(edit)
    assert graph.find("tokens").config["target_shape"] == [36, 4]
    found = {one.layer: one for one in edit.findings(source.graph, graph)}
    assert found["back"].severity == "warning"
    assert found["tokens"].severity == "info"
