"""The person's own inputs: `.npy`, `.npz` and image files, brought to the shape a model takes. Nothing is unpickled."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from core.errors import FileError
from core.model.graph import Graph, Shape
from core.phrases import sample_words, shape_words
from core.rules.base import Array
from core.surgery.inputs import concrete

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif"})
MOST = 32


def load_inputs(paths: Sequence[str], graph: Graph) -> dict[str, Array]:
    """Arrays by input name. One `.npz` may name several inputs; otherwise files go to the only input, one sample each.

    Images become `(height, width, channels)` floats in 0..255, resized to the model's size; gray or colour as the model
    takes them. Raises `FileError` with one sentence.
    """
    inputs = graph.input_layers()
    if len(paths) == 1 and paths[0].endswith(".npz"):
        return _named(Path(paths[0]), graph)
    if len(inputs) != 1:
        names = ", ".join(layer.name for layer in inputs)
        raise FileError(f"The model has {len(inputs)} inputs ({names}); give one .npz file with an array for each.")
    shape = tuple(inputs[0].config.get("batch_shape") or ())
    samples = [sample for path in paths[:MOST] for sample in _samples(Path(path), shape)]
    return {inputs[0].name: np.stack(samples[:MOST]).astype(_dtype(inputs[0].config))}


def _named(path: Path, graph: Graph) -> dict[str, Array]:
    found = {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError) as error:
        raise FileError(f"{path.name} is not a readable .npz file of plain arrays: {error}.", path=str(path)) from error
    for layer in graph.input_layers():
        if layer.name not in arrays:
            raise FileError(f"{path.name} has no array {layer.name!r}; it has {', '.join(arrays)}.", path=str(path))
        shape = tuple(layer.config.get("batch_shape") or ())
        found[layer.name] = _batch(arrays[layer.name], shape, path).astype(_dtype(layer.config))
    return found


def _samples(path: Path, shape: Shape) -> list[Array]:
    if path.suffix.lower() in IMAGES:
        return [_image(path, shape)]
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise FileError(
            f"{path.name} is neither an image nor a .npy file of plain numbers: {error}.", path=str(path)
        ) from error
    return list(_batch(array, shape, path))


def _batch(array: Array, shape: Shape, path: Path) -> Array:
    """The array with a batch axis, if its sizes are those of the model. Raises `FileError`."""
    batched = array if array.ndim == len(shape) else array[None]
    wanted = shape[1:]
    fits = batched.ndim == len(shape) and all(
        size is None or size == found for size, found in zip(wanted, batched.shape[1:], strict=True)
    )
    if not fits or not np.issubdtype(array.dtype, np.number):
        raise FileError(
            f"{path.name} contains {shape_words(array.shape)} of {array.dtype}, but the model takes "
            f"{shape_words(wanted)}.",
            path=str(path),
        )
    return batched[:MOST]


def _image(path: Path, shape: Shape) -> Array:
    if len(shape) != 4 or shape[-1] not in (None, 1, 3, 4):
        raise FileError(
            f"{path.name} is an image, but the model takes {sample_words(shape)}; give a .npy file.", path=str(path)
        )
    try:
        pixels = tf.io.decode_image(path.read_bytes(), channels=shape[-1] or 3, expand_animations=False)
    except (OSError, tf.errors.InvalidArgumentError) as error:
        raise FileError(f"{path.name} is not an image that can be read.", path=str(path)) from error
    height, width = concrete(shape, 1, (1, pixels.shape[0], pixels.shape[1], 3))[1:3]
    return np.asarray(tf.image.resize(pixels, (height, width), antialias=True), dtype=np.float32)


def _dtype(config: dict[str, object]) -> str:
    dtype = config.get("dtype")
    return dtype if isinstance(dtype, str) and not dtype.startswith("bfloat") else "float32"
