"""The matrix of changes on `keras.applications` (see `tests.integration.matrix`), and the table that comes of it."""

import datetime
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import pytest

from tests.integration.matrix import ARCHITECTURES, CELLS, Outcome, Subject, subjects

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "resources" / "help" / "matrix.md"
SIBLINGS = ("size 299", "channels 4", "kernel 7", "head max", "adapter resize")
"""Cells that go the way of another quick one; at its full size the same architecture is asked for each."""
QUICK: list[tuple[str, dict[str, Any], list[str]]] = [
    ("MobileNetV2", {"alpha": 0.35, "input_shape": (96, 96, 3)}, [one for one in CELLS if one not in SIBLINGS]),
    ("VGG16", {"input_shape": (32, 32, 3), "classes": 10}, ["size 65", "channels 13", "kernel 7", "head max"]),
    ("EfficientNetB0", {"input_shape": (64, 64, 3)}, ["size 97", "channels 1", "kernel 5"]),
]


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Subject]]:
    yield from subjects(tmp_path_factory.mktemp("matrix"))


@pytest.mark.parametrize(
    ("name", "arguments", "cell"),
    [pytest.param(name, arguments, cell, id=f"{name}-{cell}") for name, arguments, cells in QUICK for cell in cells],
)
def test_that_a_change_of_an_architecture_holds(
    name: str,
    arguments: dict[str, Any],
    cell: str,
    subject: Callable[..., Subject],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outcome = subject(name, **arguments).run(cell, monkeypatch)
    assert outcome.state in {"passed", "settled"}


def check_architecture(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All cells of one architecture; failures are gathered, so that the table shows each of them."""
    subject = Subject(name, folder)
    found: dict[str, Outcome] = {}
    try:
        for cell in CELLS:
            try:
                found[cell] = subject.run(cell, monkeypatch)
            except Exception as error:  # noqa: BLE001 - whatever goes wrong in one cell is that cell's outcome
                found[cell] = Outcome("failed", note=" ".join(str(error).split())[:300] or type(error).__name__)
    finally:
        subject.close()
    note_results(name, found)
    assert not {cell: outcome.note for cell, outcome in found.items() if outcome.state == "failed"}


@pytest.mark.slow
@pytest.mark.timeout(1800)
class TestOneHalf:
    """Two classes, because test workers share work by class."""

    @pytest.mark.parametrize("name", list(ARCHITECTURES)[::2])
    def test_that_every_change_holds(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        check_architecture(name, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.timeout(1800)
class TestOtherHalf:
    @pytest.mark.parametrize("name", list(ARCHITECTURES)[1::2])
    def test_that_every_change_holds(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        check_architecture(name, tmp_path, monkeypatch)


def note_results(name: str, found: dict[str, Outcome]) -> None:
    """Keep one architecture's outcomes, and write the table once all of this run are there."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    folder = ROOT / "build" / "matrix" / run
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({cell: outcome._asdict() for cell, outcome in found.items()}))
    results = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    if set(results) == set(ARCHITECTURES):
        TABLE.parent.mkdir(parents=True, exist_ok=True)
        TABLE.write_text(table({one: results[one] for one in ARCHITECTURES}), encoding="utf-8")


def table(results: dict[str, dict[str, dict[str, Any]]]) -> str:
    """The help page, in Markdown."""
    states = [outcome["state"] for cells in results.values() for outcome in cells.values()]
    counts = {state: states.count(state) for state in ("passed", "settled", "failed")}
    lines = [
        "# What was tried on which architecture",
        "",
        f"Written by the test suite on {datetime.datetime.now(datetime.UTC):%Y-%m-%d} with Keras {keras.__version__}: "
        f"{len(results)} architectures, {len(states)} changes, {counts['passed']} passed as they are, "
        f"{counts['settled']} after the one click that the plan offered, {counts['failed']} failed.",
        "",
        "Each change was planned, written, loaded by Keras, run, and held against the model before it. The number is "
        "the largest relative difference of the outputs where the two must agree (`0` is equal to the last bit; `~` "
        "marks changes that the plan called lossy, where it is a measurement). "
        "`=` means that Keras built the same architecture in that shape, took the weights, and gave the same outputs. "
        "`fix` means that the plan named the layer whose weights depend on the size, and its first repair was taken.",
        "",
        "| architecture | " + " | ".join(CELLS) + " |",
        "|---" * (len(CELLS) + 1) + "|",
    ]
    lines += [
        f"| {name} | " + " | ".join(_shown(cells[cell]) for cell in CELLS) + " |" for name, cells in results.items()
    ]
    return "\n".join(lines) + "\n"


def _shown(outcome: dict[str, Any]) -> str:
    if outcome["state"] == "failed":
        return "failed"
    drift = outcome["drift"]
    parts = ["fix"] if outcome["state"] == "settled" else []
    sign = "" if outcome["exact"] else "~"
    parts += [] if drift is None else ["0" if drift == 0 else f"{sign}{drift:.0e}"]
    parts += [] if outcome["native"] is None else ["="]
    return " ".join(parts) or "runs"
