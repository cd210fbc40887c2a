"""Two files as one model, against each of them run by itself in plain Keras."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L

from core.analysis.opening import read_model
from core.errors import FileError, PlanRefused, RecipeError
from tests.core.engine.drive import applied, assert_verified, drift, engine, opened, plan, recipe
from tests.core.engine.small_models import fill

Files = dict[str, Path]


def encoder() -> Any:
    """Images to five numbers, by way of four."""
    start = keras.Input((12, 12, 3), name="image")
    x = L.BatchNormalization(name="norm")(L.Conv2D(4, 3, name="conv")(start))
    return keras.Model(start, L.Dense(5, name="dense")(L.GlobalAveragePooling2D(name="pool")(x)), name="encoder")


def predictor() -> Any:
    start = keras.Input((5,), name="vector")
    return keras.Model(
        start, L.Dense(2, name="out")(L.Dense(6, activation="relu", name="dense")(start)), name="predictor"
    )


def chain() -> Any:
    return keras.Sequential([keras.Input((5,)), L.Dense(4, name="dense"), L.Dense(3, name="z")], name="chain")


def twins() -> Any:
    """Two inputs through one nested model, two outputs by name."""
    inner = keras.Input((4,), name="inner")
    base = keras.Model(inner, L.Dense(3, name="dense")(inner), name="base")
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    both = L.Add(name="sum")([base(left), base(right)])
    return keras.Model({"left": left, "right": right}, {"sum": both, "one": base(left)}, name="twins")


MODELS: tuple[Callable[[], Any], ...] = (encoder, predictor, chain, twins)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Every model as `.keras`, each with weights of its own."""
    folder = tmp_path_factory.mktemp("joined")
    found = {}
    for seed, build in enumerate(MODELS):
        keras.backend.clear_session()
        model = build()
        fill(model, seed)
        found[build.__name__] = folder / f"{build.__name__}.keras"
        model.save(found[build.__name__])
    return found


@pytest.fixture(autouse=True)
def _fresh_names() -> None:
    keras.backend.clear_session()


def loaded(path: Path) -> Any:
    return keras.saving.load_model(path, compile=False)


def join(path: Path, **fields: Any) -> dict[str, Any]:
    return {"do": "join_models", "file": str(path), **fields}


def some(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(("second", "out"), [("predictor", "out.keras"), ("chain", "out.h5")])
def test_that_the_second_model_answers_what_the_first_gives(
    files: Files, second: str, nested: bool, out: str, tmp_path: Path
) -> None:
    written, new = applied(files["encoder"], tmp_path / out, join(files[second], nested=nested))
    assert_verified(written.verification)
    x = some(2, 12, 12, 3)
    assert drift(new(x), loaded(files[second])(loaded(files["encoder"])(x))) < 1e-6
    assert {fate.fate for fate in written.plan.fates} == {"copied", "transferred"}
    assert not written.plan.dropped
    taken = [one for one in written.plan.findings if one.code == "name.changed"]
    assert [one.message for one in taken] == (
        [] if nested else [f"Layers of {second}.keras were renamed: dense is now {second}_dense."]
    )


def test_that_an_inner_layer_can_go_on_and_what_came_after_it_is_told(files: Files, tmp_path: Path) -> None:
    step = join(files["twins"], output="pool", input="left", prefix="b")
    written, new = applied(files["encoder"], tmp_path / "out.keras", step)
    assert_verified(written.verification)
    told = [one.message for one in written.plan.findings if one.code == "weight.unmatched"]
    assert told == ["dense/kernel, dense/bias are dropped together with that layer."]
    assert written.plan.dropped == ("dense/kernel", "dense/bias")
    x, right = (keras.ops.convert_to_tensor(some(*shape)) for shape in ((2, 12, 12, 3), (2, 4)))
    first = loaded(files["encoder"])
    pooled = keras.Model(first.input, first.get_layer("pool").output)(x)
    old = loaded(files["twins"])({"left": pooled, "right": right})
    now = keras.tree.flatten(new([x, right]))
    assert [layer.name for layer in new.layers][-3:] == ["b_right", "b_base", "b_sum"]
    assert max(drift(a, b) for a, b in zip(now, keras.tree.flatten(old), strict=True)) < 1e-6


def test_that_models_stand_side_by_side_with_inputs_of_their_own(files: Files, tmp_path: Path) -> None:
    written, new = applied(files["encoder"], tmp_path / "out.keras", join(files["predictor"], how="parallel"))
    assert_verified(written.verification)
    x, vector = some(2, 12, 12, 3), some(2, 5)
    one, two = new([x, vector])
    assert drift(one, loaded(files["encoder"])(x)) < 1e-6
    assert drift(two, loaded(files["predictor"])(vector)) < 1e-6


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("merge", ["concatenate", "average", "add"])
def test_that_a_shared_input_feeds_both_and_outputs_become_one(
    files: Files, merge: str, nested: bool, tmp_path: Path
) -> None:
    """An ensemble of a model and itself under other names: average gives the same, add the double."""
    step = join(files["encoder"], how="parallel", shared=True, merge=merge, nested=nested)
    written, new = applied(files["encoder"], tmp_path / "out.keras", step)
    assert_verified(written.verification)
    x = some(2, 12, 12, 3)
    old = np.asarray(loaded(files["encoder"])(x))
    wanted = {"concatenate": np.concatenate([old, old], -1), "average": old, "add": 2 * old}[merge]
    assert drift(new(x), wanted) < 1e-6


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_that_inputs_and_outputs_with_names_keep_them(files: Files, nested: bool, shared: bool, tmp_path: Path) -> None:
    step = join(files["twins"], how="parallel", shared=shared, nested=nested)
    written, new = applied(files["twins"], tmp_path / "out.keras", step)
    assert_verified(written.verification)
    assert len(new.inputs) == (2 if shared else 4)
    assert len(new.outputs) == 4
    given = {name: some(2, 4, seed=place) for place, name in enumerate(sorted(new.input))}
    found, old = new(given), loaded(files["twins"])
    one = old({"left": given["left"], "right": given["right"]})
    two = one if shared else old({"left": given["twins_left"], "right": given["twins_right"]})
    assert drift(found["sum"], one["sum"]) < 1e-6
    assert drift(found["one"], one["one"]) < 1e-6
    more = sorted(set(found) - {"sum", "one"})
    everything = np.sort([np.asarray(found[name]) for name in more], axis=0)
    assert drift(everything, np.sort([np.asarray(two["sum"]), np.asarray(two["one"])], axis=0)) < 1e-6


def test_that_three_files_can_be_joined_and_edited_further(files: Files, tmp_path: Path) -> None:
    steps = [
        join(files["chain"]),
        join(files["predictor"], how="parallel"),
        {"do": "change_input", "input": "image", "shape": [12, 12, 1]},
    ]
    written, new = applied(files["encoder"], tmp_path / "out.keras", *steps)
    assert_verified(written.verification)
    gray, vector = some(2, 12, 12, 1), some(2, 5)
    one, two = new([gray, vector])
    old = loaded(files["chain"])(loaded(files["encoder"])(np.repeat(gray, 3, -1)))
    assert drift(one, old) < 1e-5
    assert drift(two, loaded(files["predictor"])(vector)) < 1e-6


def test_that_shapes_that_do_not_meet_are_told_with_what_would_help(files: Files) -> None:
    found = plan(files["encoder"], join(files["predictor"], output="pool"))
    told = next(one for one in found.findings if one.layer == "pool")
    assert (told.severity, told.code) == ("error", "shape.incompatible")
    assert told.message == (
        "pool gives 4, but the input 'vector' of predictor.keras takes 5; join them where the shapes agree, or "
        "insert layers between them."
    )
    assert [fix.title for fix in told.fixes] == ["Continue from dense"]
    assert plan(files["encoder"], *told.fixes[0].edits).ok
    found = plan(files["encoder"], join(files["predictor"], how="parallel", shared=True))
    fix = next(one for one in found.findings if one.severity == "error").fixes[0]
    assert fix.title == "Give each model its own input"
    assert plan(files["encoder"], *fix.edits).ok
    found = plan(files["encoder"], join(files["predictor"], how="parallel", merge="add"))
    told = next(one for one in found.findings if one.severity == "error")
    assert [fix.title for fix in told.fixes] == ["Concatenate them", "Keep both outputs"]
    assert all(plan(files["encoder"], *fix.edits).ok for fix in told.fixes)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"shared": True}, "shared and merge are only for models side by side"),
        ({"how": "parallel", "output": "dense"}, "output is only for models in series"),
        ({"output": "nothing"}, "There is no layer 'nothing'"),
        ({"input": "nothing"}, "There is no input 'nothing'"),
        ({"prefix": " "}, "prefix is empty"),
    ],
)
def test_that_fields_that_do_not_go_together_are_refused(files: Files, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        plan(files["encoder"], join(files["predictor"], **fields))


def test_that_several_outputs_or_inputs_ask_which(files: Files) -> None:
    with pytest.raises(RecipeError, match=r"has 2 inputs \(left, right\); say which with input"):
        plan(files["encoder"], join(files["twins"]))
    with pytest.raises(RecipeError, match=r"2 outputs \(base, sum\).*say which with output"):
        plan(files["twins"], join(files["predictor"]))


def test_that_an_architecture_takes_the_weights_named_beside_it(files: Files, tmp_path: Path) -> None:
    model = loaded(files["predictor"])
    (tmp_path / "second.json").write_text(model.to_json())
    model.save_weights(tmp_path / "second.weights.h5")
    bare = plan(files["encoder"], join(tmp_path / "second.json"))
    assert "holds no weights" in next(one.message for one in bare.findings if one.code == "weight.unmatched")
    step = join(tmp_path / "second.json", weights=str(tmp_path / "second.weights.h5"))
    written, new = applied(files["encoder"], tmp_path / "out.keras", step)
    assert_verified(written.verification)
    x = some(2, 12, 12, 3)
    assert drift(new(x), model(loaded(files["encoder"])(x))) < 1e-6
    with pytest.raises(RecipeError, match="holds weights without a model"):
        plan(files["encoder"], join(tmp_path / "second.weights.h5"))


_KERAS_2 = """
import sys, numpy as np, tf_keras as k
dense = k.layers.Dense(4, activation="tanh", input_shape=(5,))
inner = k.Sequential([dense, k.layers.BatchNormalization()], name="inner")
start = k.Input((5,))
model = k.Model(start, k.layers.Dense(2)(inner(start)))
rng = np.random.default_rng(2)
model.set_weights([rng.uniform(0.2, 1.0, w.shape) for w in model.get_weights()])
model.save(sys.argv[1])
x = np.load(sys.argv[2])
np.save(sys.argv[3], model(x, training=False).numpy())
"""


def test_that_a_nested_h5_of_keras_2_follows(files: Files, tmp_path: Path) -> None:
    x = some(2, 12, 12, 3)
    np.save(tmp_path / "x.npy", np.asarray(loaded(files["encoder"])(x)))
    arguments = [str(tmp_path / name) for name in ("old.h5", "x.npy", "y.npy")]
    subprocess.run([sys.executable, "-c", _KERAS_2, *arguments], check=True, capture_output=True, timeout=300)
    for nested in (False, True):
        written, new = applied(files["encoder"], tmp_path / "out.keras", join(tmp_path / "old.h5", nested=nested))
        assert_verified(written.verification)
        assert drift(new(x), np.load(tmp_path / "y.npy")) < 1e-6


def test_that_stored_code_of_the_second_file_does_not_run(files: Files, tmp_path: Path) -> None:
    """Not even where the first one is trusted: the layer is carried, and only its own file's trust would run it."""
    start = keras.Input((5,), name="vector")
    mark = tmp_path / "ran"
    where = str(mark)
    x = L.Lambda(lambda x: Path(where).write_text("ran") and x, output_shape=(5,), name="stored")(start)
    keras.Model(start, L.Dense(2, name="out")(x), name="lambdas").save(tmp_path / "second.keras")
    mark.unlink(missing_ok=True)
    work = engine()
    work.set_source(read_model(files["encoder"]), trust=True)
    found = work.plan(recipe(join(tmp_path / "second.keras")))
    assert {one.code for one in found.findings if one.severity == "warning"} == {"code.lambda"}
    assert found.graph.find("stored").opaque
    written = work.apply(recipe(join(tmp_path / "second.keras")), tmp_path / "out.keras", check=True)
    assert written.verification is not None
    assert written.verification.skipped
    assert not mark.exists()


def test_that_arrays_without_code_stay_in_the_format_of_their_own_file(files: Files, tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("joined_tests")
    class Odd(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(shape=(shape[-1],), name="scale")

        def call(self, inputs: Any) -> Any:
            return inputs * self.scale

    start = keras.Input((5,))
    keras.Model(start, Odd(name="odd")(start)).save(tmp_path / "odd.keras")
    keras.saving.get_custom_objects().pop("joined_tests>Odd")
    work = opened(files["encoder"])
    with pytest.raises(FileError, match="can only be written in their original format"):
        work.apply(recipe(join(tmp_path / "odd.keras")), tmp_path / "out.h5")
    assert work.apply(recipe(join(tmp_path / "odd.keras")), tmp_path / "out.keras").bytes


def test_that_an_error_is_not_written(files: Files, tmp_path: Path) -> None:
    with pytest.raises(PlanRefused, match="pool gives"):
        applied(files["encoder"], tmp_path / "out.keras", join(files["predictor"], output="pool"))
    assert not (tmp_path / "out.keras").exists()
