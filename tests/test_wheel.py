"""What a wheel of the project would hold: all that the program opens, and nothing that only developers need."""

import re
from pathlib import Path

import pytest
from setuptools import Distribution
from setuptools.config.pyprojecttoml import apply_configuration

ROOT = Path(__file__).parents[1]
RESOURCES = ROOT / "resources"
NAMED = re.compile(r'"resources" / "([a-z]+)"')


@pytest.fixture(scope="module")
def project() -> Distribution:
    """The project as setuptools reads it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return apply_configuration(Distribution(), ROOT / "pyproject.toml")


@pytest.fixture(scope="module")
def shipped(project: Distribution, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files that `build_py`, which fills a wheel, makes of the working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    project.script_name = "setup.py"
    project.get_option_dict("egg_info")["egg_base"] = ("test", str(folder))
    project.get_option_dict("build_py")["build_lib"] = ("test", str(folder / "lib"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        project.run_command("build_py")
    return {item.relative_to(folder / "lib").as_posix() for item in (folder / "lib").rglob("*") if item.is_file()}


def test_that_every_module_of_the_program_is_shipped(shipped: set[str]) -> None:
    modules = {item.relative_to(ROOT).as_posix() for room in ("core", "gui") for item in (ROOT / room).rglob("*.py")}
    assert modules - shipped == set()
    assert "main.py" in shipped


def test_that_every_resource_that_the_program_opens_is_shipped(shipped: set[str]) -> None:
    texts = [item.read_text(encoding="utf-8") for room in ("core", "gui") for item in (ROOT / room).rglob("*.py")]
    folders = {name for text in texts for name in NAMED.findall(text)}
    assert folders == {"help", "recipes", "samples", "themes"}
    there = {
        item.relative_to(ROOT).as_posix()
        for folder in folders
        for item in (RESOURCES / folder).rglob("*")
        if item.is_file() and "__pycache__" not in item.parts
    }
    assert there
    assert there - shipped == set()


def test_that_nothing_else_is_shipped(shipped: set[str]) -> None:
    assert {name.split("/")[0] for name in shipped} == {"core", "gui", "main.py", "resources"}
    assert [name for name in shipped if "make_samples" in name or "screenshots" in name or "__pycache__" in name] == []


def test_that_every_pattern_of_package_data_matches_a_file(project: Distribution) -> None:
    assert project.package_data
    for package, patterns in project.package_data.items():
        folder = ROOT.joinpath(*package.split("."))
        assert [one for one in patterns if not any(folder.glob(one))] == [], package
