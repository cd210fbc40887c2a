"""The reader process on real files."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.analysis.opening import read_model
from core.analysis.preview import WeightPreview
from core.errors import FileError
from core.readers import open_store
from core.readers.source import Source
from core.service.client import Worker
from core.service.messages import OpenModel, PreviewWeight


@pytest.fixture(scope="module")
def reader() -> Iterator[Worker]:
    worker = Worker("reader")
    yield worker
    worker.stop()


def ask(worker: Worker, body: Any) -> Any:
    """The value, or the error raised."""
    number, end = worker.send(body), time.monotonic() + 60
    while time.monotonic() < end:
        for reply in worker.poll():
            if reply.id == number and reply.done:
                if reply.error is not None:
                    raise reply.error
                return reply.value
        time.sleep(0.002)
    raise TimeoutError


def test_that_a_model_crosses_the_process_border_whole(reader: Worker, samples: Path) -> None:
    path = samples / "digits_nested.keras"
    source = ask(reader, OpenModel(path=str(path)))
    assert isinstance(source, Source)
    assert source == read_model(path)


def test_that_a_preview_tells_of_the_very_array(reader: Worker, samples: Path) -> None:
    source = read_model(samples / "digits_vgg.keras")
    (weight,) = [one for one in source.graph.find("fc1").weights if one.name == "kernel"]
    assert weight.source is not None
    with open_store(source) as store:
        array = store.read(weight.source.key)
    answer = ask(reader, PreviewWeight(path=source.path, key=weight.source.key, weight="fc1/kernel"))
    assert isinstance(answer, WeightPreview)
    assert answer.shape == array.shape
    assert answer.mean == pytest.approx(float(array.mean(dtype=np.float64)))
    assert int(np.sum(answer.counts)) == array.size


def test_that_a_file_that_changes_or_goes_is_noticed(reader: Worker, samples: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    for name in ("digits_vgg", "digits_residual"):
        shutil.copy(samples / f"{name}.keras", path)
        source = read_model(path)
        first = next(layer for _, layer in source.graph.walk() if layer.weights)
        key = first.weights[0].source
        assert key is not None
        answer = ask(reader, PreviewWeight(path=str(path), key=key.key, weight="first"))
        assert answer.shape == first.weights[0].shape
    path.unlink()
    with pytest.raises(FileError, match="can no longer be read"):
        ask(reader, PreviewWeight(path=str(path), key="any", weight="first"))


def test_that_a_refused_file_is_a_sentence_and_the_reader_lives_on(reader: Worker, tmp_path: Path) -> None:
    path = tmp_path / "empty.keras"
    path.touch()
    with pytest.raises(FileError, match="empty"):
        ask(reader, OpenModel(path=str(path)))
    assert reader.alive
