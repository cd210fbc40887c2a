"""Comma lists, `!` and ranges: what they choose, held against gradients of the real model."""

from typing import Any

import pytest

from core.edits import FoldBatchNorm, SetDtype, SetTrainable
from core.edits.set_trainable import matched
from core.errors import EditError
from core.model.graph import Call, Graph, Layer, TensorRef
from core.model.reach import reach_of
from core.recipes import gestures
from core.recipes.recipe import Recipe


def weighted(graph: Graph, paths: set[str]) -> set[str]:
    return {path for path in paths if graph.find(path).weights}


def dependence(model: Any) -> dict[str, set[str]]:
    """By the name of each layer, the layers whose weights move its outputs: what a gradient tape says is connected."""
    import keras
    import tensorflow as tf

    variables = {f"{path}/{number}": variable for path, variable, number in variables_of(model, "")}
    inputs = [tf.random.uniform([1, *(size or 4 for size in one.shape[1:])]) for one in model.inputs]
    kept = {id(node) for nodes in model._nodes_by_depth.values() for node in nodes}
    found = {}
    for layer in model.layers:
        outputs = [one for node in layer._inbound_nodes if id(node) in kept for one in node.output_tensors]
        part = keras.Model(model.inputs, outputs)
        with tf.GradientTape() as tape:
            answer = tf.nest.flatten(part(inputs if len(inputs) > 1 else inputs[0]))
        gradients = tape.gradient(answer, [one._value for one in variables.values()])
        found[layer.name] = {
            path.rpartition("/")[0] for path, gradient in zip(variables, gradients, strict=True) if gradient is not None
        }
    return found


def variables_of(model: Any, prefix: str) -> Any:
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from variables_of(layer, f"{prefix}{layer.name}/")
        else:
            for number, variable in enumerate(layer.trainable_variables):
                yield prefix + layer.name, variable, number


def two_outputs() -> Any:
    """An encoder with two outputs used twice, behind a branch of its own each time."""
    import keras
    from keras import layers as L

    inside = keras.Input((6,), name="inside")
    wide = L.Dense(5, name="wide")(inside)
    encoder = keras.Model(inside, [L.Dense(4, name="left")(wide), L.Dense(3, name="right")(inside)], name="encoder")
    one, two = keras.Input((6,), name="one"), keras.Input((6,), name="two")
    first, second = encoder(L.Dense(6, name="before_one")(one)), encoder(L.Dense(6, name="before_two")(two))
    return keras.Model(
        [one, two],
        [L.Dense(2, name="of_left")(first[0]), L.Dense(2, name="of_right")(second[1])],
        name="two_outputs",
    )


@pytest.fixture(scope="module")
def pairs(bench: Any) -> dict[str, tuple[Graph, dict[str, set[str]]]]:
    from tests.core.edits.bench import Bench

    made = {name: bench(name) for name in ("flat", "shared", "multi_input", "unet")}
    made["two_outputs"] = Bench(two_outputs())
    return {name: (one.graph, dependence(one.model)) for name, one in made.items()}


@pytest.mark.parametrize("name", ["flat", "shared", "multi_input", "unet", "two_outputs"])
def test_that_up_to_here_is_what_a_gradient_says_that_a_layer_depends_on(pairs: Any, name: str) -> None:
    graph, depends = pairs[name]
    trained = {path for paths in depends.values() for path in paths}
    assert len(trained) > 1
    for layer, meant in depends.items():
        found = weighted(graph, reach_of(graph).up_to([layer])) & trained
        assert found == meant, layer


@pytest.mark.parametrize("name", ["flat", "shared", "multi_input", "unet", "two_outputs"])
def test_that_from_here_is_what_a_gradient_says_that_depends_on_a_layer(pairs: Any, name: str) -> None:
    graph, depends = pairs[name]
    for layer in graph.layers:
        if not layer.weights:
            continue
        after = {other for other, on in depends.items() if layer.name in on and graph.find(other).inner is None}
        found = reach_of(graph).onward([layer.name])
        assert {path for path in found if "/" not in path} == after, layer.name


def test_that_one_output_of_a_nested_model_depends_on_no_other(pairs: Any) -> None:
    graph, _ = pairs["two_outputs"]
    assert weighted(graph, reach_of(graph).up_to(["of_right"])) == {"of_right", "encoder/right", "before_two"}
    assert weighted(graph, reach_of(graph).up_to(["encoder/left"])) == {
        "encoder/left", "encoder/wide", "before_one", "before_two",
    }  # fmt: skip
    assert reach_of(graph).onward(["encoder/wide"]) == {"encoder/wide", "encoder/left", "of_left"}


def test_that_ranges_freeze_in_the_built_model(bench: Any) -> None:
    built = bench("nested").built(SetTrainable(layers=("..backbone/stem_relu",)))
    names = {weight.path.split("/")[-2] for weight in built.model.trainable_weights}
    assert names == {"block_conv", "predictions"}
    built = bench("nested").built(SetTrainable(layers=("backbone/block_conv..",)))
    assert {weight.path.split("/")[-2] for weight in built.model.trainable_weights} == {"stem", "stem_bn"}


def test_that_ranges_work_on_a_file_of_keras_2(tmp_path: Any) -> None:
    tk = pytest.importorskip("tf_keras")
    from core.readers import describe

    image = tk.layers.Input((8, 8, 3), name="image")
    stem = tk.layers.Conv2D(4, 3, name="stem")(image)
    side = tk.layers.Conv2D(4, 3, name="side")(image)
    joined = tk.layers.Add(name="join")([stem, side])
    out = tk.layers.Dense(2, name="head")(tk.layers.Flatten(name="flat")(joined))
    tk.Model(image, out).save(tmp_path / "old.h5")
    graph = describe(str(tmp_path / "old.h5")).graph
    assert weighted(graph, matched(graph, ("..stem",))) == {"stem"}
    assert weighted(graph, matched(graph, ("side..",))) == {"side", "head"}
    assert weighted(graph, matched(graph, ("..join, !stem",))) == {"side"}


def test_that_what_is_inside_a_wrapper_depends_on_what_goes_into_it(bench: Any) -> None:
    graph = bench("signal").graph
    first = graph.layers[1].name
    assert first in reach_of(graph).up_to([graph.layers[-1].name])


@pytest.mark.parametrize(
    ("selectors", "meant"),
    [
        (("stem, predictions",), {"stem", "predictions"}),
        (("*, !predictions",), {"stem", "stem_bn", "dw", "pw", "last"}),
        (("!predictions, !dw",), {"stem", "stem_bn", "pw", "last"}),
        (("*", "!stem*", "stem"), {"stem", "dw", "pw", "last", "predictions"}),
        (("stem*,!stem_bn",), {"stem"}),
        (("!..stem_bn",), {"dw", "pw", "last", "predictions"}),
        (("st[ae]m, dw",), {"stem", "dw"}),
    ],
)
def test_that_terms_choose_and_take_away_in_their_order(bench: Any, selectors: Any, meant: set[str]) -> None:
    graph = bench("flat").graph
    assert weighted(graph, matched(graph, selectors)) == meant


def test_that_a_nested_model_is_taken_and_its_parts_are_left(bench: Any) -> None:
    graph = bench("nested").graph
    assert weighted(graph, matched(graph, ("backbone, !backbone/stem*",))) == {"backbone/block_conv"}
    assert weighted(graph, matched(graph, ("!backbone",))) == {"predictions"}


def chain(*names: str) -> Graph:
    layers = [
        Layer(name, "Dense", calls=(Call(args=(TensorRef(names[number - 1]),) if number else ()),))
        for number, name in enumerate(names)
    ]
    return Graph("chain", layers=tuple(layers), outputs=[TensorRef(names[-1])])


def test_that_a_layer_is_called_by_its_own_name_whatever_signs_it_holds() -> None:
    graph = chain("a", "a,b", "!a", "..a", "a..")
    for name in ("a", "a,b", "!a", "..a", "a.."):
        assert matched(graph, (name,)) == {name}


@pytest.mark.parametrize("selectors", [("*, !hed",), ("..hed",), ("!hed",), ("stem, hed",)])
def test_that_a_term_that_means_nothing_is_refused_with_the_nearest_name(bench: Any, selectors: Any) -> None:
    with pytest.raises(EditError, match=r"No layer matches '(hed)'"):
        matched(bench("flat").graph, selectors)


def test_that_a_choice_that_is_taken_away_again_is_refused(bench: Any) -> None:
    with pytest.raises(EditError, match="leaves no layer"):
        matched(bench("flat").graph, ("stem, !stem",))


def test_that_a_range_is_refused_where_connections_are_unknown() -> None:
    graph = Graph("weights", layers=(Layer("a", "Dense"), Layer("b", "Dense")))
    with pytest.raises(EditError, match="not known how the layers are connected"):
        matched(graph, ("..a",))


def test_that_other_edits_with_globs_take_the_same_selectors(bench: Any) -> None:
    source = bench("flat")
    after = source.edited(SetDtype(policy="mixed_float16", layers=("stem, predictions, !stem",)))
    changed = {path for path, layer in after.walk() if "mixed_float16" in str(layer.config.get("dtype"))}
    assert changed == {"predictions"}
    assert "stem_bn" not in source.edited(FoldBatchNorm(layers=("..stem_bn",))).by_path()


def frozen_steps(recipe: Recipe) -> list[tuple[tuple[str, ...], bool]]:
    return [(edit.layers, edit.trainable) for edit in recipe.edits if isinstance(edit, SetTrainable)]


def test_that_a_step_that_takes_away_stays_by_itself() -> None:
    recipe = gestures.set_frozen(Recipe(), ["stem"], True)
    recipe = gestures.set_frozen(recipe, ["!head"], True)
    assert frozen_steps(recipe) == [(("stem",), False), (("!head",), False)]
    recipe = gestures.set_frozen(recipe, ["dw"], True)
    assert frozen_steps(recipe) == [(("stem",), False), (("!head",), False), (("dw",), False)]
    recipe = gestures.set_frozen(gestures.set_frozen(Recipe(), ["*, !head"], True), ["*"], False)
    assert frozen_steps(recipe) == [(("*, !head",), False), (("*",), True)]


def test_that_the_recipe_says_ranges_in_words() -> None:
    assert SetTrainable(layers=("..conv4",)).summary() == "Freeze up to conv4"
    assert SetTrainable(layers=("conv4..",), trainable=True).summary() == "Train from conv4 on"
    assert SetTrainable(layers=("!head, !pool",)).summary() == "Freeze all but head, not pool"
