"""Links inside SavedModels and checkpoints: inside the folder they are followed, out of it the model is refused."""

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from core.analysis.opening import read_model
from core.engine.effects import refuse_effects
from core.errors import FileError
from core.readers import open_store

PARTS = ("saved_model.pb", "variables", "variables/variables.index", "variables/variables.data-00000-of-00001",
         "assets", "assets/words.txt", "fingerprint.pb")  # fmt: skip


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A SavedModel with variables and an asset, and an asset folder."""
    words = tmp_path / "words.txt"
    words.write_text("one\ntwo\n")

    class Module(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernel = tf.Variable(np.arange(6, dtype="float32").reshape(2, 3), name="kernel")
            self.words = tf.saved_model.Asset(str(words))

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
        def serve(self, x: Any) -> Any:
            return x @ self.kernel

    folder = tmp_path / "saved"
    tf.saved_model.save(Module(), str(folder))
    return folder


def _moved(folder: Path, part: str, to: Path) -> None:
    place = folder / part
    to.parent.mkdir(exist_ok=True)
    place.rename(to)
    place.symlink_to(to)


@pytest.mark.parametrize("part", PARTS)
def test_that_a_link_out_of_a_saved_model_is_refused(saved: Path, tmp_path: Path, part: str) -> None:
    source = read_model(saved)
    with open_store(source) as store:
        assert store.keys()
    _moved(saved, part, tmp_path / "outside" / Path(part).name)
    ways = (lambda: read_model(saved), lambda: open_store(source), lambda: refuse_effects(saved))
    for way in ways:
        with pytest.raises(FileError, match="link to a place outside"):
            way()


def test_that_a_saved_model_behind_a_link_is_opened(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").symlink_to(saved)
    assert read_model(tmp_path / "elsewhere").graph.layers


def test_that_links_inside_the_folder_are_followed(saved: Path) -> None:
    _moved(saved, "variables/variables.data-00000-of-00001", saved / "variables" / "kept")
    with open_store(read_model(saved)) as store:
        keys = store.keys()
        assert any(store.read(key).shape == (2, 3) for key in keys)


def test_that_a_link_to_itself_is_told(saved: Path) -> None:
    os.remove(saved / "variables" / "variables.index")
    (saved / "variables" / "variables.index").symlink_to(saved / "variables" / "variables.index")
    with pytest.raises(FileError):
        read_model(saved)


@pytest.mark.parametrize("ending", [".index", ".data-00000-of-00001"])
@pytest.mark.parametrize("given", ["prefix", "folder"])
def test_that_a_link_out_of_a_checkpoint_is_refused(tmp_path: Path, ending: str, given: str) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    prefix = folder / "model"
    tf.train.Checkpoint(kernel=tf.Variable([1.0, 2.0])).write(str(prefix))
    path = folder if given == "folder" else Path(f"{prefix}.index")
    source = read_model(path)
    _moved(folder, f"model{ending}", tmp_path / "outside" / f"model{ending}")
    for way in (lambda: read_model(path), lambda: open_store(source)):
        with pytest.raises(FileError, match="link to a place outside"):
            way()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    (tmp_path / "model.json").write_text(model.to_json())
    with pytest.raises(FileError, match="link to a place outside"):
        read_model(tmp_path / "model.json", path)
