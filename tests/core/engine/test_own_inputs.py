"""The person's own files as inputs: what is taken, what is said to have been done, what is refused and how."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from core.analysis.opening import read_model
from core.engine.own_inputs import MOST, own_inputs
from core.errors import FileError
from core.model.graph import Graph
from tests.core.engine.drive import opened, recipe, saved

NOISE = np.random.default_rng(3)


@pytest.fixture(scope="module")
def graph_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Graph]:
    """The graph of a model with these inputs, read from a file."""
    folder = tmp_path_factory.mktemp("models")

    def made(**shapes: tuple[int | None, ...]) -> Graph:
        inputs = [keras.Input(shape, name=name) for name, shape in shapes.items()]
        model = keras.Model(inputs, [keras.layers.Activation("relu")(one) for one in inputs])
        return read_model(saved(model, folder, f"{len(list(folder.iterdir()))}.keras")).graph

    return made


def picture(path: Path, height: int, width: int, channels: int = 3) -> Path:
    pixels = NOISE.integers(0, 255, (height, width, channels)).astype(np.uint8)
    path.write_bytes(tf.io.encode_png(pixels).numpy())
    return path


def refusal(paths: list[Path], graph: Graph) -> str:
    with pytest.raises(FileError) as caught:
        own_inputs([str(path) for path in paths], graph)
    assert "\n" not in caught.value.message
    assert caught.value.message.endswith(".")
    return caught.value.message


def test_that_the_shipped_digits_are_taken(samples: Path) -> None:
    graph = read_model(samples / "digits_vgg.keras").graph
    arrays, notes = own_inputs([str(samples / "held_out.npz")], graph)
    assert {name: array.shape for name, array in arrays.items()} == {"image": (MOST, 32, 32, 3)}
    assert notes == (
        "32 samples for image (32\u00d732\u00d73), with values from 0 to 16 as they are.",
        "The array digits of held_out.npz is used.",
        "32 samples were repeated from gray to three channels.",
        "32 samples were resized from 8\u00d78 to 32\u00d732.",
        "Only the first 32 of 360 samples are used.",
    )
    with np.load(samples / "held_out.npz") as data:
        first = np.repeat(data["digits"][0][..., None], 3, axis=-1)
    oracle = tf.image.resize(first, (32, 32), antialias=True).numpy()
    np.testing.assert_array_equal(arrays["image"][0], oracle)


def test_that_a_result_is_verified_on_the_shipped_digits(samples: Path, tmp_path: Path) -> None:
    engine, gray = opened(samples / "digits_vgg.keras"), recipe({"do": "change_input", "shape": [32, 32, 1]})
    engine.apply(gray, tmp_path / "new.keras")
    result = engine.verify(gray, tmp_path / "new.keras", inputs=[str(samples / "held_out.npz")])
    assert result.ok
    assert "32 samples were resized from 8\u00d78 to 32\u00d732." in result.notes
    assert engine.look_at_inputs(gray, [str(samples / "held_out.npz")]) == result.notes


def test_that_a_folder_is_taken_with_what_is_in_it(graph_of: Callable[..., Graph], tmp_path: Path) -> None:
    for name, size in (("cat", 8), ("dog", 12)):
        (tmp_path / name).mkdir()
        picture(tmp_path / name / "one.png", size, size)
    (tmp_path / "notes.txt").write_text("not an image", encoding="utf-8")
    arrays, notes = own_inputs([str(tmp_path)], graph_of(x=(8, 8, 3)))
    assert arrays["x"].shape == (2, 8, 8, 3)
    assert "1 sample was resized from 12\u00d712 to 8\u00d78." in notes
    assert "1 file of another kind was left out." in notes
    empty = tmp_path / "empty"
    empty.mkdir()
    assert refusal([empty], graph_of(x=(8, 8, 3))).startswith("empty contains no images")


@pytest.mark.parametrize(
    ("channels", "shape", "said"),
    [
        (3, (8, 8, 1), "turned from colour to gray"),
        (4, (8, 8, 3), "used without transparency"),
        (1, (8, 8, 3), "repeated from gray to three channels"),
        (3, (8, 8, 4), "made opaque"),
        (1, (3, 8, 8), "repeated from gray to three channels"),
        (3, (8, 8, None), ""),
    ],
)
def test_that_images_get_the_channels_of_the_model(
    channels: int, shape: tuple[int | None, ...], said: str, graph_of: Callable[..., Graph], tmp_path: Path
) -> None:
    path = picture(tmp_path / "one.png", 8, 8, channels)
    arrays, notes = own_inputs([str(path)], graph_of(x=shape))
    assert arrays["x"].shape == (1, *(size or 3 for size in shape))
    assert any(said in note for note in notes)
    pixels = tf.io.decode_png(path.read_bytes()).numpy().astype("float32")
    if channels == 3 and shape[-1] == 1:
        oracle = tf.image.rgb_to_grayscale(pixels).numpy()
        np.testing.assert_allclose(arrays["x"][0], oracle, atol=1e-3)
    if shape[0] == 3:
        np.testing.assert_array_equal(arrays["x"][0], np.repeat(np.moveaxis(pixels, -1, 0), 3, axis=0))


def test_that_images_of_different_sizes_are_brought_together(graph_of: Callable[..., Graph], tmp_path: Path) -> None:
    paths = [picture(tmp_path / f"{size}.png", size, size) for size in (9, 12)]
    arrays, notes = own_inputs([str(path) for path in paths], graph_of(x=(None, None, 3)))
    assert arrays["x"].shape == (2, 9, 9, 3)
    assert "1 sample was resized from 12\u00d712 to 9\u00d79." in notes


def test_that_labels_beside_the_images_are_left_alone(graph_of: Callable[..., Graph], tmp_path: Path) -> None:
    path = write(tmp_path / "data.npz", {"labels": np.eye(4), "pictures": np.zeros((4, 6, 6))})
    arrays, notes = own_inputs([str(path)], graph_of(x=(8, 8, 3)))
    assert arrays["x"].shape == (4, 8, 8, 3)
    assert "The array pictures of data.npz is used." in notes


def write(path: Path, content: Any) -> Path:
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(path, **content)
    else:
        np.save(path, content, allow_pickle=True)
    return path


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("notes.txt", b"some words", "notes.txt is neither an image (PNG, JPEG, BMP, GIF) nor a .npy or .npz file"),
        ("empty.npy", b"", "empty.npy is neither an image"),
        ("cut.npy", b"\x93NUMPY\x01\x00", "cut.npy is not a whole .npy file"),
        ("cut.npz", b"PK\x03\x04 cut", "cut.npz is not a whole .npz file"),
        ("broken.png", b"\x89PNG\r\n\x1a\n broken", "broken.png is damaged"),
        ("odd.npy", np.array([{}], dtype=object), "odd.npy is not a whole .npy file of plain numbers"),
        ("words.npy", np.array(["a", "b"]), "words.npy contains <U1, not real numbers"),
        ("nan.npy", np.full((2, 8, 8, 3), np.nan), "nan.npy contains values that are not finite"),
        ("flat.npy", np.zeros(7), "flat.npy has the shape 7, but the model takes samples of 8\u00d78\u00d73"),
        ("none.npy", np.zeros((0, 8, 8, 3)), "The files contain no samples"),
        ("bad.npz", {"first": np.zeros(7), "second": np.zeros(3)}, "No array of bad.npz fits the input x"),
        ("bad.npz", {"x": np.zeros((2, 9, 9, 7))}, "x in bad.npz has the shape 2\u00d79\u00d79\u00d77"),
        ("nan.npz", {"x": np.full((1, 8, 8, 3), np.inf)}, "x in nan.npz contains values that are not finite"),
        ("two.npz", {"a": np.zeros((1, 8, 8, 3)), "b": np.zeros((1, 8, 8, 3))}, "a, b in two.npz all fit the input"),
    ],
)
def test_that_what_cannot_be_used_is_named_in_a_sentence(
    name: str, content: Any, words: str, graph_of: Callable[..., Graph], tmp_path: Path
) -> None:
    assert words in refusal([write(tmp_path / name, content)], graph_of(x=(8, 8, 3)))


def test_that_an_archive_of_something_else_is_refused(graph_of: Callable[..., Graph], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme", "words")
    assert "other.zip" in refusal([tmp_path / "other.zip"], graph_of(x=(8, 8, 3)))


def test_that_several_inputs_take_an_archive_by_name(graph_of: Callable[..., Graph], tmp_path: Path) -> None:
    graph = graph_of(left=(4,), right=(8, 8, 3))
    path = write(tmp_path / "both.npz", {"left": np.zeros((3, 4)), "right": np.zeros((3, 9, 9, 3))})
    arrays, notes = own_inputs([str(path)], graph)
    assert {name: array.shape for name, array in arrays.items()} == {"left": (3, 4), "right": (3, 8, 8, 3)}
    assert "right: 3 samples were resized from 9\u00d79 to 8\u00d78." in notes
    path = write(tmp_path / "uneven.npz", {"left": np.zeros((3, 4)), "right": np.zeros((2, 8, 8, 3))})
    assert "left has 3, right has 2" in refusal([path], graph)
    path = write(tmp_path / "one.npz", {"left": np.zeros((3, 4))})
    assert "one.npz has no array 'right'; it has left" in refusal([path], graph)
    assert "give one .npz file" in refusal([write(tmp_path / "x.npy", np.zeros((3, 4)))], graph)


def test_that_numbers_that_are_no_image_are_taken_as_they_are(graph_of: Callable[..., Graph], tmp_path: Path) -> None:
    values = NOISE.normal(size=(5, 4)).astype("float32")
    arrays, notes = own_inputs([str(write(tmp_path / "x.npy", values))], graph_of(x=(4,)))
    np.testing.assert_array_equal(arrays["x"], values)
    assert len(notes) == 1
    arrays, _ = own_inputs([str(write(tmp_path / "one.npy", values[0]))], graph_of(x=(4,)))
    np.testing.assert_array_equal(arrays["x"], values[:1])
    paths = [write(tmp_path / "a.npy", np.zeros((1, 5, 2))), write(tmp_path / "b.npy", np.zeros((1, 6, 2)))]
    assert "b.npy has samples of 6\u00d72, but those before are 5\u00d72" in refusal(paths, graph_of(x=(None, 2)))


OWN_STEPS: dict[str, list[Any]] = {
    "nothing": [],
    "gray": [{"do": "change_input", "shape": [12, 12, 1], "channels": "sum"}],
    "bands": [{"do": "change_input", "shape": [12, 12, 5], "channels": "zero_extra"}],
    "size": [{"do": "change_input", "shape": [16, 16, 3]}],
}
OWN = [(source, steps, count) for source in ("residual", "nested") for steps in OWN_STEPS for count in (1, 5)]


@pytest.mark.parametrize(("source", "steps", "count"), [*OWN, ("siamese", "nothing", 5)])
def test_that_any_number_of_own_samples_is_what_the_check_runs_on(
    source: str, steps: str, count: int, models: Callable[[str], Path], tmp_path: Path
) -> None:
    engine, wanted = opened(models(source)), recipe(*OWN_STEPS[steps])
    graph = engine.planned(wanted).plan.graph
    given: dict[str, Any] = {}
    for layer in graph.input_layers():
        shape = layer.config["batch_shape"][1:]
        given[layer.name] = NOISE.uniform(0, 1, (count, *shape)).astype("float32")
    np.savez(tmp_path / "own.npz", **given)
    written = engine.apply(wanted, tmp_path / "new.keras")
    assert written.verification is not None
    result = engine.verify(wanted, tmp_path / "new.keras", inputs=[str(tmp_path / "own.npz")])
    assert result.ok == written.verification.ok, result.reason
    assert [one.holds for one in result.contracts] == [one.holds for one in written.verification.contracts]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Small models in files, each written once."""
    from tests.core.engine.small_models import build

    folder = tmp_path_factory.mktemp("small")
    made: dict[str, Path] = {}

    def model(name: str) -> Path:
        if name not in made:
            made[name] = saved(build(name), folder, f"{name}.keras")
        return made[name]

    return model
