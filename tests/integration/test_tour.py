"""The tour, whole: the real window in a process of its own, drawn offscreen."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage

from tests.helpers.blockers import ROOT


@pytest.fixture(scope="module")
def toured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tour") / "deep" / "folder"
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(
        [sys.executable, "main.py", "tour", str(folder)],
        cwd=ROOT,
        env={**environment, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return folder


def test_that_every_stop_leaves_a_picture_in_light_and_dark(toured: Path) -> None:
    stops: dict[str, dict[str, QImage]] = {}
    for path in toured.glob("*.png"):
        number, name, theme = path.stem.split("-")
        stops.setdefault(f"{number}-{name}", {})[theme] = QImage(str(path))
    assert [stop[3:] for stop in sorted(stops)] == [
        "welcome", "opened", "gray", "verified", "stem", "freeze", "difference", "mismatch", "fixed", "nested",
        "coloured", "found",
    ]  # fmt: skip
    for name, pictures in stops.items():
        assert set(pictures) == {"light", "dark"}, name
        for picture in pictures.values():
            assert (picture.width(), picture.height()) == (1440, 900)
        corner = {theme: picture.pixelColor(2, 2).lightness() for theme, picture in pictures.items()}
        if name != "04-verified":  # there the window lies in the shade of the sheet
            assert corner["light"] > 200 > 60 > corner["dark"]


@pytest.mark.parametrize(
    ("folder", "size", "names"),
    [
        ("1024x700", (1024, 700), ["welcome", "opened", "mismatch", "nested"]),
        ("2x", (2880, 1800), ["welcome", "opened", "mismatch", "nested"]),
    ],
)
def test_that_key_scenes_are_taken_in_a_small_window_and_at_scale_two(
    toured: Path, folder: str, size: tuple[int, int], names: list[str]
) -> None:
    pictures = sorted((toured / folder).glob("*.png"))
    assert [path.stem.partition("-")[2] for path in pictures] == [
        f"{name}-{theme}" for name in names for theme in ("dark", "light")
    ]
    assert {QImage(str(path)).size().toTuple() for path in pictures} == {size}


def test_that_no_two_stops_show_the_same(toured: Path) -> None:
    pictures = [path.read_bytes() for path in toured.rglob("*.png")]
    assert len(set(pictures)) == len(pictures)


def test_that_the_exported_model_is_what_the_tour_says(toured: Path, samples: Path) -> None:
    import keras

    old = keras.saving.load_model(samples / "digits_residual.keras")
    new = keras.saving.load_model(toured / "adapted.keras")
    assert new.input_shape == (None, 32, 32, 1)
    assert tuple(new.get_layer("stem_conv").kernel.shape) == (5, 5, 1, 24)
    trained = [layer.name for layer in new.layers if layer.weights and layer.trainable]
    assert trained == ["digit"]
    np.testing.assert_array_equal(new.get_layer("digit").kernel, old.get_layer("digit").kernel)


def test_that_summing_keeps_the_accuracy_and_starting_anew_does_not(toured: Path) -> None:
    shares = json.loads((toured / "accuracy.json").read_text())
    trained = shares["residual, as trained, on colour images"]
    assert trained > 0.97
    assert shares["residual, gray by sum"] > trained - 0.01
    assert shares["residual, gray by sum, 24 filters of 5x5 and BatchNormalization"] == shares["residual, gray by sum"]
    assert shares["residual, gray, first convolution initialized anew"] < 0.5
    assert shares["vgg, at 48x48 with the one-click fix"] > 0.9


def test_that_a_folder_that_cannot_be_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = subprocess.run(
        [sys.executable, "main.py", "tour", str(tmp_path / "file" / "tour")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
