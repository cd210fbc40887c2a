"""The rooms of the house, enforced: who may import whom, what lies at the top."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.blockers import run_blocked

ROOT = Path(__file__).parents[1]
TOP = {
    ".ci", ".github", ".gitignore", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile",
    "README.md", "constraints.txt", "core", "gui", "main.py", "pyproject.toml", "resources", "tests",
}  # fmt: skip
KERAS = {"tensorflow", "keras", "tf_keras"}
QT = {"PySide6", "shiboken6", "pyqtgraph", "qtawesome", "qtpy"}
TOWER = (
    "core", "core.bytecode", "core.model", "core.layers", "core.rules", "core.surgery", "core.repairs", "core.readers",
    "core.edits", "core.recipes", "core.analysis", "core.writers", "core.engine", "core.service", "core.cli",
    "gui.widgets", "gui.models", "gui.document", "gui.canvas", "gui.panels", "gui.dialogs", "gui.controllers", "gui",
)  # fmt: skip
"""The rooms from the ground up; each imports only from rooms below it. `core` are the values at its root, `gui` what
holds the window together.
"""
TERMINAL = {"typer", "rich"}


def modules(*rooms: str) -> list[str]:
    """Dotted names of every module in the rooms."""
    paths = sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))
    names = (path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in paths)
    return [name.removesuffix(".__init__") for name in names]


def import_all(names: list[str], blocked: set[str]) -> None:
    code = f"import importlib\nfor name in {names!r}:\n    importlib.import_module(name)\n"
    run = run_blocked(code, blocked)
    assert run.returncode == 0, run.stderr[-2000:]


def imports(path: Path) -> Iterator[str]:
    """Full names of everything a file imports, at any depth of its functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def offenders(room: str, forbidden: set[str], except_for: tuple[str, ...] = ()) -> list[str]:
    found = []
    for path in sorted((ROOT / room).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(except_for or ("\0",)):
            found += [
                f"{name} imports {one}"
                for one in imports(path)
                if any((one + ".").startswith(f"{bad}.") for bad in forbidden)
            ]
    return found


def room_of(module: str) -> str:
    """The room that a module lies in; what stands at the root of `core` or `gui` is a room too."""
    rooms = [room for room in TOWER if "." in room and f"{module}.".startswith(f"{room}.")]
    return rooms[0] if rooms else module.partition(".")[0]


def against_the_tower() -> list[str]:
    """Every import, at any depth of a function, of a room that lies above the importing one."""
    known = set(modules("core", "gui"))
    found = set()
    for path in sorted([*(ROOT / "core").rglob("*.py"), *(ROOT / "gui").rglob("*.py")]):
        name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        here = TOWER.index(room_of(name))
        found |= {f"{name} imports {one}" for one in imports(path) if one in known and TOWER.index(room_of(one)) > here}
    return sorted(found)


def test_that_the_tower_has_every_room() -> None:
    rooms = {f"{top}.{path.parent.name}" for top in ("core", "gui") for path in (ROOT / top).glob("*/__init__.py")}
    assert rooms | {"core", "gui"} == set(TOWER)


def test_that_every_room_imports_only_from_rooms_below_it() -> None:
    assert against_the_tower() == []


def test_that_core_outside_the_engine_imports_without_qt_and_without_keras() -> None:
    names = [name for name in modules("core") if not name.startswith("core.engine")]
    import_all(names, QT | KERAS)


def test_that_all_of_core_imports_without_qt() -> None:
    import_all(modules("core"), QT)


def test_that_all_below_the_engine_imports_without_keras_and_terminal() -> None:
    import_all(
        [name for name in modules("core") if not name.startswith(("core.engine", "core.cli"))], KERAS | QT | TERMINAL
    )


def test_that_the_window_imports_without_keras_and_without_h5py() -> None:
    import_all(modules("gui"), KERAS | {"h5py"} | TERMINAL)


@pytest.mark.parametrize(
    ("room", "forbidden", "except_for"),
    [
        ("core", QT | {"gui"}, ()),
        ("core", KERAS, ("core/engine/",)),
        ("core", TERMINAL, ("core/cli/",)),
        ("gui", KERAS | TERMINAL | {"h5py", "core.engine", "core.readers.sniff", "core.cli"}, ()),
    ],
)
def test_that_packages_stay_in_the_rooms_that_need_them(
    room: str, forbidden: set[str], except_for: tuple[str, ...]
) -> None:
    assert offenders(room, forbidden, except_for) == []


def test_that_the_top_of_the_project_holds_only_what_it_should() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    assert {line.partition("/")[0] for line in listed.stdout.splitlines()} <= TOP


def test_that_pins_are_names_and_versions_only() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert line.startswith("#") or line.count("==") == 1, line
        assert "/" not in line, line


def test_that_opening_the_door_imports_neither_terminal_nor_keras() -> None:
    run = run_blocked(
        "import main, sys; print(sorted(set(sys.modules) & {'typer','rich','core.cli','h5py','numpy'}))", KERAS
    )
    assert run.stdout.strip() == "[]", run.stderr
