"""The person's own inputs: `.npy`, `.npz` and image files, brought to the shape a model takes. Nothing is unpickled.

Files are known by what is in them, not by their names. Whatever is done to an array so that it fits is said.
"""

import os
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from core.errors import FileError
from core.model.graph import Graph, Layer, Shape
from core.phrases import sample_words, shape_words
from core.rules.base import Array
from core.surgery.inputs import concrete

NUMPY, ZIP = b"\x93NUMPY", b"PK\x03\x04"
IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM")
MOST = 32
"""Samples that are used."""
MOST_FILES = 10_000
"""Files of a folder that are looked at."""
CHANNELS = (1, 3, 4)
"""What an image may have."""


class OwnInputs(NamedTuple):
    """Arrays by input name, and what was done to them, a sentence each; the first says what there is."""

    arrays: dict[str, Array]
    notes: tuple[str, ...]


class _Target(NamedTuple):
    """What an input takes: its shape, and the axis of its channels where it may take images."""

    name: str
    shape: Shape
    channels: int | None

    @property
    def sizes(self) -> tuple[int, int]:
        """The axes of height and width of an image."""
        return (1, 2) if self.channels == 3 else (2, 3)


def load_inputs(paths: Sequence[str], graph: Graph) -> dict[str, Array]:
    """`own_inputs` without the notes."""
    return own_inputs(paths, graph).arrays


def own_inputs(paths: Sequence[str], graph: Graph) -> OwnInputs:
    """What the files and folders hold, as the model takes it.

    One `.npz` may name several inputs; otherwise files go to the only input. Images become floats in 0..255; for an
    input that takes images, sizes and the number of channels are brought to the model's. Raises `FileError`.
    """
    inputs = graph.input_layers()
    files, left_out = _files(paths)
    if len(inputs) == 1:
        return _single(files, left_out, _target(inputs[0]), inputs[0])
    if len(files) != 1 or _kind(files[0]) is not ZIP:
        names = ", ".join(layer.name for layer in inputs)
        raise FileError(f"The model has {len(inputs)} inputs ({names}); give one .npz file with an array for each.")
    return _several(files[0], inputs)


def _target(layer: Layer) -> _Target:
    shape = tuple(layer.config.get("batch_shape") or ())
    if len(shape) != 4:
        return _Target(layer.name, shape, None)
    if shape[3] is None or shape[3] in CHANNELS:
        return _Target(layer.name, shape, 3)
    return _Target(layer.name, shape, 1 if shape[1] in CHANNELS else None)


def _files(paths: Sequence[str]) -> tuple[list[Path], int]:
    """The files that are named or lie in a folder that is, and how many of the folder's are something else."""
    found: list[Path] = []
    strange = 0
    for path in map(Path, paths):
        if not path.is_dir():
            found.append(path)
            continue
        inside = [Path(folder, name) for folder, _, names in os.walk(path) for name in names if name[0] != "."]
        good = [one for one in sorted(islice(inside, MOST_FILES)) if _kind(one) is not None]
        strange += len(inside) - len(good)
        if not good:
            raise FileError(f"{path.name} contains no images and no .npy or .npz files.", path=str(path))
        found += good
    return found, strange


def _kind(path: Path) -> bytes | None:
    """What a file is by its first bytes; `None` for a file of another kind. Raises `FileError`."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise FileError(f"{path.name} cannot be read ({error.strerror}).", path=str(path)) from error
    return next((kind for kind in (NUMPY, ZIP, *IMAGES) if start.startswith(kind)), None)


def _single(files: list[Path], left_out: int, target: _Target, layer: Layer) -> OwnInputs:
    notes: list[str] = []
    found: list[Array] = []
    count = 0
    done: Counter[str] = Counter()
    for path in files:
        if len(found) >= MOST:
            count += 1
            continue
        samples, total = _samples(path, target, notes)
        like = found[0].shape if found else None
        found += [_fitted(one, path, target, like, done) for one in samples[: MOST - len(found)]]
        count += total
    if not found:
        raise FileError("The files contain no samples; choose others.")
    notes += [_were(number, what) for what, number in done.items()]
    if count > len(found):
        notes.append(f"Only the first {len(found)} of {count:,} samples are used.")
    if left_out:
        one = left_out == 1
        notes.append("1 file of another kind was left out." if one else f"{left_out:,} other files were left out.")
    array = np.stack(found).astype(_dtype(layer.config))
    shape = shape_words(array.shape[1:])
    low, high = (f"{value:g}" for value in (array.min(initial=0), array.max(initial=0)))
    said = f"{_many(len(found))} for {target.name} ({shape}), with values from {low} to {high} as they are."
    return OwnInputs({target.name: array}, (said, *notes))


def _were(count: int, done: str) -> str:
    return f"{_many(count)} {'was' if count == 1 else 'were'} {done}."


def _many(count: int) -> str:
    return "1 sample" if count == 1 else f"{count:,} samples"


def _samples(path: Path, target: _Target, notes: list[str]) -> tuple[list[Array], int]:
    """Samples of a file, and how many it has. Raises `FileError`."""
    kind = _kind(path)
    if kind is NUMPY:
        batch = _batch(_numbers(_read(path), path.name, path), target, path.name, path)
        return _finite(batch, path.name, path), len(batch)
    if kind is ZIP:
        name, array = _chosen(_archive(path), target, path)
        notes.append(f"The array {name} of {path.name} is used.")
        what = f"{name} in {path.name}"
        batch = _batch(array, target, what, path)
        return _finite(batch, what, path), len(batch)
    if kind is None:
        raise FileError(
            f"{path.name} is neither an image (PNG, JPEG, BMP, GIF) nor a .npy or .npz file.", path=str(path)
        )
    return [_image(path, target)], 1


def _several(path: Path, inputs: Sequence[Layer]) -> OwnInputs:
    arrays, found, notes = _archive(path), {}, []
    for layer in inputs:
        target = _target(layer)
        if target.name not in arrays:
            raise FileError(f"{path.name} has no array {target.name!r}; it has {', '.join(arrays)}.", path=str(path))
        what = f"{target.name} in {path.name}"
        done: Counter[str] = Counter()
        batch = _batch(_numbers(arrays[target.name], what, path), target, what, path)
        fitted: list[Array] = []
        for one in _finite(batch, what, path):
            fitted.append(_fitted(one, path, target, fitted[0].shape if fitted else None, done))
        if not fitted:
            raise FileError(f"{what} contains no samples.", path=str(path))
        found[target.name] = np.stack(fitted).astype(_dtype(layer.config))
        notes.append(f"{_many(len(batch))} for {target.name} ({shape_words(found[target.name].shape[1:])}).")
        notes += [f"{target.name}: {_were(number, words)}" for words, number in done.items()]
    counts = {name: len(array) for name, array in found.items()}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise FileError(f"The arrays of {path.name} have different numbers of samples: {said}.", path=str(path))
    return OwnInputs(found, tuple(notes))


def _read(path: Path) -> Array:
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise FileError(
            f"{path.name} is not a whole .npy file of plain numbers; save it again with numpy.save.", path=str(path)
        ) from error


def _archive(path: Path) -> dict[str, Array]:
    try:
        # opened here, since NumPy leaves a file open that turns out to be none of its own
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, NotImplementedError) as error:
        raise FileError(
            f"{path.name} is not a whole .npz file of plain numbers; save it again with numpy.savez.", path=str(path)
        ) from error
    if not arrays or not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise FileError(f"{path.name} is a ZIP file without arrays; choose a .npz file.", path=str(path))
    return arrays


def _chosen(arrays: Mapping[str, Array], target: _Target, path: Path) -> tuple[str, Array]:
    """The array for the only input: the one of its name, else the only one that fits. Raises `FileError`."""
    if target.name in arrays:
        return target.name, _numbers(arrays[target.name], f"{target.name} in {path.name}", path)
    wrong: dict[str, FileError] = {}
    fit: dict[str, Array] = {}
    for name, array in arrays.items():
        what = f"{name} in {path.name}"
        try:
            numbers = _numbers(array, what, path)
            _batch(numbers, target, what, path)
            fit[name] = numbers
        except FileError as error:
            wrong[name] = error
    exact = [name for name, array in fit.items() if _admits(target.shape, array.shape)]
    most = max((array.ndim for array in fit.values()), default=0)  # labels fit as well, as one gray image
    names = exact or [name for name, array in fit.items() if array.ndim == most]
    if len(names) == 1:
        return names[0], fit[names[0]]
    if names:
        raise FileError(
            f"{', '.join(names)} in {path.name} all fit the input; name the one to use {target.name!r}.", path=str(path)
        )
    if len(wrong) == 1:
        raise next(iter(wrong.values()))
    has = ", ".join(f"{name} {shape_words(array.shape)}" for name, array in arrays.items())
    raise FileError(
        f"No array of {path.name} fits the input {target.name} ({sample_words(target.shape)}); it has {has}.",
        path=str(path),
    )


def _admits(shape: Shape, found: tuple[int, ...]) -> bool:
    """Whether an array is a batch of what an input takes."""
    sizes = zip(shape[1:], found[1:], strict=False)
    return len(shape) == len(found) and all(size is None or size == other for size, other in sizes)


def _numbers(array: Array, what: str, path: Path) -> Array:
    """The array if it holds real numbers. Raises `FileError`."""
    if array.dtype.kind not in "biuf":
        raise FileError(f"{what} contains {array.dtype}, not real numbers.", path=str(path))
    return array


def _finite(batch: Array, what: str, path: Path) -> list[Array]:
    """The samples that are used. Raises `FileError` if they hold values that no model computes with."""
    used = batch[:MOST]
    if used.dtype.kind == "f" and not np.all(np.isfinite(used)):
        raise FileError(f"{what} contains values that are not finite (NaN or infinity).", path=str(path))
    return list(used)


def _batch(array: Array, target: _Target, what: str, path: Path) -> Array:
    """The array with a batch axis; images have height, width and channels in the order of the model.

    Raises `FileError` if it is nothing that the input takes.
    """
    shape = target.shape
    if _admits(shape, array.shape):
        return array
    if _admits(shape, (1, *array.shape)):
        return array[None]
    if target.channels is not None:
        if array.ndim == 2:
            array = array[None]  # one gray image
        if array.ndim == 3:
            one = array.shape[2 if target.channels == 3 else 0] in CHANNELS
            array = array[None] if one else np.expand_dims(array, target.channels)
        if array.ndim == 4 and _takes(shape[target.channels], array.shape[target.channels]):
            return array
    raise FileError(
        f"{what} has the shape {shape_words(array.shape)}, but the model takes samples of {sample_words(shape)}.",
        path=str(path),
    )


def _takes(wanted: int | None, found: int) -> bool:
    """Whether images with so many channels can be brought to the wanted number."""
    return wanted is None or wanted == found or (wanted in CHANNELS and found in CHANNELS)


def _image(path: Path, target: _Target) -> Array:
    """An image as an array in the order of the model. Raises `FileError`."""
    if target.channels is None:
        raise FileError(
            f"{path.name} is an image, but the model takes {sample_words(target.shape)}; give a .npy file.",
            path=str(path),
        )
    try:
        pixels = tf.io.decode_image(path.read_bytes(), expand_animations=False).numpy()
    except (OSError, tf.errors.OpError, ValueError) as error:
        raise FileError(f"{path.name} is damaged, so it cannot be read as an image.", path=str(path)) from error
    return np.asarray(pixels if target.channels == 3 else np.moveaxis(pixels, -1, 0))


def _fitted(sample: Array, path: Path, target: _Target, like: tuple[int, ...] | None, done: Counter[str]) -> Array:
    """A sample with the sizes of the model, or where these are open, those of the sample before it."""
    axis = target.channels
    if axis is None:
        if like is not None and sample.shape != like:
            raise FileError(
                f"{path.name} has samples of {shape_words(sample.shape)}, but those before are {shape_words(like)}.",
                path=str(path),
            )
        return sample
    image = sample if axis == 3 else np.moveaxis(sample, 0, -1)
    wanted = concrete(target.shape, 1, (1, *(like or sample.shape)))
    height, width = (wanted[one] for one in target.sizes)
    image = _recoloured(image, wanted[axis], done)
    if image.shape[:2] != (height, width):
        done[f"resized from {shape_words(image.shape[:2])} to {shape_words((height, width))}"] += 1
        image = np.asarray(tf.image.resize(image, (height, width), antialias=True))
    return image if axis == 3 else np.moveaxis(image, -1, 0)


def _recoloured(image: Array, wanted: int, done: Counter[str]) -> Array:
    """An image with the wanted number of channels: transparency goes first, then colour."""
    found = image.shape[-1]
    if found == wanted:
        return image
    if found == 4:
        done["used without transparency"] += 1
        image = image[..., :3]
    if wanted == 1 and image.shape[-1] == 3:
        done["turned from colour to gray"] += 1
        return np.asarray(image.astype(np.float32) @ np.array(LUMINANCE, np.float32))[..., None]
    if image.shape[-1] == 1 and wanted >= 3:
        done["repeated from gray to three channels"] += 1
        image = np.repeat(image, 3, axis=-1)
    if wanted == 4:
        done["made opaque"] += 1
        image = np.concatenate([image, np.full_like(image[..., :1], _opaque(image))], axis=-1)
    return image


LUMINANCE = (0.2989, 0.587, 0.114)
"""What red, green and blue count for in gray, as TensorFlow and most programs have it (ITU-R BT.601)."""


def _opaque(image: Array) -> Any:
    return 255 if image.dtype.kind in "iu" or image.max(initial=0) > 1 else 1


def _dtype(config: Mapping[str, object]) -> str:
    dtype = config.get("dtype")
    return dtype if isinstance(dtype, str) and not dtype.startswith("bfloat") else "float32"
