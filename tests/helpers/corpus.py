"""The collections of public model files, kept beside the project and never inside it."""

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3] / "shared" / "models"
MORE = ROOT.with_name("more_models")


def path(name: str) -> Path:
    """A file or folder of a collection; skips the test where the collections are not there."""
    found = next((root / name for root in (ROOT, MORE) if (root / name).exists()), None)
    if found is None:
        pytest.skip(f"the collection of public models is not here ({name})")
    return found


def names(*endings: str) -> list[str]:
    """Names of the files with one of the endings (all without), for parametrizing; empty without collections."""
    return [
        item.relative_to(root).as_posix()
        for root in (ROOT, MORE)
        for item in sorted(root.rglob("*"))
        if item.is_file() and item.name != "catalogue.json" and (not endings or item.suffix in endings)
    ]


def catalogue() -> Any:
    """What is known of each file; skips where the collections are not there."""
    known = [root / "catalogue.json" for root in (ROOT, MORE) if (root / "catalogue.json").exists()]
    if not known:
        pytest.skip("the collections of public models are not here")
    return [entry for one in known for entry in json.loads(one.read_text(encoding="utf-8"))]
