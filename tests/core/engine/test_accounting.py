"""The law of accounting, over every edit: no array ends nowhere and no weight starts anew without a word."""

from functools import cache
from pathlib import Path
from typing import Any

import h5py
import keras
import msgspec
import numpy as np
import pytest

from core.analysis.accounting import is_state
from core.analysis.opening import read_model
from core.edits import EDITS
from core.engine.api import Engine
from core.errors import PlanRefused
from core.model.plan import Plan
from tests.core.edits import zoo
from tests.core.engine.drive import recipe

L = keras.layers


def of(class_name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": config}


CONV = of("Conv2D", filters=8, kernel_size=3, padding="same")
CASES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "change_input": [
        ("flat", {"shape": [20, 20, 1]}),
        ("nested", {"shape": [16, 16, 5]}),
        ("shared", {"input": "one", "shape": [16, 16, 3]}),
        ("keras2", {"shape": [16, 16, 1]}),
    ],
    "replace_first_conv": [
        ("flat", {"filters": 16, "kernel_size": 5, "batch_norm": True}),
        ("nested", {"use_bias": True}),
        ("flat", {"use_bias": False}),
        ("flat", {"kernel_size": 7, "kernel_rule": "initialize"}),
        ("keras2", {"filters": 6}),
    ],
    "insert_adapter": [
        ("flat", {"shape": [20, 20, 3], "fit": "resize"}),
        ("nested", {"shape": [16, 16, 5], "fit": "project"}),
    ],
    "insert_front": [("flat", {"shape": [16, 16, 4], "layers": [of("Conv2D", filters=3, kernel_size=1)]})],
    "remove_head": [("flat", {}), ("nested", {"pooling": "none"}), ("keras2", {"pooling": "max"})],
    "attach_head": [
        ("flat", {"classes": 3}),
        ("flat", {"classes": 6, "keep": [0, 2]}),
        ("keras2", {"classes": 2, "hidden": []}),
    ],
    "cut_at": [
        ("flat", {"layers": ["stem_relu"]}),
        ("nested", {"layers": ["backbone/stem_relu"]}),
        ("keras2", {"layers": ["stem"]}),
    ],
    "start_at": [("flat", {"layers": ["last"]})],
    "set_trainable": [("flat", {"layers": ["stem*"], "trainable": False})],
    "insert_layer": [
        ("flat", {"layer": "stem", "config": CONV}),
        ("shared", {"layer": "stem", "config": of("BatchNormalization")}),
        ("nested", {"layer": "backbone/stem", "config": of("PReLU")}),
    ],
    "replace_layer": [
        ("flat", {"layer": "stem_bn", "config": of("LayerNormalization")}),
        ("flat", {"layer": "stem_bn", "config": of("Dropout", rate=0.1)}),
        ("flat", {"layer": "dw", "config": CONV}),
        ("nested", {"layer": "backbone/stem_bn", "config": of("GroupNormalization", groups=2)}),
        ("shared", {"layer": "stem", "config": of("SeparableConv2D", filters=8, kernel_size=3, padding="same")}),
        ("signal", {"layer": "rnn", "config": of("GRU", units=8)}),
        ("flat", {"layer": "stem", "config": {"use_bias": False}}),
        ("keras2", {"layer": "stem_bn", "config": of("LayerNormalization")}),
    ],
    "remove_layer": [
        ("flat", {"layer": "stem_bn"}),
        ("nested", {"layer": "backbone/stem_bn"}),
        ("keras2", {"layer": "stem_bn"}),
    ],
    "rename_layer": [("flat", {"layer": "stem", "name": "other"}), ("nested", {"layer": "backbone", "name": "body"})],
    "set_rule": [
        ("flat", {"weight": "stem/kernel", "rule": "initialize"}),
        ("nested", {"weight": "backbone/stem/kernel", "rule": "initialize"}),
    ],
    "transfer_weights": [
        ("flat", {"file": "nested", "match": "shape"}),
        ("nested", {"file": "keras2", "match": "name"}),
    ],
    "set_dtype": [("flat", {"policy": "float16"}), ("int8", {"policy": "float32"}), ("flat", {"policy": "int8"})],
    "fold_batch_norm": [("flat", {}), ("nested", {}), ("keras2", {})],
    "fold_weights": [("spectral", {}), ("lora", {})],
    "set_batch": [("nested", {"batch": 4}), ("keras2", {"batch": 1})],
    "drop_training_only": [("noisy", {}), ("noisy", {"kinds": ["dropout"]})],
    "replace_all": [
        ("keras2", {"match": {"class_name": "ReLU"}, "with": {"activation": "gelu"}}),
        ("flat", {"match": {"class_name": "BatchNormalization"}, "with": {"class_name": "LayerNormalization"}}),
    ],
    "data_format": [("flat", {"to": "channels_first"})],
    "join_models": [("flat", {"file": "nested", "how": "parallel"}), ("keras2", {"file": "flat", "how": "parallel"})],
    "inflate": [("sequential", {"shape": [8, 16, 16, 3]}), ("unet", {"shape": [4, 32, 32, 1], "how": "mean"})],
    "keep_words": [("words", {"vocabulary": ["b", "d"]}), ("words", {"vocabulary": ["a", "b", "c", "d", "e"]})],
    "change_classes": [
        ("flat", {"classes": 2, "old_classes": 5}),
        ("nested", {"classes": 9, "old_classes": 4, "keep": [3, 0]}),
    ],
    "accept_losses": [("flat", {"dropped": ["nothing/*"]})],
}  # fmt: skip


@cache
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """`files("nested")`: the model of that name as a file, made once."""
    folder = tmp_path_factory.mktemp("sources")

    @cache
    def make(name: str) -> Path:
        path = folder / f"{name}.{'h5' if name == 'keras2' else 'keras'}"
        if name == "keras2":
            _keras2(path)
        else:
            _native(name).save(path)
        return path

    return make


def _native(name: str) -> Any:
    """A model of the zoo, or one whose arrays are more than kernels."""
    if name == "spectral":
        wrapped = L.SpectralNormalization(L.Conv2D(4, 3), name="stem")
        return keras.Sequential([keras.Input((8, 8, 3)), wrapped, L.GlobalAveragePooling2D(), L.Dense(2)])
    if name == "words":
        start = keras.Input((3,), dtype="string")
        x = L.Embedding(4, 2, name="table")(L.StringLookup(vocabulary=["a", "b", "c"], name="lookup")(start))
        return keras.Model(start, L.Dense(2, name="out")(L.GlobalAveragePooling1D()(x)))
    model = zoo.flat() if name in ("int8", "lora") else getattr(zoo, name)()
    if name == "int8":
        model.get_layer("predictions").quantize("int8")
    if name == "lora":
        model.get_layer("predictions").enable_lora(2)
    return model


def _keras2(path: Path) -> None:
    """A model with a backbone inside, in an `.h5` of Keras 2."""
    import tf_keras as tk

    start = tk.Input((16, 16, 3), name="image")
    x = tk.layers.Conv2D(6, 3, name="stem")(start)
    x = tk.layers.ReLU(name="stem_relu")(tk.layers.BatchNormalization(name="stem_bn")(x))
    inner = tk.Input((14, 14, 6), name="inner_in")
    body = tk.Model(inner, tk.layers.Conv2D(5, 3, name="inside")(inner), name="body")
    x = tk.layers.GlobalAveragePooling2D(name="pool")(body(x))
    model = tk.Model(start, tk.layers.Dense(4, activation="softmax", name="predictions")(x), name="old")
    with pytest.warns(UserWarning, match="HDF5"):
        model.save(path)


def planned(source: Path, files: Any, *edits: dict[str, Any]) -> Plan:
    given = [{**one, "file": str(files(one["file"]))} if "file" in one else one for one in edits]
    one = engine()
    one.set_source(read_model(source))
    return one.plan(recipe(*given))


def assert_accounted(source: Path, plan: Plan) -> None:
    graph = read_model(source).graph
    arrays = {f"{path}/{weight.name}" for path, layer in graph.walk() for weight in layer.weights}
    arrays = {name for name in arrays if not is_state(name)}
    used = {fate.source for fate in plan.fates if fate.source is not None and not fate.file} & arrays
    merged, dropped = {name for name, _ in plan.merged}, set(plan.dropped)
    assert arrays == used | merged | dropped
    assert not dropped & (used | merged)
    fresh = {fate.weight for fate in plan.fates if fate.fate == "initialized" and not is_state(fate.weight)}
    assert all(
        fate.source is not None or fate.rule or fate.weight in fresh or is_state(fate.weight) for fate in plan.fates
    )
    assert {into for _, into in plan.merged} <= {fate.weight for fate in plan.fates}
    told = {line for finding in plan.findings for line in finding.detail.splitlines()}
    words = " ".join(finding.message for finding in plan.findings)
    for name in dropped | fresh:
        assert name in told or name in words, name
    assert all(len(finding.message) < 1000 for finding in plan.findings)


def test_that_every_edit_has_a_case_of_accounting() -> None:
    assert set(CASES) == set(EDITS)


@pytest.mark.parametrize(("kind", "case"), [(kind, case) for kind, cases in CASES.items() for case in cases])
def test_that_every_array_and_every_weight_is_accounted_for(kind: str, case: Any, files: Any) -> None:
    name, fields = case
    source = files(name)
    plan = planned(source, files, {"do": kind, **fields})
    assert_accounted(source, plan)


def test_that_what_a_person_takes_out_is_told_and_no_warning(files: Any) -> None:
    for edit in ({"do": "remove_head"}, {"do": "cut_at", "layers": ["stem_relu"]}):
        plan = planned(files("flat"), files, edit)
        assert plan.dropped
        told = [one for one in plan.findings if one.code == "weight.unmatched"]
        assert {one.severity for one in told} == {"info"}
        assert plan.dropped[0] in told[0].detail


def test_that_a_new_head_is_told_to_start_anew(files: Any) -> None:
    plan = planned(files("flat"), files, {"do": "remove_head"}, {"do": "attach_head", "classes": 3})
    told = [one for one in plan.findings if one.code == "weight.unmatched" and "predictions/kernel" in one.detail]
    assert any(one.severity == "info" and "start at initial values" in one.message for one in told)


def test_that_many_names_are_told_by_the_first_and_a_count(files: Any) -> None:
    plan = planned(files("flat"), files, {"do": "cut_at", "layers": ["stem"]})
    (told,) = (one for one in plan.findings if one.code == "weight.unmatched")
    assert f"and {len(plan.dropped) - 3} more" in told.message
    assert told.detail.splitlines() == list(plan.dropped)


def _torn(path: Path, tmp_path: Path) -> Path:
    """The Keras 2 file with an array that its layer does not have, and without one that it has."""
    torn = tmp_path / "torn.h5"
    torn.write_bytes(path.read_bytes())
    with h5py.File(torn, "r+") as file:
        group = file["model_weights/predictions"]
        names = list(group.attrs["weight_names"])
        kernel = np.asarray(group[names[0]])
        del group[names[1]]
        group.attrs["weight_names"] = [names[0]]
        group[names[0]][...] = kernel
    return torn


def test_that_a_file_which_lacks_an_array_is_an_error_until_that_is_accepted(files: Any, tmp_path: Path) -> None:
    source = _torn(files("keras2"), tmp_path)
    plan = planned(source, files)
    (told,) = (one for one in plan.findings if one.code == "weight.unmatched" and one.severity == "error")
    assert not plan.ok
    assert "predictions/bias" in told.message
    fix = [msgspec.json.decode(msgspec.json.encode(edit)) for edit in told.fixes[0].edits]
    assert fix == [{"do": "accept_losses", "initialized": ["predictions/bias"]}]
    accepted = planned(source, files, *fix)
    assert accepted.ok
    assert_accounted(source, accepted)
    chosen = planned(source, files, {"do": "set_rule", "weight": "predictions/bias", "rule": "initialize"})
    assert chosen.ok
    # an edit of something else settles nothing
    assert not planned(source, files, {"do": "set_trainable", "layers": ["stem"], "trainable": False}).ok
    with pytest.raises(PlanRefused):
        engine().apply(recipe(), tmp_path / "out.keras")


def test_that_accepting_nothing_is_refused() -> None:
    with pytest.raises(Exception, match="accept_losses is empty"):
        recipe({"do": "accept_losses"})
