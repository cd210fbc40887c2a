"""The collection of public model files, kept beside the project and never inside it."""

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3] / "shared" / "models"


def path(name: str) -> Path:
    """A file or folder of the collection; skips the test where the collection is not there."""
    found = ROOT / name
    if not found.exists():
        pytest.skip(f"the collection of public models is not here ({name})")
    return found


def names(*endings: str) -> list[str]:
    """Names of the collection's files with one of the endings (all without), for parametrizing; empty without it."""
    files = (item for item in sorted(ROOT.rglob("*")) if item.is_file() and item.name != "catalogue.json")
    return [item.relative_to(ROOT).as_posix() for item in files if not endings or item.suffix in endings]


def catalogue() -> Any:
    """What is known of each file; skips where the collection is not there."""
    return json.loads(path("catalogue.json").read_text(encoding="utf-8"))
