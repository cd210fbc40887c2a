"""Results whose ending and content are of different formats: Suture looks at one and Keras would load the other."""

import io
import json
import zipfile
from pathlib import Path

import h5py
import keras
import pytest

from core.analysis.opening import read_model
from core.engine.api import Engine
from core.errors import FileError
from core.readers.formats.raw import refuse_disguise
from core.recipes.recipe import Recipe
from tests.helpers.hostile import Trap


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    """A trusted model with a Lambda of its own, as `.keras` and as Keras writes `.h5`."""
    image = keras.Input((4,), name="in")
    x = keras.layers.Lambda(lambda x: x if x.shape else -x, name="act", output_shape=(4,))(image)
    model = keras.Model(image, keras.layers.Dense(3, name="top")(x), name="whole")
    model.save(tmp_path / "good.keras")
    model.save(tmp_path / "good.h5")
    return Trap(tmp_path, tmp_path / "good.keras")


def _engine(trap: Trap) -> Engine:
    engine = Engine()
    engine.set_source(read_model(trap.good), (), True)
    return engine


def _hostile_h5(trap: Trap, path: Path, userblock: int = 0) -> None:
    """The good `.h5` with another function in its Lambda, behind `userblock` bytes for something else."""
    with h5py.File(trap.folder / "good.h5") as good, h5py.File(path, "w", userblock_size=userblock) as file:
        for name in good:
            good.copy(name, file)
        file.attrs.update(dict(good.attrs))
        config = json.loads(good.attrs["model_config"])
        act = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "Lambda")
        act["config"]["function"] = trap.stored()
        file.attrs["model_config"] = json.dumps(config)


def _both(trap: Trap, path: Path) -> None:
    """An HDF5 file with the hostile function, in front of it and behind it the good model as a zip archive."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, data in trap.members.items():
            archive.writestr(name, data)
    size = 1 << (len(whole.getvalue()) - 1).bit_length()
    _hostile_h5(trap, path, max(size, 512))
    with path.open("r+b") as file:
        file.write(whole.getvalue())


def test_that_the_disguise_would_work_on_keras(trap: Trap) -> None:
    path = trap.folder / "both.h5"
    _both(trap, path)
    assert path.read_bytes().startswith(b"PK")
    model = keras.saving.load_model(path, compile=False, safe_mode=False)
    model(keras.ops.ones((1, 4)))
    assert trap.marker.exists()
    trap.marker.unlink()


@pytest.mark.parametrize("kind", ["both", "renamed archive", "hostile", "folder", "renamed hdf5", "weights"])
def test_that_what_keras_would_load_is_what_is_judged(trap: Trap, kind: str) -> None:
    out = trap.folder / ("out.keras" if kind in ("folder", "renamed hdf5") else "out.h5")
    if kind == "both":
        _both(trap, out)
    elif kind == "renamed archive":
        trap.archive(out)
    elif kind in ("hostile", "renamed hdf5"):
        _hostile_h5(trap, out)
    elif kind == "weights":
        keras.saving.load_model(trap.good, safe_mode=False).save_weights(trap.folder / "w.weights.h5")
        (trap.folder / "w.weights.h5").rename(out)
    else:
        config = json.loads(trap.members["config.json"])
        next(one for one in config["config"]["layers"] if one["class_name"] == "Lambda")["config"]["function"] = (
            trap.stored()
        )
        out.mkdir()
        for name, data in {**trap.members, "config.json": json.dumps(config).encode()}.items():
            (out / name).write_bytes(data)
    try:
        result = _engine(trap).verify(Recipe(), out)
    except FileError as error:
        message = error.message
    else:
        assert not result.ok
        message = result.message
    assert message.endswith(".")
    assert not trap.marker.exists()
    if kind != "hostile":
        assert "extension" in message


def test_that_honest_results_of_every_ending_pass(trap: Trap) -> None:
    engine = _engine(trap)
    for name in ("a.keras", "a.h5", "a.hdf5", "a.weights.h5"):
        written = engine.apply(Recipe(), trap.folder / name)
        assert written.verification is not None
        assert written.verification.ok, (name, written.verification.message)
        refuse_disguise(trap.folder / name)
