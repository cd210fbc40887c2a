"""Running commands in this process, and recipes as files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.cli import run

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process; gives the exit code, standard output and standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run([str(item) for item in arguments])
        return code, *capfd.readouterr()

    return call


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[..., Path]:
    """Write a recipe of the given edits and return its path."""

    def write(*edits: dict[str, Any]) -> Path:
        path = tmp_path / "recipe.json"
        path.write_text(json.dumps({"suture": 1, "edits": edits}))
        return path

    return write
