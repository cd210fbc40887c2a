"""Two hundred damages to files of every format, read in a process of its own: no crash, little time and memory."""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import FileError, SutureError
from core.service.client import Worker
from core.service.messages import OpenModel
from tests.helpers.blockers import ROOT
from tests.integration.test_hostile import ask

POSITIONS = 200
FILES = {
    "Keras 3 archive": "IrtantiCarona-TCN-Stock-Predictor/tcn_model.keras",
    "Keras 2 HDF5": "mlcommons-tiny/vww_96.h5",
    "Keras 1 with a Lambda": "naokishibuya-car-behavioral-cloning/model.h5",
    "siamese with a Lambda": "SiliconLabs-mltk/fingerprint_signature_generator.siamese.h5",
    "old weights": "vlawhern-arl-eegmodels/EEGNet-8-2-weights.h5",
    "architecture": "serengil-tensorflow-101/facenet_model.json",
    "textgenrnn": "minimaxir-textgenrnn/textgenrnn_weights.hdf5",
}


def damaged(data: bytes, generator: random.Random, number: int) -> bytes:
    """The bytes with flipped bits, cut off, or with others in them; often near the front, where the structure is."""
    changed = bytearray(data)
    kind = number % 4
    reach = len(data) if number % 3 else min(len(data), 4096)
    place = generator.randrange(reach)
    if kind == 0:
        return bytes(changed[:place])
    if kind == 1:
        changed[place : place + 8] = generator.randbytes(8)
    else:
        for _ in range(1 if kind == 2 else 24):
            changed[generator.randrange(reach)] ^= 1 << generator.randrange(8)
    return bytes(changed)


@pytest.mark.parametrize("kind", FILES)
def test_that_a_damaged_file_is_a_graph_or_one_sentence(
    kind: str, corpus: Callable[[str], Path], tmp_path: Path
) -> None:
    origin = corpus(FILES[kind])
    data, generator = origin.read_bytes(), random.Random(len(kind))
    path = tmp_path / origin.name
    with subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.damaged_driver"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        for number in range(POSITIONS):
            path.write_bytes(damaged(data, generator, number))
            child.stdin.write(f"{path}\n")
            child.stdin.flush()
            line = child.stdout.readline()
            assert line, (number, child.stderr.read()[-1500:])
            told = json.loads(line)
            assert told["answer"] == "graph" or (told["answer"].endswith(".") and "\n" not in told["answer"])
            assert told["seconds"] < 60
        child.stdin.close()
        assert json.loads(child.stdout.readline())["peak"] < 2 << 30


def test_that_the_reader_process_outlives_damaged_files(samples: Path, tmp_path: Path) -> None:
    data, generator = (samples / "digits_nested.keras").read_bytes(), random.Random(5)
    reader = Worker("reader")
    try:
        for number in range(60):
            path = tmp_path / "model.keras"
            path.write_bytes(damaged(data, generator, number))
            answer = ask(reader, OpenModel(path=str(path)))
            assert not isinstance(answer, SutureError) or isinstance(answer, FileError), answer
        assert reader.alive
    finally:
        reader.stop()
