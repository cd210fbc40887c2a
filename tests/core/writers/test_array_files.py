"""Arrays in files of their own, read back by NumPy and by the safetensors layout as its specification has it."""

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from core.errors import FileError
from core.writers.array_choice import chosen
from core.writers.array_files import NamedArray, SavedArrays, save_arrays

KINDS = (
    "float32", "float64", "float16", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "bool",
)  # fmt: skip
TYPES = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16, "I8": np.int8, "U8": np.uint8,
    "I16": np.int16, "U16": np.uint16, "I32": np.int32, "U32": np.uint32, "I64": np.int64, "BOOL": np.bool_,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
}  # fmt: skip


def named(**arrays: Any) -> list[NamedArray]:
    return [NamedArray(name.replace("__", "/"), one.copy, one.shape, one.dtype.name) for name, one in arrays.items()]


def save(out: Path, arrays: Sequence[NamedArray]) -> SavedArrays:
    return save_arrays(out, arrays, lambda stage, fraction: None)


def read_safetensors(path: Path) -> dict[str, Any]:
    """A reader after the specification: size, header, numbers without a hole."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    assert data[8:9] == b"{"
    numbers = data[8 + size :]
    header.pop("__metadata__")
    end = 0
    found = {}
    for name, entry in header.items():
        begin, stop = entry["data_offsets"]
        assert begin == end
        end = stop
        found[name] = np.frombuffer(numbers[begin:stop], TYPES[entry["dtype"]]).reshape(entry["shape"])
    assert end == len(numbers)
    return found


def some(kind: str) -> Any:
    values = np.random.default_rng(3).normal(0, 40, (3, 4, 5))
    return (values > 0) if kind == "bool" else values.astype(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_that_every_number_type_comes_back_bit_for_bit(kind: str, tmp_path: Path) -> None:
    array = some(kind)
    for ending in (".npy", ".npz", ".safetensors"):
        save(tmp_path / f"one{ending}", named(block__conv__kernel=array))
    name = "block/conv/kernel"
    found = [
        np.load(tmp_path / "one.npy"), np.load(tmp_path / "one.npz")[name],
        read_safetensors(tmp_path / "one.safetensors")[name],
    ]  # fmt: skip
    for one in found:
        assert one.dtype == array.dtype
        np.testing.assert_array_equal(one, array)


def test_that_bfloat16_stays_itself_in_safetensors_and_is_widened_for_numpy_with_a_word(tmp_path: Path) -> None:
    array = some("float32").astype(ml_dtypes.bfloat16)
    save(tmp_path / "a.safetensors", named(dense__kernel=array))
    stored = read_safetensors(tmp_path / "a.safetensors")["dense/kernel"]
    assert stored.dtype == array.dtype
    assert stored.tobytes() == array.tobytes()
    for ending in (".npy", ".npz"):
        saved = save(tmp_path / f"a{ending}", named(dense__kernel=array))
        loaded = np.load(tmp_path / f"a{ending}")
        widened = loaded if ending == ".npy" else loaded["dense/kernel"]
        assert widened.dtype == np.float32
        np.testing.assert_array_equal(widened, array.astype(np.float32))
        assert saved.notes == ("NumPy has no bfloat16, so it is saved as float32, which holds the same values.",)


def test_that_float8_goes_to_safetensors_as_it_is(tmp_path: Path) -> None:
    array = np.array([0.5, -2, 448], ml_dtypes.float8_e4m3fn)
    save(tmp_path / "a.safetensors", named(dense__kernel=array))
    assert read_safetensors(tmp_path / "a.safetensors")["dense/kernel"].tobytes() == array.tobytes()


def test_that_many_arrays_scalars_and_empty_ones_lie_without_a_hole(tmp_path: Path) -> None:
    arrays = {"a__x": some("float32"), "a__seed": np.array([7, 9], np.uint32), "b__step": np.array(3, np.int64)}
    arrays |= {"b__none": np.zeros((0, 4), np.float32), "\u00e9__last": some("int8"), "c__big": some(">f4")}
    save(tmp_path / "all.safetensors", named(**arrays))
    save(tmp_path / "all.npz", named(**arrays))
    stored, packed = read_safetensors(tmp_path / "all.safetensors"), np.load(tmp_path / "all.npz")
    for name, array in arrays.items():
        for one in (stored[name.replace("__", "/")], packed[name.replace("__", "/")]):
            np.testing.assert_array_equal(one, array)


def test_that_an_empty_array_alone_leaves_a_whole_header(tmp_path: Path) -> None:
    save(tmp_path / "none.safetensors", named(a__none=np.zeros((2, 0), np.float32)))
    assert read_safetensors(tmp_path / "none.safetensors")["a/none"].shape == (2, 0)


def test_that_csv_gives_every_number_back_in_rows_of_the_last_axis(tmp_path: Path) -> None:
    for kind in ("float32", "float64", "float16", "int8"):
        array = some(kind)
        saved = save(tmp_path / "k.csv", named(conv__kernel=array))
        read = np.loadtxt(tmp_path / "k.csv", delimiter=",").astype(kind)
        np.testing.assert_array_equal(read.reshape(array.shape), array)
        assert "reshape to (3, 4, 5)" in saved.notes[0]
    save(tmp_path / "b.csv", named(conv__bias=np.array([0.1, np.nan, -np.inf], np.float32)))
    assert (tmp_path / "b.csv").read_text() == "0.100000001\nnan\n-inf\n"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x.npy", "2 arrays were chosen, and an .npy file holds one"),
        ("x.csv", "2 arrays were chosen, and a .csv file holds one"),
        ("x.txt", "x.txt has no known extension for arrays"),
    ],
)
def test_that_what_a_format_cannot_hold_is_refused_and_nothing_is_left(name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=words):
        save(tmp_path / name, named(a=some("int8"), b=some("int8")))
    assert list(tmp_path.iterdir()) == []


def test_that_a_reading_that_fails_leaves_the_older_file_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "all.safetensors"
    out.write_text("older")

    def broken() -> Any:
        raise FileError("The array is damaged.")

    with pytest.raises(FileError):
        save(out, [*named(a=some("float32")), NamedArray("b", broken, (3,), "float32")])
    assert [one.name for one in tmp_path.iterdir()] == ["all.safetensors"]
    assert out.read_text() == "older"


def test_that_arrays_of_one_name_are_told_apart(tmp_path: Path) -> None:
    save(tmp_path / "two.npz", [*named(a=some("int8")), *named(a=some("float32"))])
    assert sorted(np.load(tmp_path / "two.npz")) == ["a", "a#2"]


def test_that_one_array_at_a_time_is_held(tmp_path: Path) -> None:
    """The largest array decides the memory, not the model."""
    import tracemalloc

    size = 1 << 20
    arrays = [NamedArray(f"a{n}", lambda: np.ones(size, np.float32), (size,), "float32") for n in range(8)]
    for ending in (".npz", ".safetensors"):
        tracemalloc.start()
        save(tmp_path / f"all{ending}", arrays)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 3 * 4 * size


NAMES = ["stem/kernel", "stem/bias", "body/conv1/kernel", "body/conv10/kernel", "odd[1]/kernel"]


@pytest.mark.parametrize(
    ("patterns", "count"),
    [((), 5), (("stem",), 2), (("stem/bias",), 1), (("body",), 2), (("body/conv1",), 1), (("*/conv1*",), 2),
     (("odd[1]",), 1), (("*/kernel",), 4), (("stem/bias", "body/conv1"), 2)],
)  # fmt: skip
def test_that_a_pattern_means_an_array_a_layer_or_all_that_it_matches(patterns: tuple[str, ...], count: int) -> None:
    assert len(chosen(NAMES, patterns)) == count


def test_that_a_pattern_that_means_nothing_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(FileError, match="did you mean 'body/conv1'"):
        chosen(NAMES, ["body/conv2"])
