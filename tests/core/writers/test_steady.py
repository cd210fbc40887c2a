"""HDF5 files on a disk that fills up."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from core.writers.steady import SteadyFile, new_hdf5


def test_that_what_is_written_is_what_h5py_reads(tmp_path: Path) -> None:
    values = np.arange(100_000, dtype=np.float32).reshape(100, 1000)
    with new_hdf5(tmp_path / "a.h5", userblock_size=512) as file:
        file.create_dataset("deep/values", data=values)
        file.attrs["words"] = "some"
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["deep/values"][()], values)
        assert file.attrs["words"] == "some"
        assert file.userblock_size == 512


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_that_a_full_disk_is_an_error_and_not_the_end_of_the_process() -> None:
    def fill() -> None:
        with new_hdf5(Path("/dev/full")) as file:
            for number in range(20):
                file.create_dataset(f"values{number}", data=np.ones(50_000))

    with pytest.raises(OSError, match="No space left"):
        fill()


def test_that_nothing_is_written_after_an_error(tmp_path: Path) -> None:
    class Full:
        written = 0

        def seek(self, _: int) -> None: ...

        def write(self, data: bytes) -> None:
            if self.written:
                raise OSError(28, "No space left on device")
            self.written += len(data)

    steady = SteadyFile(Full())  # type: ignore[arg-type]
    assert [steady.write(b"12345") for _ in range(3)] == [5, 5, 5]
    assert isinstance(steady.error, OSError)
    assert steady.tell() == 15
    assert steady.read(4) == bytes(4)
