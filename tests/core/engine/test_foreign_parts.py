"""Layers of other people's classes, carried without their code: Keras, given the code, reads what was written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from core.errors import RecipeError
from core.model.plan import Plan
from tests.core.engine.drive import opened, recipe

FREEZE_FIRST = {"do": "set_trainable", "layers": ["first"]}


class Plain(layers.Layer):
    """A Dense without bias that holds its own kernel."""

    def __init__(self, units: int = 5, **rest: Any) -> None:
        super().__init__(**rest)
        self.units = units

    def build(self, shape: Any) -> None:
        self.w = self.add_weight(shape=(shape[-1], self.units), name="w")

    def call(self, x: Any) -> Any:
        return x @ self.w

    def compute_output_shape(self, shape: Any) -> Any:
        return (*shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("parts")
class Registered(Plain):
    """The same, registered: files call it `parts>Registered`."""


class Cell(Plain):
    """A recurrent cell."""

    def __init__(self, units: int = 5, **rest: Any) -> None:
        super().__init__(units, **rest)
        self.state_size = self.output_size = units

    def call(self, x: Any, states: Any) -> Any:  # type: ignore[override]
        out = x @ self.w + states[0]
        return out, [out]


class Block(layers.Layer):
    """Layers inside a layer, with statistics ahead of what trains: flags change the order in an `.h5` file."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(**rest)
        self.norm = layers.BatchNormalization(name="norm")
        self.one, self.two = layers.Dense(6, name="one"), layers.Dense(6, name="two")

    def build(self, shape: Any) -> None:
        for part in (self.norm, self.one, self.two):
            part.build(shape)

    def call(self, x: Any) -> Any:
        return self.two(self.one(self.norm(x)))


class Weighed(keras.regularizers.Regularizer):
    """A penalty."""

    def __call__(self, x: Any) -> Any:
        return keras.ops.sum(x) * 0.0

    def get_config(self) -> dict[str, Any]:
        return {}


def doubled(x: Any) -> Any:
    return x * 2.0


CODE = {"Plain": Plain, "Cell": Cell, "Block": Block, "Weighed": Weighed, "doubled": doubled}
KINDS: dict[str, Callable[[Any], Any]] = {
    "plain": lambda x: Plain(name="part")(x),
    "registered": lambda x: Registered(name="part")(x),
    "wrapped": lambda x: layers.TimeDistributed(Plain(), name="part")(x),
    "wrapped registered": lambda x: layers.TimeDistributed(Registered(), name="part")(x),
    "cell": lambda x: layers.RNN(Cell(), name="part")(x),
    "activation": lambda x: layers.Dense(5, activation=doubled, name="part")(x),
    "activation layer": lambda x: layers.Activation(doubled, name="part")(x),
    "regularizer": lambda x: layers.Dense(5, kernel_regularizer=Weighed(), name="part")(x),
    "nested": lambda x: nested(x, Plain(name="deep")),
    "nested registered": lambda x: nested(x, Registered(name="deep")),
}


def nested(x: Any, *inside: Any) -> Any:
    y = start = keras.Input(x.shape[1:])
    for layer in inside:
        y = layer(y)
    return keras.Model(start, y, name="part")(x)


def seeded(model: Any) -> Any:
    draws = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(draws.uniform(0.1, 1.0, weight.shape))
    return model


def model_of(kind: str) -> Any:
    start = keras.Input((4, 8), name="image")
    x = KINDS[kind](layers.Dense(6, name="first")(start))
    return seeded(keras.Model(start, layers.Dense(3, name="last")(x)))


def read(path: Path) -> Any:
    return keras.saving.load_model(path, custom_objects=CODE, compile=False)


def gap(model: Any, other: Any) -> float:
    x = np.random.default_rng(0).random((2, *model.input_shape[1:]), dtype=np.float32)
    return float(np.abs(np.asarray(model(x)) - np.asarray(other(x))).max())


def written(source: Path, *steps: dict[str, Any]) -> tuple[Plan, Any]:
    out = source.with_name(f"out{source.suffix}")
    done = opened(source).apply(recipe(*steps), out, check=False)
    return done.plan, read(out)


@pytest.mark.parametrize("ending", [".h5", ".keras"])
@pytest.mark.parametrize("kind", KINDS)
def test_that_what_needs_other_code_is_read_back_with_it(kind: str, ending: str, tmp_path: Path) -> None:
    model = model_of(kind)
    model.save(tmp_path / f"source{ending}")
    plan, again = written(tmp_path / f"source{ending}", FREEZE_FIRST)
    assert gap(model, again) == 0.0
    assert len(again.weights) == len(model.weights) == len(plan.fates)
    assert not again.get_layer("first").trainable
    assert again.get_layer("last").trainable


def of_blocks(where: str) -> Any:
    start = keras.Input((6,), name="image")
    x = layers.Dense(6, name="first")(start)
    if where == "nested":
        inside = (Block(name="block"), layers.BatchNormalization(name="own"), Block(name="other"))
        x = nested(x, layers.Dense(6, name="into"), *inside)
    else:
        x = Block(name="block")(x)
    return seeded(keras.Model(start, layers.Dense(3, name="last")(x)))


@pytest.mark.parametrize("globs", [["first"], ["block"], ["*"], ["part"]], ids=str)
@pytest.mark.parametrize("ending", [".h5", ".keras"])
@pytest.mark.parametrize("where", ["on top", "nested", "nested, frozen"])
def test_that_flags_that_cannot_be_kept_are_told_and_move_no_weight(
    where: str, ending: str, globs: list[str], tmp_path: Path
) -> None:
    if where == "on top" and globs == ["part"]:
        globs = ["last"]
    model = of_blocks(where.partition(",")[0])
    if "frozen" in where:
        model.get_layer("part").trainable = False
    model.save(tmp_path / f"source{ending}")
    plan, again = written(tmp_path / f"source{ending}", {"do": "set_trainable", "layers": globs})
    assert gap(read(tmp_path / f"source{ending}"), again) == 0.0
    told = [one for one in plan.findings if one.code == "freeze.forgotten"]
    assert len(told) == (globs in (["block"], ["*"], ["part"]))
    if "frozen" not in where and ending == ".h5":  # the other format only numbers the arrays of unknown layers
        counted = sum(int(np.prod(weight.shape)) for weight in again.trainable_weights)
        assert plan.after.trainable_params == counted
    if told:
        assert "the code of Block creates the trained parts" in told[0].message


def attention(x: Any) -> Any:
    y = start = keras.Input(x.shape[1:])
    y = layers.BatchNormalization(name="own")(layers.Dense(8, name="into")(y))
    y = layers.MultiHeadAttention(2, 4, name="forgetful")(y, y)
    return keras.Model(start, layers.Dense(8, name="out")(y), name="part")(x)


def recurrent(x: Any) -> Any:
    convolution = layers.ConvLSTM2D(4, 3, padding="same", return_sequences=True, name="forgetful")
    return nested(x, layers.BatchNormalization(name="own"), convolution, layers.Dense(4, name="out"))


@pytest.mark.parametrize("glob", ["forgetful", "part", "*"])
@pytest.mark.parametrize(("make", "shape"), [(attention, (5, 8)), (recurrent, (3, 6, 6, 4))], ids=["attention", "lstm"])
def test_that_frozen_parts_that_train_again_keep_their_weights_in_a_nested_model(
    make: Callable[[Any], Any], shape: tuple[int, ...], glob: str, tmp_path: Path
) -> None:
    start = keras.Input(shape, name="image")
    model = seeded(keras.Model(start, layers.Dense(3, name="last")(make(layers.Dense(shape[-1], name="first")(start)))))
    model.save(tmp_path / "source.h5")
    plan, again = written(tmp_path / "source.h5", {"do": "set_trainable", "layers": [glob]})
    assert gap(model, again) == 0.0
    assert [one.code for one in plan.findings if one.severity == "warning"] == ["freeze.forgotten"]


@keras.saving.register_keras_serializable("parts")
class Own(keras.Model):
    """A model whose code makes its layers."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(**rest)
        self.a, self.b = layers.Dense(4, name="a"), layers.Dense(2, name="b")

    def build(self, shape: Any) -> None:
        self.a.build(shape)
        self.b.build((None, 4))
        self.built = True

    def call(self, x: Any) -> Any:
        return self.b(self.a(x))


def test_that_a_model_of_a_class_of_its_own_keeps_no_flags_and_says_so(tmp_path: Path) -> None:
    model = Own(name="own")
    model(np.ones((1, 8), np.float32))
    model.save(tmp_path / "source.keras")
    plan, again = written(tmp_path / "source.keras", {"do": "set_trainable", "layers": ["*"]})
    (told,) = [one for one in plan.findings if one.code == "freeze.forgotten"]
    assert "2 layers (first: a) cannot be frozen in a file: the code of Own" in told.message
    assert len(again.trainable_weights) == 4
    assert plan.after.trainable_params == model.count_params()


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"do": "rename_layer", "layer": "a", "name": "c"}, "a gets its name from the code of Own"),
        ({"do": "set_dtype", "policy": "float16"}, "a gets its dtype from the code of Own"),
    ],
)
def test_that_what_the_code_of_a_model_decides_is_not_promised(
    step: dict[str, Any], words: str, tmp_path: Path
) -> None:
    model = Own(name="own")
    model(np.ones((1, 8), np.float32))
    model.save(tmp_path / "source.keras")
    with pytest.raises(RecipeError, match=words):
        opened(tmp_path / "source.keras").plan(recipe(step))
