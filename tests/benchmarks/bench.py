"""`make bench`: each budget as a ratio, both sides measured in turn in one run. Numbers, never part of the tests.

`python -m tests.benchmarks.bench [start open edits apply memory growth edit_costs ...]`; without names, everything.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from tests.benchmarks.chains import chain
from tests.benchmarks.edit_costs import MODELS

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "build" / "models"
ROUNDS = 3
EDITS = 40
NEW_SIZE = 384
MEMORY = 250e6
EDIT_BUDGETS = {"ResNet50": 0.030, "EfficientNetV2L": 0.100, "NASNetLarge": 0.100}


class Row(Struct, frozen=True):
    """One line of the result: what was measured, the ratio or number, what it may be at most."""

    what: str
    measured: str
    against: str
    value: str
    budget: str
    good: bool


def probe(name: str, *arguments: object) -> Any:
    """The answer of a probe in a fresh process, with the moment it was started."""
    command = [sys.executable, "-m", "tests.benchmarks.probes", name, *map(str, arguments)]
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise SystemExit(f"The probe {name} failed:\n{done.stderr[-2000:]}")
    return {"began": began, **json.loads(lines[-1])}


def model(name: str) -> Path:
    """An architecture with seeded random weights, built by Keras in a process of its own when it is not there yet."""
    code = f"from tests.helpers.models import application; print(application({name!r}, calibrate=False))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return Path(done.stdout.splitlines()[-1])


def seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def ratio(what: str, ours: float, theirs: float, name: str, budget: float) -> Row:
    share = ours / theirs
    return Row(what, seconds(ours), f"{name} {seconds(theirs)}", f"{share:.3f}", f"{budget:g}", share <= budget)


def bench_start() -> Iterator[Row]:
    """The window against `import tensorflow`, fresh processes, alternating; the median of each."""
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS + 2):
        for name, times in (("start", ours), ("import_tensorflow", theirs)):
            answer = probe(name)
            times.append(answer["ready"] - answer["began"])
    yield ratio(
        "process start to a usable window",
        statistics.median(ours),
        statistics.median(theirs),
        "import tensorflow",
        0.25,
    )


def bench_open() -> Iterator[Row]:
    """A file chosen to tree and graph drawn, against Keras's load_model."""
    for name in ("EfficientNetV2L", "NASNetLarge", "ResNet50"):
        path = model(name)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(probe("window", path, 0)["drawn"])
            theirs.append(probe("load_model", path)["seconds"])
        what = f"{name}.keras ({path.stat().st_size / 1e6:.0f} MB) chosen to drawn"
        yield ratio(what, statistics.median(ours), statistics.median(theirs), "load_model", 0.2)


def bench_edits() -> Iterator[Row]:
    """An edit to findings refreshed and repainted, through both processes, engine warm."""
    for name, budget in EDIT_BUDGETS.items():
        times = probe("window", model(name), EDITS)["edits"]
        middle = statistics.median(times)
        what = f"edit to findings refreshed, {name}"
        most = f"worst of {EDITS}: {seconds(max(times))}"
        yield Row(what, seconds(middle), most, seconds(middle), seconds(budget), middle <= budget)
        alone = statistics.median(probe("plans", model(name), EDITS)["seconds"])
        yield Row(
            f"  of it, the engine's plan, {name}", seconds(alone), "", seconds(alone), seconds(budget), alone <= budget
        )


def bench_apply() -> Iterator[Row]:
    """Writing EfficientNetV2L at a new size, against the script that people write and against cp."""
    path = model("EfficientNetV2L")
    ours, theirs, copies = [], [], []
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        out = Path(folder, "out.keras")
        for _ in range(ROUNDS):
            ours.append(probe("apply", path, out, NEW_SIZE)["seconds"])
            out.unlink()
            theirs.append(probe("script", path, out, NEW_SIZE)["seconds"])
            out.unlink()
            began = time.monotonic()
            shutil.copyfile(path, out)
            copies.append(time.monotonic() - began)
            out.unlink()
    mine = statistics.median(ours)
    yield ratio("apply to .keras", mine, statistics.median(theirs), "load, clone, set_weights, save", 0.5)
    copy = statistics.median(copies)
    yield Row(
        "apply to .keras", seconds(mine), f"copying the file {seconds(copy)}", f"{mine / copy:.1f}", "towards 1", True
    )


def bench_memory() -> Iterator[Row]:
    """Resident memory of the window process with the 480 MB model open, drawn and planned."""
    answer = probe("window", model("EfficientNetV2L"), 5)
    for what, used in (("open and planned", answer["memory"]), ("after edits", answer["memory_after"])):
        amount = f"{used / 1e6:.0f} MB"
        yield Row(
            f"window process with EfficientNetV2L {what}", amount, "", amount, f"{MEMORY / 1e6:.0f} MB", used <= MEMORY
        )


def bench_growth() -> Iterator[Row]:
    """100, 1,000 and 10,000 layers: cost per layer of the largest against that of the one before."""
    sizes = (100, 1_000, 10_000)
    costs = {size: probe("chain", chain(CACHE / f"chain-{size}.keras", size)) for size in sizes}
    for stage in ("read", "first plan", "next plan", "graph"):
        times = [costs[size][stage] for size in sizes]
        share = times[2] / times[1] / 10
        spread = ", ".join(seconds(one) for one in times)
        yield Row(f"{stage}: 100, 1,000, 10,000 layers", spread, "ten times 1,000", f"{share:.2f}", "1.5", share <= 1.5)


def bench_edit_costs() -> Iterator[Row]:
    """Every edit and freeze preset at 100, 1,000 and 10,000 layers: cost per layer, and time beyond an empty recipe."""
    sizes = (100, 1_000, 10_000)
    for kind, make in MODELS.items():
        answers = [probe("edit_costs", make(CACHE / f"{kind}-{size}.keras", size)) for size in sizes]
        for name in answers[0]["plans"]:
            whole = [answer["plans"][name] for answer in answers]
            share = whole[2] / whole[1] / (answers[2]["layers"] / answers[1]["layers"])
            beyond = [max(one - answer["base"], 0.0) for one, answer in zip(whole, answers, strict=True)]
            spread = f"{', '.join(seconds(one) for one in beyond)} beyond an empty recipe"
            yield Row(f"{name}, {kind}", spread, "ten times 1,000", f"{share:.2f}", "1.5", share <= 1.5)


def bench_canvas() -> Iterator[Row]:
    """Folding, colouring, finding and other views of a large model, painted."""
    for name, path, budget in (
        ("EfficientNetV2L", model("EfficientNetV2L"), 0.1),
        ("10,000 layers", chain(CACHE / "chain-10000.keras", 10_000), 0.5),
    ):
        for what, taken in probe("canvas", path)["seconds"].items():
            yield Row(f"{what}, {name}", seconds(taken), "", seconds(taken), seconds(budget), taken <= budget)


PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "start": bench_start,
    "open": bench_open,
    "edits": bench_edits,
    "apply": bench_apply,
    "memory": bench_memory,
    "growth": bench_growth,
    "edit_costs": bench_edit_costs,
    "canvas": bench_canvas,
}


def main(names: list[str]) -> int:
    """Measure the named parts, or all; print the table. Returns how many budgets were missed."""
    console = Console(width=150 if not sys.stdout.isatty() else None)
    table = Table(title="Budgets")
    for title in ("what", "measured", "against", "value", "at most", ""):
        table.add_column(title, overflow="fold")
    missed = 0
    for name in names or PARTS:
        for row in PARTS[name]():
            console.print(f"{row.what}: {row.value} (at most {row.budget})", highlight=False)
            verdict = "[green]ok[/]" if row.good else "[red]over[/]"
            table.add_row(row.what, row.measured, row.against, row.value, row.budget, verdict)
            missed += not row.good
    console.print(table)
    return missed


if __name__ == "__main__":
    main(sys.argv[1:])
