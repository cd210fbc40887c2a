"""Arrays out of files of other Keras versions, onto architectures and models: answers are those of the other model."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras

from core.analysis.opening import read_model
from tests.core.engine.drive import engine, recipe
from tests.helpers.own_classes import filled

HARD = {"recurrent_activation": "hard_sigmoid"}


def body(k: Any, x: Any) -> Any:
    layers = k.layers
    x = layers.Dense(5, activation="hard_sigmoid", name="first")(x)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True, **HARD), name="both")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.MultiHeadAttention(2, 3, name="look")(x, x)
    return layers.GRU(4, return_sequences=True, reset_after=False, name="gates", **HARD)(x)


def model_of(k: Any, nested: bool, seed: int) -> Any:
    start = x = k.Input((4, 4), name="start")
    if nested:
        inside = k.Input((4, 4), name="inside_start")
        x = k.Model(inside, body(k, inside), name="inside")(k.layers.Dense(4, name="before")(x))
    else:
        x = body(k, x)
    return filled(k.Model(start, k.layers.Dense(2, name="last")(x)), seed)


def numbers() -> Any:
    return np.random.default_rng(1).normal(size=(3, 4, 4)).astype("float32")


@pytest.fixture(scope="module", params=[False, True], ids=["flat", "nested"])
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, Any]]:
    """Targets and donors of both versions in one folder, and the answers of each version's donor."""
    folder = tmp_path_factory.mktemp("donors")
    wanted = {}
    for version, k in ((2, tf_keras), (3, keras)):
        target, donor = (model_of(k, request.param, seed) for seed in (0, 1))
        (folder / f"target{version}.json").write_text(target.to_json())
        target.save(folder / f"target{version}.keras")
        wanted[version] = np.asarray(donor(numbers()))
        donor.save(folder / f"model{version}.keras")
        donor.save_weights(folder / ("arrays2.h5" if version == 2 else "arrays3.weights.h5"))
        if version == 2:
            donor.save(folder / "model2.h5")
            donor.save_weights(str(folder / "check" / "point"))
    return folder, wanted


DONORS = [
    ("arrays2.h5", 2), ("model2.h5", 2), ("model2.keras", 2), ("check/point", 2), ("arrays3.weights.h5", 3),
    ("model3.keras", 3),
]  # fmt: skip


def answers(out: Path) -> Any:
    return np.asarray(keras.saving.load_model(out, compile=False)(numbers()))


def close(got: Any, want: Any) -> None:
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max())


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("target", ["target2.json", "target3.keras"])
@pytest.mark.parametrize(("donor", "version"), DONORS)
def test_that_a_transfer_by_name_gives_the_answers_of_the_other_file(
    donor: str, version: int, target: str, files: tuple[Path, dict[int, Any]], tmp_path: Path
) -> None:
    folder, wanted = files
    engine().set_source(read_model(folder / target))
    edit = {"do": "transfer_weights", "file": str(folder / donor)}
    written = engine().apply(recipe(edit), tmp_path / "out.keras", check=False)
    assert {fate.fate for fate in written.plan.fates} == {"transferred"}
    assert not [one for one in written.plan.findings if one.severity == "warning"]
    close(answers(tmp_path / "out.keras"), wanted[version])


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("target", ["target2.json", "target3.json"])
@pytest.mark.parametrize(("donor", "version"), DONORS)
def test_that_an_architecture_opened_with_arrays_of_any_version_is_right(
    donor: str, version: int, target: str, files: tuple[Path, dict[int, Any]], tmp_path: Path
) -> None:
    folder, wanted = files
    engine().set_source(read_model(folder / target, folder / donor))
    engine().apply(recipe(), tmp_path / "out.keras", check=False)
    close(answers(tmp_path / "out.keras"), wanted[version])


@pytest.mark.parametrize("match", ["name", "order", "shape"])
def test_that_a_checkpoint_pairs_whatever_the_order_in_it(match: str, tmp_path: Path) -> None:
    def chain(k: Any) -> Any:
        start = k.Input((8, 8, 4))
        x = k.layers.BatchNormalization(name="norm")(k.layers.Conv2D(4, 3, name="conv")(start))
        return filled(k.Model(start, k.layers.Dense(2, name="last")(k.layers.GlobalAveragePooling2D()(x))), 5)

    old = chain(tf_keras)
    old.save_weights(str(tmp_path / "check" / "point"))
    chain(keras).save(tmp_path / "model.keras")
    engine().set_source(read_model(tmp_path / "model.keras"))
    edit = {"do": "transfer_weights", "file": str(tmp_path / "check" / "point"), "match": match}
    engine().apply(recipe(edit), tmp_path / "out.keras", check=False)
    image = np.random.default_rng(2).normal(size=(2, 8, 8, 4)).astype("float32")
    close(np.asarray(keras.saving.load_model(tmp_path / "out.keras", compile=False)(image)), np.asarray(old(image)))


def keras1_file(path: Path, model: Any) -> None:
    """The arrays of a model as Keras 1 kept them: gates apart, kernels `(filters, channels, rows, columns)`."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            group, arrays = file.create_group(layer.name), layer.get_weights()
            pairs = []
            if layer.name == "conv":
                pairs = [("conv_W", arrays[0].transpose(3, 2, 0, 1)), ("conv_b", arrays[1])]
            elif layer.name in ("gru", "lstm"):
                gates = {"gru": ("z", "r", "h"), "lstm": ("i", "f", "c", "o")}[layer.name]
                size = arrays[1].shape[0]
                cut = {gate: slice(n * size, (n + 1) * size) for n, gate in enumerate(gates)}
                order = gates if layer.name == "gru" else ("i", "c", "f", "o")
                pairs = [
                    (f"{layer.name}_{part}_{gate}", array[..., cut[gate]])
                    for gate in order
                    for part, array in zip("WUb", arrays, strict=True)
                ]
            elif arrays:
                pairs = [(f"{layer.name}_W", arrays[0]), (f"{layer.name}_b", arrays[1])]
            group.attrs["weight_names"] = np.array([name.encode() for name, _ in pairs] or [], "S20")
            for name, array in pairs:
                group[name] = array


@pytest.mark.parametrize("gate", ["sigmoid", "hard_sigmoid"])
@pytest.mark.parametrize("way", ["weights", "transfer"])
def test_that_keras_1_arrays_fit_a_keras_2_architecture(way: str, gate: str, tmp_path: Path) -> None:
    layers = tf_keras.layers
    start = tf_keras.Input((4, 4, 2))
    x = layers.Reshape((4, -1))(layers.Conv2D(3, 3, padding="same", name="conv")(start))
    x = layers.GRU(2, reset_after=False, recurrent_activation=gate, return_sequences=True, name="gru")(x)
    x = layers.LSTM(3, recurrent_activation=gate, name="lstm")(x)
    model = filled(tf_keras.Model(start, layers.Dense(2, name="last")(x)))
    (tmp_path / "model.json").write_text(model.to_json())
    keras1_file(tmp_path / "arrays.h5", model)
    edits = [{"do": "transfer_weights", "file": str(tmp_path / "arrays.h5")}] if way == "transfer" else []
    engine().set_source(read_model(tmp_path / "model.json", None if edits else tmp_path / "arrays.h5"))
    engine().apply(recipe(*edits), tmp_path / "out.keras", check=False)
    image = np.random.default_rng(2).normal(size=(2, 4, 4, 2)).astype("float32")
    close(np.asarray(keras.saving.load_model(tmp_path / "out.keras", compile=False)(image)), np.asarray(model(image)))


def test_that_layers_without_a_match_are_named(tmp_path: Path) -> None:
    start = tf_keras.Input((3,))
    old = tf_keras.Model(start, tf_keras.layers.Dense(2, name="other")(tf_keras.layers.Dense(3, name="same")(start)))
    old.save_weights(tmp_path / "arrays.h5")
    inputs = keras.Input((3,))
    new = keras.Model(inputs, keras.layers.Dense(2, name="mine")(keras.layers.Dense(3, name="same")(inputs)))
    (tmp_path / "model.json").write_text(new.to_json())
    new.save(tmp_path / "model.keras")
    edit = {"do": "transfer_weights", "file": str(tmp_path / "arrays.h5")}
    for name, words in (("model.json", "starts at random values (mine)"), ("model.keras", "keeps its weights (mine)")):
        engine().set_source(read_model(tmp_path / name))
        found = [one.message for one in engine().plan(recipe(edit)).findings if one.code == "weight.unmatched"]
        assert any(words in message for message in found), found
        assert any("other/kernel" in message for message in found), found


def test_that_the_preview_of_a_transfer_counts_what_the_plan_takes(tmp_path: Path) -> None:
    from core.edits import TransferWeights
    from core.engine.matching import aligned

    start = tf_keras.Input((4, 3))
    x = tf_keras.layers.LSTM(4, name="lstm")(tf_keras.layers.Dense(4, name="first")(start))
    old = tf_keras.Model(start, tf_keras.layers.Dense(2, name="last")(x))
    old.save_weights(tmp_path / "arrays.h5")
    (tmp_path / "model.json").write_text(json.dumps(json.loads(old.to_json())))
    engine().set_source(read_model(tmp_path / "model.json"))
    edit = TransferWeights(file=str(tmp_path / "arrays.h5"))
    before, after = engine().plan(recipe()), engine().plan(recipe(edit))
    shown = aligned(before, after, read_model(tmp_path / "arrays.h5"), edit)
    assert shown.paired == 3
    taken = {f"{row.layer}/{row.weight}" for row in shown.rows if row.source}
    assert taken == {fate.weight for fate in after.fates if fate.fate == "transferred"}
