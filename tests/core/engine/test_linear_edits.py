"""No edit, finding or freeze preset does more work per layer in a larger model. Counted in lines that run."""

from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

import pytest

from core.analysis.opening import read_model
from core.edits import EDITS
from core.engine.api import Engine
from core.recipes.recipe import Recipe
from tests.benchmarks.edit_costs import MODELS, edit_recipes
from tests.helpers.counting import lines_run

SMALL, LARGE = 100, 400
SLACK = 1.5
"""What is quadratic grows by four; where an edit cuts a model in half, the halves of the two are not quite alike."""
KINDS = [kind if kind == "chain" else pytest.param(kind, marks=pytest.mark.slow) for kind in MODELS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chains")


def costs(path: Path) -> tuple[dict[str, int], int]:
    """Lines that each recipe's plan takes once Keras's answers are known, and the number of layers."""
    engine = Engine()
    source = read_model(path)
    engine.set_source(source)
    found = {}
    for name, recipe in edit_recipes(str(path), source.graph):
        assert engine.plan(recipe).graph.layers, name
        engine.set_source(source)
        engine.plan(Recipe())
        found[name] = lines_run(partial(engine.plan, recipe))
    return found, sum(1 for _ in source.graph.walk())


@pytest.mark.parametrize("kind", KINDS)
def test_that_work_grows_no_faster_than_the_number_of_layers(kind: str, folder: Path) -> None:
    small, few = costs(MODELS[kind](folder / f"{kind}-{SMALL}.keras", SMALL))
    large, many = costs(MODELS[kind](folder / f"{kind}-{LARGE}.keras", LARGE))
    assert small.keys() == large.keys()
    worse = {name: large[name] / small[name] / (many / few) for name in small}
    assert {name: round(share, 2) for name, share in worse.items() if share > SLACK} == {}


@lru_cache(1)
def _timed(folder: Path) -> frozenset[str]:
    def tags() -> Iterator[str]:
        for kind, make in MODELS.items():
            path = make(folder / f"{kind}-{SMALL}.keras", SMALL)
            for _, recipe in edit_recipes(str(path), read_model(path).graph):
                yield from (str(edit.__struct_config__.tag) for edit in recipe.edits)

    return frozenset(tags())


@pytest.mark.parametrize("tag", sorted(EDITS))
def test_that_every_edit_is_among_those_that_are_measured(tag: str, folder: Path) -> None:
    assert tag in _timed(folder)
