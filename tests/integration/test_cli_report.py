"""`suture report` over a real plan and a real verification."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from tests.core.writers.test_report import read

Run = Callable[..., tuple[int, str, str]]


def test_that_a_report_of_a_written_file_has_its_verification_and_hashes(
    cli: Run, samples: Path, tmp_path: Path, recipe: Callable[..., Path]
) -> None:
    source = samples / "digits_nested.keras"
    steps = recipe({"do": "change_input", "shape": [32, 32, 1], "channels": "sum"})
    out = tmp_path / "gray.keras"
    assert cli("apply", source, steps, "-o", out, "--no-verify")[0] == 0
    code, said, err = cli("report", source, steps, "-o", tmp_path / "r.html", "--result", out)
    assert (code, err) == (0, "")
    assert "wrote" in said
    found = read((tmp_path / "r.html").read_text())
    assert "The file was verified" in found.text
    for path in (source, steps, out):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in found.text
    assert "backbone/conv1/kernel" in found.text
    assert "Sum of the channels" in found.text
    assert [tag for tag, _ in found.elements].count("svg") == 2


def test_that_a_report_of_a_plan_with_errors_tells_them_and_is_written(
    cli: Run, samples: Path, tmp_path: Path, recipe: Callable[..., Path]
) -> None:
    steps = recipe({"do": "change_input", "shape": [64, 64, 3]})
    assert cli("report", samples / "digits_vgg.keras", steps, "-o", tmp_path / "r.md")[0] == 0
    text = (tmp_path / "r.md").read_text()
    assert "has errors, so it cannot be carried out" in text
    assert "| error |" in text
