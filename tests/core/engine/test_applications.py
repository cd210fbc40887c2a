"""Keras Applications: the table is Keras's own, the built files are Keras's models, refusals are one sentence."""

import inspect
import urllib.request
from pathlib import Path

import keras
import numpy as np
import pytest
from keras.src.utils import file_utils

from core.engine.applications import build_application
from core.errors import FileError
from core.layers.applications import ARCHITECTURES, CLASSES, Architecture

FUNCTIONS = {
    name: thing
    for name, thing in vars(keras.applications).items()
    if inspect.isfunction(thing) and "include_top" in inspect.signature(thing).parameters
}
MINI = 32


def test_that_every_architecture_of_keras_is_in_the_table_once() -> None:
    assert sorted(one.name for one in ARCHITECTURES) == sorted(FUNCTIONS)


@pytest.mark.parametrize("known", ARCHITECTURES, ids=lambda one: one.name)
def test_that_preprocessing_is_offered_where_keras_takes_it(known: Architecture) -> None:
    parameters = inspect.signature(FUNCTIONS[known.name]).parameters
    assert known.preprocessing == ("include_preprocessing" in parameters)
    assert parameters["classes"].default == CLASSES


@pytest.mark.slow
@pytest.mark.parametrize("known", ARCHITECTURES, ids=lambda one: one.name)
def test_that_sizes_and_parameters_are_what_keras_builds(known: Architecture) -> None:
    with keras.StatelessScope():
        model = FUNCTIONS[known.name](weights=None)
    assert model.count_params() == known.params
    assert model.input_shape[1] in (known.size, None)


def test_that_a_built_file_is_the_architecture_that_was_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "mine.keras"
    said: list[str] = []
    path = build_application(
        "MobileNetV3Small",
        out,
        input_shape=(64, 48, 1),
        classes=7,
        preprocessing=False,
        progress=lambda stage, _: said.append(stage),
    )
    model = keras.saving.load_model(path)
    assert model.input_shape == (None, 64, 48, 1)
    assert model.output_shape == (None, 7)
    assert not [layer for layer in model.layers if isinstance(layer, keras.layers.Rescaling)]
    assert said == ["building MobileNetV3Small", "saving"]
    assert [file.name for file in tmp_path.iterdir()] == ["mine.keras"]


def test_that_without_its_top_a_model_gives_feature_maps(tmp_path: Path) -> None:
    path = build_application("MobileNet", tmp_path / "m.keras", input_shape=(MINI, MINI, 3), include_top=False)
    assert keras.saving.load_model(path).output_shape == (None, 1, 1, 1024)


def test_that_weights_come_from_the_person_s_file(tmp_path: Path) -> None:
    model = keras.applications.MobileNet(weights=None, input_shape=(MINI, MINI, 3), include_top=False)
    model.save_weights(tmp_path / "mine.weights.h5")
    path = build_application(
        "MobileNet",
        tmp_path / "m.keras",
        weights=str(tmp_path / "mine.weights.h5"),
        input_shape=(MINI, MINI, 3),
        include_top=False,
    )
    built = keras.saving.load_model(path)
    for mine, theirs in zip(built.weights, model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"input_shape": (8, 8, 3)}, "at least 32x32"),
        ({"weights": "not_there.h5"}, "The weights file not_there.h5 does not exist"),
        ({"weights": "imagenet", "classes": 3}, "1000"),
    ],
)
def test_that_what_keras_refuses_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, arguments: dict[str, object], words: str
) -> None:
    with pytest.raises(FileError) as refused:
        build_application("MobileNetV2", tmp_path / "m.keras", **arguments)  # type: ignore[arg-type]
    assert words in refused.value.message
    assert "\n" not in refused.value.message
    assert list(tmp_path.iterdir()) == []


def test_that_weights_of_another_model_are_refused_by_name(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(FileError, match=r"other\.weights\.h5 does not fit MobileNet"):
        build_application(
            "MobileNet",
            tmp_path / "m.keras",
            weights=str(tmp_path / "other.weights.h5"),
            input_shape=(MINI, MINI, 3),
            include_top=False,
        )
    assert not (tmp_path / "m.keras").exists()


def test_that_without_a_network_imagenet_is_one_sentence_and_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(home))
    monkeypatch.setattr(urllib.request, "_opener", None)
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(FileError, match="could not be downloaded") as refused:
        build_application("MobileNetV2", out / "m.keras", weights="imagenet")
    assert refused.value.message.count(". ") == 0
    assert "Traceback" not in refused.value.message
    assert list(out.iterdir()) == []
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_that_a_folder_that_is_missing_is_said_before_anything_is_built(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="does not exist"):
        build_application("MobileNetV2", tmp_path / "gone" / "m.keras")
