from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.edits import ChangeInput
from core.surgery.baked import correct_pad, retarget
from tests.core.edits.bench import Bench, drift
from tests.core.engine.drive import plan, saved


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
    assert {one.code for one in source.outcome(edit).findings} == {"baked.constant"}


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
    assert source.outcome(edit).findings == ()


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
        ([8, 8, 3], [8, 8, 1], [4, 16, 3], [4, 16, 1]),
        ([8, 8, 3], [8, 8, 1], [-1, 16, 3], [-1, 16, 1]),
        ([8, 8, 3], [8, 8, 1], [4, 16, -1], [4, 16, -1]),
        ([32, 32, 4], [64, 48, 4], [16, 2, 16, 2, 4], None),
        ([8, 6, 4], [16, 3, 4], [4, 12, 4], None),
        ([1, 1, 8], [1, 1, 6], [8], [6]),
    ],
)
def test_that_a_reshape_target_follows_where_it_merges_axes(old: Any, new: Any, target: Any, expected: Any) -> None:
    assert retarget(old, new, target) == expected


def cut(target: tuple[int, ...], size: int | None = 8) -> Any:
    """A model that reshapes with the batch in its target, for images of 8x8."""
    import keras
    from keras import ops

    inputs = keras.Input((8, size, 4), name="image")
    x = ops.reshape(inputs, target)
    x = ops.max(x, axis=(2, 4)) if len(x.shape) == 6 else x
    return keras.Model(inputs, keras.layers.Dense(2, name="top")(x))


@pytest.mark.parametrize(
    ("target", "shape", "follows"),
    [
        ((-1, 4, 2, 4, 2, 4), (16, 12, 4), None),
        ((-1, 4, 2, 4, 2, 4), (None, None, 4), None),
        ((-1, 4, 16, 4), (16, 4, 4), None),
        ((-1, 64, 4), (16, 12, 4), [-1, 192, 4]),
        ((-1, 8, 4), (16, 12, 4), [-1, 12, 4]),
        ((-1, 8, 4), (16, 8, 4), [-1, 8, 4]),
        ((-1, 4, 2, 4, 2, 4), (8, 8, 1), [-1, 4, 2, 4, 2, 1]),
    ],
)
def test_that_a_new_size_is_never_swallowed_into_the_batch(
    target: Any, shape: Any, follows: Any, tmp_path: Path
) -> None:
    found = plan(saved(cut(target), tmp_path), {"do": "change_input", "shape": list(shape)})
    reshape = next(layer for layer in found.graph.layers if layer.class_name == "Reshape")
    wrong = [one for one in found.findings if one.code == "baked.constant" and one.severity == "error"]
    if follows is None:
        assert not found.ok
        assert [one.layer for one in wrong] == [reshape.name]
        assert wrong[0].fixes or None in shape
        return
    assert wrong == []
    assert reshape.config["newshape"] == follows


def test_that_a_reshape_in_a_nested_model_is_an_error_too_and_its_fix_settles_it(tmp_path: Path) -> None:
    import keras

    inside = cut((-1, 4, 2, 4, 2, 4))
    inputs = keras.Input((8, 8, 4), name="outer")
    path = saved(keras.Model(inputs, keras.layers.Flatten()(inside(inputs))), tmp_path)
    found = plan(path, {"do": "change_input", "shape": [16, 12, 4]})
    (wrong,) = (one for one in found.findings if one.code == "baked.constant" and one.severity == "error")
    assert "split or mix samples" in wrong.message
    settled = plan(path, *wrong.fixes[0].edits)
    assert settled.ok


def test_that_a_reshape_of_an_old_file_is_an_error_too(tmp_path: Path) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    import tensorflow as tf

    inputs = tf_keras.layers.Input((8, 8, 4))
    x = tf.reduce_max(tf.reshape(inputs, (-1, 4, 2, 4, 2, 4)), axis=(2, 4))
    path = tmp_path / "old.h5"
    tf_keras.Model(inputs, tf_keras.layers.GlobalAveragePooling2D()(x)).save(path)
    found = plan(path, {"do": "change_input", "shape": [16, 12, 4]})
    assert not found.ok
    assert any(one.code == "baked.constant" and one.severity == "error" for one in found.findings)


def test_that_a_reshape_that_cannot_follow_is_reported() -> None:
    import keras

    inputs = keras.Input((4, 4, 4))
    tokens = keras.layers.Reshape((16, 4), name="tokens")(inputs)
    back = keras.layers.Reshape((4, 4, 4), name="back")(keras.layers.Dense(4, name="mix")(tokens))
    source = Bench(keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="pool")(back)))
    edit = ChangeInput(shape=(6, 6, 4))
    graph = source.edited(edit)
    assert graph.find("tokens").config["target_shape"] == [36, 4]
    found = {one.layer: one for one in source.outcome(edit).findings}
    assert found["back"].severity == "warning"
    assert found["tokens"].severity == "info"
