"""The command line on public files: described without Keras, adapted where that is promised."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import corpus as corpus_files
from tests.helpers.blockers import run_blocked

Run = Callable[..., tuple[int, str, str]]
ADAPTED = (
    "oarriaga-face_classification/fer2013_mini_XCEPTION.102-0.66.hdf5",
    "mlcommons-tiny/pretrainedResnet.h5",
    "SiliconLabs-mltk/image_example1.h5",
)


def test_that_every_public_file_is_described_without_tensorflow() -> None:
    names = corpus_files.names(".keras", ".h5", ".hdf5", ".json")
    if not names:
        pytest.skip("the collection of public models is not here")
    paths = [str(corpus_files.path(name)) for name in names]
    program = (
        "import main\n"
        f"codes = {{path: main.main(['inspect', path, '--json']) for path in {paths!r}}}\n"
        "raise SystemExit(str({path: code for path, code in codes.items() if code}) if any(codes.values()) else 0)\n"
    )
    done = run_blocked(program, {"tensorflow", "keras", "tf_keras", "PySide6"})
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ADAPTED)
def test_that_a_public_model_takes_another_size_and_keeps_its_contracts(
    name: str, channels: int, cli: Run, recipe: Callable[..., Path], corpus: Callable[[str], Path], tmp_path: Path
) -> None:
    source = corpus(name)
    edits: tuple[dict[str, Any], ...] = ({"do": "change_input", "shape": [96, 96, channels]},)
    for _ in range(3):
        code, out, _err = cli("plan", source, recipe(*edits), "--json")
        answer = json.loads(out)
        errors = [one for one in answer["findings"] if one["severity"] == "error"]
        if not errors:
            break
        # Dense after Flatten: the first fix offered settles it
        assert errors[0]["fixes"], errors[0]
        edits = (*edits, *errors[0]["fixes"][0]["edits"])
    assert code == 0, answer["findings"]
    code, out, err = cli("apply", source, recipe(*edits), "-o", tmp_path / "out.keras", "--verify", "--json")
    assert (code, err) == (0, "")
    verification = json.loads(out)["verification"]
    assert all(verification[key] for key in ("reloaded", "forward", "copied_equal"))
