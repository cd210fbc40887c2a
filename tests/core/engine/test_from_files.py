"""Weights out of other files: their own fate, one answer for preview, plan and result, proof against the file."""

import json
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tf_keras

from core.analysis.opening import read_model
from core.cli.fields import plan_fields, verification_fields
from core.edits import TransferWeights
from core.engine.matching import aligned
from core.model.plan import Plan
from core.readers import open_store
from tests.core.engine.drive import assert_verified, engine, recipe
from tests.helpers.own_classes import filled


def body(k: Any, x: Any, separable: bool) -> Any:
    conv = k.layers.SeparableConv2D if separable else k.layers.Conv2D
    x = conv(4, 3, name="stem")(x)
    return k.layers.BatchNormalization(name="norm")(x)


def model_of(k: Any, nested: bool, separable: bool, seed: int) -> Any:
    start = k.Input((6, 6, 3), name="image")
    if nested:
        inside = k.Input((6, 6, 3), name="inside_image")
        x = k.Model(inside, body(k, inside, separable), name="backbone")(start)
    else:
        x = body(k, start, separable)
    x = k.layers.GlobalAveragePooling2D(name="pool")(x)
    return filled(k.Model(start, k.layers.Dense(2, name="last")(x)), seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("files")
    for nested in (False, True):
        for separable in (False, True):
            name = f"{'nested' if nested else 'flat'}_{'separable' if separable else 'plain'}"
            new, old = (model_of(k, nested, separable, seed) for seed, k in enumerate((keras, tf_keras), 1))
            new.save(made / f"{name}.keras")
            new.save_weights(made / f"{name}.weights.h5")
            old.save(made / f"{name}2.h5")
            old.save_weights(made / f"{name}2_arrays.h5")
            (made / f"{name}.json").write_text(new.to_json())
    return made


def transfer(folder: Path, source: str, donor: str) -> tuple[Plan, Any]:
    """The plan and the preview of a transfer by name."""
    engine().set_source(read_model(folder / source))
    edit = TransferWeights(file=str(folder / donor))
    steps = recipe(edit)
    (other,) = engine().files(steps).values()
    plan = engine().plan(steps)
    return plan, aligned(engine().plan(recipe()), plan, other, edit)


def shown(matching: Any) -> dict[str, str]:
    return {f"{row.layer}/{row.weight}": row.source for row in matching.rows}


def stored(path: Path) -> dict[str, Any]:
    """Every array of a file by its path, read by Suture's reader."""
    source = read_model(path)
    with open_store(source) as store:
        return {
            f"{at}/{weight.name}": store.read(weight.source.key)
            for at, layer in source.graph.walk()
            for weight in layer.weights
            if weight.source is not None
        }


DONORS = (".keras", ".weights.h5", "2.h5", "2_arrays.h5")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("donor", DONORS)
@pytest.mark.parametrize("kind", ["flat", "nested"])
def test_that_preview_plan_and_file_agree_on_every_array(kind: str, donor: str, folder: Path, tmp_path: Path) -> None:
    plan, matching = transfer(folder, f"{kind}_plain2.h5", f"{kind}_plain{donor}")
    assert {fate.fate for fate in plan.fates} == {"transferred"}
    assert shown(matching) == {fate.weight: fate.source for fate in plan.fates}
    assert (matching.paired, matching.given, matching.weights) == (3, 8, 8)
    written = engine().apply(
        recipe(TransferWeights(file=str(folder / f"{kind}_plain{donor}"))), tmp_path / "out.keras", check=True
    )
    assert_verified(written.verification)
    assert written.verification is not None
    assert written.verification.from_files == ((str(folder / f"{kind}_plain{donor}"), 8),)
    theirs, ours = stored(folder / f"{kind}_plain{donor}"), stored(tmp_path / "out.keras")
    for fate in plan.fates:
        np.testing.assert_array_equal(ours[fate.weight], theirs[str(fate.source)])


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("donor", DONORS)
@pytest.mark.parametrize("kind", ["flat", "nested"])
@pytest.mark.parametrize("separable", [False, True], ids=["onto separable", "out of separable"])
def test_that_a_layer_of_another_class_keeps_all_of_its_own(
    separable: bool, kind: str, donor: str, folder: Path, tmp_path: Path
) -> None:
    names = ["plain", "separable"] if separable else ["separable", "plain"]
    plan, matching = transfer(folder, f"{kind}_{names[0]}2.h5", f"{kind}_{names[1]}{donor}")
    stem = "backbone/stem" if kind == "nested" else "stem"
    own = {fate.weight: fate for fate in plan.fates if fate.weight.startswith(stem + "/")}
    assert {fate.fate for fate in own.values()} == {"copied"}
    assert all(shown(matching)[name] == "" for name in own)
    assert matching.given == sum(fate.further for fate in plan.fates) == 6
    if kind == "flat" or not read_model(folder / f"{kind}_{names[1]}{donor}").graph.opaque:
        assert stem in matching.left_over  # a file of weights alone calls what is nested otherwise, or lists it in one
    assert any("classes differ" in one.message and stem in one.layer for one in plan.findings)
    edit = TransferWeights(file=str(folder / f"{kind}_{names[1]}{donor}"))
    assert_verified(engine().apply(recipe(edit), tmp_path / "out.keras", check=True).verification)
    before, after = stored(folder / f"{kind}_{names[0]}2.h5"), stored(tmp_path / "out.keras")
    for name in own:
        np.testing.assert_array_equal(after[name], before[name])


PAIRS = {
    "dense": (keras.layers.EinsumDense("abc,cd->abd", (None, 4), bias_axes="d", name="it"), keras.layers.Dense(4)),
    "turned": (
        keras.layers.Conv1DTranspose(8, 3, padding="same", name="it"),
        keras.layers.Conv1D(8, 3, padding="same"),
    ),
    "wrapped": (keras.layers.TimeDistributed(keras.layers.Dense(4), name="it"), keras.layers.Dense(4)),
}


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("swapped", [False, True])
def test_that_between_classes_arrays_go_by_what_they_mean(pair: str, swapped: bool, tmp_path: Path) -> None:
    configs = [keras.layers.serialize(layer) for layer in PAIRS[pair]]
    configs[1]["config"]["name"] = "it"
    start = keras.Input((6, 8))
    made = []
    for number, config in enumerate(configs[::-1] if swapped else configs):
        made.append(filled(keras.Model(start, keras.layers.deserialize(config)(start)), number))
        made[-1].save(tmp_path / f"{number}.keras")
    plan, matching = transfer(tmp_path, "0.keras", "1.keras")
    assert shown(matching) == {fate.weight: fate.source for fate in plan.fates}
    assert all(fate.further and fate.fate in ("transferred", "adapted") for fate in plan.fates)
    edit = TransferWeights(file=str(tmp_path / "1.keras"))
    assert_verified(engine().apply(recipe(edit), tmp_path / "out.keras", check=True).verification)
    x = np.random.default_rng(0).normal(size=(2, 6, 8)).astype("float32")
    new = keras.saving.load_model(tmp_path / "out.keras", compile=False)
    np.testing.assert_allclose(new(x), made[1](x), atol=1e-5)


def test_that_an_architecture_names_the_file_of_its_weights(folder: Path, tmp_path: Path) -> None:
    weights = folder / "nested_plain.weights.h5"
    plan = engine().set_source(read_model(folder / "nested_plain.json", weights=str(weights)))
    assert {(fate.fate, fate.file, fate.further) for fate in plan.fates} == {("transferred", str(weights), False)}
    written = engine().apply(recipe(), tmp_path / "out.keras", check=True)
    assert written.verification is not None
    assert verification_fields(written.verification).from_files == {str(weights): 8}
    assert {fate.file for fate in plan_fields(plan).fates} == {str(weights)}


def test_that_a_joined_model_is_from_its_file(folder: Path, tmp_path: Path) -> None:
    head = filled(keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="more")]), 5)
    head.save(tmp_path / "head.keras")
    engine().set_source(read_model(folder / "nested_plain2.h5"))
    steps = recipe({"do": "join_models", "file": str(tmp_path / "head.keras")})
    written = engine().apply(steps, tmp_path / "out.keras", check=True)
    found = {fate.weight: (fate.fate, fate.file) for fate in written.plan.fates}
    assert found["more/kernel"] == found["more/bias"] == ("transferred", str(tmp_path / "head.keras"))
    assert found["backbone/stem/kernel"] == ("copied", "")
    assert written.verification is not None
    assert dict(written.verification.from_files) == {str(tmp_path / "head.keras"): 2}


def test_that_arrays_that_were_tampered_with_are_not_proved(folder: Path, tmp_path: Path) -> None:
    donor = folder / "flat_plain.keras"
    engine().set_source(read_model(folder / "flat_plain2.h5"))
    steps = recipe(TransferWeights(file=str(donor)))
    engine().apply(steps, tmp_path / "out.h5", check=False)
    with h5py.File(tmp_path / "out.h5", "r+") as file:
        found: list[Any] = []
        file.visititems(lambda name, item: found.append(item) if name.endswith("kernel") else None)
        found[0][...] = 0
    result = engine().verify(steps, tmp_path / "out.h5")
    assert not result.ok
    assert dict(result.from_files) == {str(donor): 7}


def test_that_an_unrelated_file_is_said_to_be_another_model(folder: Path, tmp_path: Path) -> None:
    other = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, name="a"), keras.layers.Dense(2, name="b")])
    other.save(tmp_path / "other.keras")
    tf_keras.Sequential([tf_keras.layers.Dense(3, input_shape=(5,), name="a")]).save(tmp_path / "other2.h5")
    for source in ("flat_plain.keras", "nested_plain2.h5"):
        engine().set_source(read_model(folder / source))
        for name in ("other.keras", "other2.h5"):
            result = engine().verify(recipe(), tmp_path / name)
            assert result.reason.startswith(f"{name} is another model"), result.reason
    engine().set_source(read_model(folder / "flat_plain.keras"))
    result = engine().verify(recipe(), folder / "flat_plain2.h5")
    assert "none of the planned values" in result.reason
    result = engine().verify(recipe(), folder / "flat_separable.keras")
    assert "2 of the 8 planned weights are missing" in result.reason


def test_that_json_without_other_files_is_what_it_was(folder: Path) -> None:
    import msgspec

    plan = engine().set_source(read_model(folder / "flat_plain.keras"))
    fates = json.loads(msgspec.json.encode(plan_fields(plan)))["fates"]
    assert all(set(one) == {"weight", "fate", "rule", "from", "source_shape", "shape"} for one in fates)
