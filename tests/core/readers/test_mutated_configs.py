"""Descriptions with values of a wrong kind in any place: opened, or refused in one sentence, never our own fault."""

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.analysis.opening import read_model
from core.errors import FileError
from tests.core.readers.keras2_zoo import models
from tests.helpers.random_models import random_model

VALUES: list[Any] = [
    None, True, -1, 0, 1.5, 10**18, "", "x", [], {}, [None], [[]], [1, "a"], {"class_name": "X"},
    {"class_name": "Dense", "config": None}, "channels_first", float("nan"),
]  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from _places(inner, (*path, key))


def _mutated(rng: random.Random, model: dict[str, Any], places: list[tuple[Any, ...]]) -> dict[str, Any]:
    changed = copy.deepcopy(model)
    *outer, last = rng.choice(places)
    holder: Any = changed
    for key in outer:
        holder = holder[key]
    if isinstance(holder, dict) and rng.random() < 0.15:
        del holder[last]
    else:
        holder[last] = copy.deepcopy(rng.choice(VALUES))
    return changed


@pytest.fixture(scope="module")
def described() -> list[dict[str, Any]]:
    """Descriptions of Keras 3 and Keras 2: nested, shared, wrapped, several inputs."""
    builds = list(models(pytest.importorskip("tf_keras")).values())[::6]
    return [json.loads(model.to_json()) for model in (*map(random_model, range(8)), *(build() for build in builds))]


def test_that_wrong_values_in_a_description_are_the_files_fault(described: list[Any], tmp_path: Path) -> None:
    rng = random.Random(7)
    path = tmp_path / "model.json"
    known = [(model, list(_places(model))) for model in described]
    refused: list[str] = []
    for _ in range(800):
        model = _mutated(rng, *rng.choice(known))
        path.write_text(json.dumps(model))
        try:
            read_model(path)
        except FileError as error:
            refused.append(error.message)
    assert 80 < len(refused) < 720  # both ways are taken
    assert all("\n" not in message for message in refused)


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        (("config", "layers", 1, "class_name"), ["Dense"], "a list as class_name where text is expected"),
        (("config", "layers", 1, "module"), {}, "an object as module where text is expected"),
        (("config", "layers", 1, "inbound_nodes"), 3, "a number as inbound_nodes where a list is expected"),
        (("config", "layers", 0, "config", "batch_shape"), [None, "a", 3], "is not a list of whole numbers and null"),
        (("config", "layers", 1), "conv", "a layer is text where an object is expected"),
    ],
)
def test_that_the_sentence_names_what_is_wrong(where: tuple[Any, ...], value: Any, said: str, tmp_path: Path) -> None:
    model = json.loads(random_model(0).to_json())
    holder: Any = model
    for key in where[:-1]:
        holder = holder[key]
    holder[where[-1]] = value
    path = tmp_path / "model.json"
    path.write_text(json.dumps(model))
    with pytest.raises(FileError, match=said):
        read_model(path)
