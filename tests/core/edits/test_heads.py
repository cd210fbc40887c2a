from typing import Any

import numpy as np
import pytest

from core.edits import AttachHead, RemoveHead
from core.errors import EditError
from tests.core.edits.bench import Bench, drift
from tests.helpers.contracts import fields as contract_fields
from tests.helpers.contracts import kind as contract_kind
from tests.helpers.edits import applied, outcome

RNG = np.random.default_rng(8)


def image(top: Any = 1.0) -> Any:
    return RNG.uniform(0, top, (2, 16, 16, 3)).astype("float32")


@pytest.mark.parametrize(("name", "layer"), [("flat", "last"), ("sequential", "second"), ("nested", "backbone")])
@pytest.mark.parametrize("pooling", ["avg", "max", "none"])
def test_that_features_are_those_computed_inside(bench: Any, name: Any, layer: Any, pooling: Any) -> None:
    import keras

    source = bench(name)
    if layer == "backbone":
        inside = keras.Sequential(source.model.layers[:2])
    else:
        inside = keras.Model(source.model.inputs[0], source.model.get_layer(layer).output)
    x = image()
    old = np.asarray(inside(x, training=False))
    old = {"avg": old.mean(axis=(1, 2)), "max": old.max(axis=(1, 2)), "none": old}[pooling]
    built = source.built(RemoveHead(pooling=pooling))
    assert drift(built(x), old) < 1e-5
    assert not any("predictions" in path or "hidden" in path for path in built.fates)


@pytest.mark.parametrize("pooling", ["avg", "max", "none"])
@pytest.mark.parametrize("name", ["MobileNetV2", "MobileNet", "MobileNetV3Small"])
def test_that_it_is_what_keras_builds_without_its_top(name: Any, pooling: Any) -> None:
    import keras

    build = getattr(keras.applications, name)
    arguments = {"weights": None, "input_shape": (64, 64, 3)}
    built = Bench(build(**arguments, classes=7)).built(RemoveHead(pooling=pooling))
    native = build(**arguments, include_top=False, pooling=None if pooling == "none" else pooling)
    assert [weight.shape for weight in built.model.weights] == [weight.shape for weight in native.weights]
    native.set_weights(built.model.get_weights())
    x = RNG.uniform(0, 1, (1, 64, 64, 3)).astype("float32")
    assert drift(built(x), np.asarray(native(x, training=False))) < 1e-6


def test_that_a_head_inside_a_nested_model_is_found() -> None:
    import keras

    layers = keras.layers
    inner = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, name="conv")(inner)
    body = keras.Model(inner, layers.GlobalAveragePooling2D(name="gap")(x), name="body")
    source = Bench(keras.Sequential([keras.Input((16, 16, 3)), body, layers.Dense(3, name="predictions")]))
    assert source.built(RemoveHead(pooling="none")).model.output_shape == (None, 14, 14, 4)
    assert source.built(RemoveHead(pooling="max")).model.output_shape == (None, 4)


def test_that_a_new_head_has_hidden_layers_dropout_and_classes(bench: Any) -> None:
    source = bench("sequential")
    built = source.built(RemoveHead(), AttachHead(classes=6, hidden=(32, 16), dropout=0.25, activation="sigmoid"))
    kinds = [type(layer).__name__ for layer in built.model.layers[-6:]]
    assert kinds == ["GlobalAveragePooling2D", "Dense", "Dropout", "Dense", "Dropout", "Dense"]
    assert built.model.layers[-2].rate == 0.25
    assert built.model.output_shape == (None, 6)
    assert built.model.layers[-1].activation.__name__ == "sigmoid"


def test_that_a_head_on_maps_pools_them_first(bench: Any) -> None:
    built = bench("flat").built(RemoveHead(pooling="none"), AttachHead(classes=3, hidden=()))
    assert type(built.model.get_layer("head_pool")).__name__ == "GlobalAveragePooling2D"
    assert np.allclose(built(image()).sum(axis=1), 1.0)


def test_that_probabilities_stay_float32_under_mixed_precision(bench: Any) -> None:
    built = bench("mixed_precision").built(RemoveHead(), AttachHead(classes=3))
    assert built(image()).dtype == np.float32


def test_that_a_head_on_top_of_another_is_warned_of_and_mended_by_one_click(bench: Any) -> None:
    source = bench("flat")
    edit = AttachHead(classes=3)
    finding = source.outcome(edit).findings[0]
    assert finding.severity == "warning"
    built = source.built(*finding.fixes[0].edits)
    assert "predictions/kernel" in built.fates
    assert [weight.shape[-1] for weight in built.model.layers[-1].weights] == [3, 3]


@pytest.mark.parametrize("keep", [(3, 0), ("cat", "dog")])
def test_that_kept_classes_answer_as_before(bench: Any, keep: Any) -> None:
    import keras

    source = bench("flat")
    labels = ("dog", "bird", "fish", "cat", "horse")
    edit = AttachHead(classes=4, keep=keep, labels=labels, activation="linear")
    built = source.built(edit)
    x = image()
    features = keras.Model(source.model.inputs[0], source.model.get_layer("pool").output)(x, training=False)
    dense = source.model.get_layer("predictions")
    old = np.asarray(features) @ np.asarray(dense.kernel) + np.asarray(dense.bias)
    order = [3, 0]
    assert drift(built(x)[:, :2], old[:, order]) < 1e-5
    contract = source.outcome(edit).contracts[0]
    assert (contract_kind(contract), contract_fields(contract)["old"], contract_fields(contract)["new"]) == (
        "classes",
        order,
        [0, 1],
    )


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (AttachHead(classes=0), "classes must be"),
        (AttachHead(classes=2, hidden=(0,)), "hidden must contain"),
        (AttachHead(classes=2, dropout=1.0), "dropout must be"),
        (AttachHead(classes=2, activation="relu"), "activation must be"),
        (AttachHead(classes=2, keep=(0, 1, 2)), "has only 2"),
        (AttachHead(classes=2, keep=(9,)), "classes 0 to 4"),
        (AttachHead(classes=2, keep=("cow",)), "not in labels"),
        (AttachHead(classes=2, keep=(0,), labels=("a",)), "names 1 classes"),
        (AttachHead(classes=2, keep=(0,), hidden=(9,)), "hidden must be empty"),
    ],
)
def test_that_what_cannot_be_is_refused_in_a_sentence(bench: Any, edit: Any, words: Any) -> None:
    with pytest.raises(EditError, match=words):
        bench("flat").edited(edit)


def test_that_a_head_which_is_a_model_of_its_own_is_passed_over() -> None:
    import keras

    body = keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D()]
    )
    top = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, "relu"), keras.layers.Dense(2, "softmax")])
    source = Bench(keras.Sequential([keras.Input((16, 16, 3)), body, top]))
    x = image()
    assert drift(source.built(RemoveHead())(x), np.asarray(body(x, training=False))) < 1e-6
    built = source.built(RemoveHead(), AttachHead(classes=3, hidden=()))
    assert built.model.output_shape == (None, 3)


@pytest.mark.parametrize("pooling", ["avg", "max", "none"])
@pytest.mark.parametrize("kind", ["flatten", "nested flatten", "pool"])
def test_that_a_model_that_is_all_head_has_none_to_remove(kind: str, pooling: Any) -> None:
    import keras

    layers = keras.layers
    first = layers.GlobalAveragePooling2D() if kind == "pool" else layers.Flatten()
    parts = [keras.Input((8, 8, 3), name="x"), first, layers.Dense(4, activation="relu")]
    model = keras.Sequential([*parts, layers.Dense(3)])
    if kind == "nested flatten":
        model = keras.Sequential([keras.Input((8, 8, 3)), keras.Sequential(parts, name="body"), layers.Dense(3)])
    with pytest.raises(EditError, match="The model consists only of a head"):
        Bench(model).built(RemoveHead(pooling=pooling))


@pytest.mark.parametrize("pooling", ["avg", "none"])
def test_that_a_nested_head_that_pools_what_it_is_given_goes_as_a_whole(pooling: Any) -> None:
    import keras

    layers = keras.layers
    given = keras.Input((6, 6, 4))
    head = keras.Model(given, layers.Dense(3)(layers.GlobalMaxPooling2D()(given)), name="head")
    start = keras.Input((8, 8, 3))
    body = layers.Conv2D(4, 3, name="body")
    source = Bench(keras.Model(start, head(body(start))))
    x = RNG.uniform(0, 1, (2, 8, 8, 3)).astype("float32")
    old = np.asarray(source.model.get_layer("body")(x))
    built = source.built(RemoveHead(pooling=pooling))
    assert drift(built(x), old.mean(axis=(1, 2)) if pooling == "avg" else old) < 1e-6
    assert "head" not in {layer.name for layer in built.model.layers}


def unet(first: bool = False, nested: bool = False, channels: int = 3) -> Any:
    """A small U-Net whose answer is a mask; `nested` puts the network into a model of its own."""
    import keras

    layers = keras.layers
    data = {"data_format": "channels_first"} if first else {}
    given = keras.Input((channels, 16, 16) if first else (16, 16, channels))
    down = layers.Conv2D(4, 3, padding="same", activation="relu", name="down", **data)(given)
    x = layers.MaxPooling2D(**data)(down)
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="bottom", **data)(x)
    x = layers.UpSampling2D(**data)(x)
    x = layers.Concatenate(axis=1 if first else -1, name="joined")([x, down])
    x = layers.Conv2D(5, 3, padding="same", activation="relu", name="up", **data)(x)
    model = keras.Model(given, layers.Conv2D(2, 1, activation="sigmoid", name="mask", **data)(x), name="unet")
    if not nested:
        return model
    outside = keras.Input((16, 16, channels))
    return keras.Model(outside, model(outside))


@pytest.mark.parametrize("nested", [False, True])
def test_that_the_head_of_a_u_net_is_its_last_convolution(nested: bool) -> None:
    import keras

    source = Bench(unet(nested=nested))
    inside = source.model.layers[1] if nested else source.model
    features = keras.Model(inside.inputs[0], inside.get_layer("up").output)
    built = source.built(RemoveHead(pooling="none"))
    x = image()
    assert drift(built(x), np.asarray(features(x))) < 1e-6
    assert not any("mask" in path for path in built.fates)
    pooled = source.built(RemoveHead())
    assert drift(pooled(x), np.asarray(features(x)).mean(axis=(1, 2))) < 1e-6
    edit = RemoveHead()
    (finding,) = outcome(edit, source.graph).findings
    assert "each position of a map" in finding.message
    assert finding.fixes[0].edits == (RemoveHead(pooling="none"),)


@pytest.mark.parametrize(("nested", "hidden"), [(False, ()), (False, (7,)), (True, ())])
def test_that_a_dense_head_answers_for_each_place(nested: bool, hidden: tuple[int, ...]) -> None:
    source = Bench(unet(nested=nested))
    head = AttachHead(classes=6, hidden=hidden, dense=True)
    built = source.built(RemoveHead(pooling="none"), head)
    assert built.model.output_shape == (None, 16, 16, 6)
    assert np.allclose(built(image()).sum(axis=-1), 1.0, atol=1e-6)


def test_that_a_dense_head_with_channels_first_adds_up_over_the_channels() -> None:
    source = Bench(unet(first=True))
    graph = applied(source.graph, RemoveHead(pooling="none"), AttachHead(classes=6, hidden=(), dense=True))
    kinds = [
        (layer.class_name, layer.config.get("axis"), layer.config.get("activation")) for layer in graph.layers[-2:]
    ]
    assert kinds == [("Conv2D", None, "linear"), ("Softmax", 1, None)]


def test_that_a_backbone_without_its_top_keeps_its_last_convolution() -> None:
    import keras

    source = Bench(keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.35))
    built = source.built(RemoveHead(pooling="none"))
    assert len(built.model.weights) == len(source.model.weights)


def two_heads() -> Any:
    import keras

    layers = keras.layers
    given = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="body")(given)
    pooled = layers.GlobalAveragePooling2D(name="pool")(x)
    kind = layers.Dense(3, activation="softmax", name="kind")(pooled)
    age = layers.Dense(1, name="age")(layers.Dense(5, activation="relu", name="age_hidden")(pooled))
    return keras.Model(given, {"kind": kind, "age": age})


def test_that_one_of_several_heads_is_exchanged_and_the_other_stays() -> None:
    source = Bench(two_heads())
    x = image()
    built = source.built(RemoveHead(output="kind"), AttachHead(classes=7, hidden=(), output="pool"))
    old, new = source.model(x), built.model(x)
    assert sorted(new) == ["age", "kind"]
    assert new["kind"].shape == (2, 7)
    assert drift(np.asarray(new["age"]), np.asarray(old["age"])) < 1e-6
    kept = source.built(AttachHead(classes=2, hidden=(), keep=(2, 0), output="kind", activation="linear"))
    import keras

    logits = (
        keras.Model(source.model.inputs[0], source.model.get_layer("pool").output)(x)
        @ source.model.get_layer("kind").kernel
        + source.model.get_layer("kind").bias
    )
    assert drift(np.asarray(kept.model(x)["kind"]), np.asarray(logits)[:, [2, 0]]) < 1e-6


@pytest.mark.parametrize(
    ("output", "sentence"), [(None, "2 outputs"), ("mask", "no output 'mask'"), (5, "outputs 0 to 1")]
)
def test_that_an_output_that_is_not_there_is_refused(output: Any, sentence: str) -> None:
    source = Bench(two_heads())
    with pytest.raises(EditError, match=sentence):
        applied(source.graph, RemoveHead(output=output))
