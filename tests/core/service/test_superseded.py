"""A newer recipe ends the planning of an older one, in a real engine process."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.analysis.opening import read_model
from core.edits import ChangeInput, SetTrainable
from core.errors import Cancelled
from core.model.plan import Plan
from core.recipes.recipe import Recipe
from core.service.client import Worker
from core.service.messages import MakePlan, Reply, SetSource
from tests.benchmarks.chains import conv_chain, nested_chain

pytestmark = pytest.mark.slow
PATIENCE = 240.0
MANY = Recipe(edits=tuple(SetTrainable(layers=("*",), trainable=bool(number % 2)) for number in range(300)))
"""Each step changes every layer, so that the whole takes far longer than sending another recipe."""


@pytest.fixture(scope="module")
def engine() -> Iterator[Worker]:
    worker = Worker("engine")
    worker.start()
    yield worker
    worker.stop()


def until(worker: Worker, number: int, *, stage: str = "") -> list[Reply]:
    """Everything that arrives until the request `number` is at a stage, or has ended."""
    replies: list[Reply] = []
    end = time.monotonic() + PATIENCE
    while not any(reply.id == number and (reply.stage == stage if stage else reply.done) for reply in replies):
        assert time.monotonic() < end, replies
        replies += worker.poll()
        time.sleep(0.001)
    return replies


@pytest.mark.parametrize("make", [conv_chain, nested_chain])
def test_that_a_newer_recipe_ends_the_planning_of_an_older_one(make: object, engine: Worker, tmp_path: Path) -> None:
    path = make(tmp_path / "chain.keras", 200)  # type: ignore[operator]
    until(engine, engine.send(SetSource(source=read_model(path))))
    old = engine.send(MakePlan(recipe=MANY))
    assert not any(reply.done for reply in until(engine, old, stage="planning"))
    newer = engine.send(MakePlan(recipe=Recipe(edits=(ChangeInput(shape=(24, 24, 3)),))))
    replies = until(engine, newer)
    assert [reply.id for reply in replies if reply.done] == [old, newer]
    first, second = (reply for reply in replies if reply.done)
    assert isinstance(first.error, Cancelled)
    assert isinstance(second.value, Plan)
    assert second.value.ok
    assert second.value.inputs[0].shape == (None, 24, 24, 3)


def test_that_a_plan_after_one_that_was_ended_is_the_plan_that_it_would_have_been(
    engine: Worker, tmp_path: Path
) -> None:
    path = conv_chain(tmp_path / "chain.keras", 100)
    until(engine, engine.send(SetSource(source=read_model(path))))
    few = Recipe(edits=MANY.edits[:3])
    expected = until(engine, engine.send(MakePlan(recipe=few)))[-1].value
    until(engine, engine.send(MakePlan(recipe=Recipe())))
    old = engine.send(MakePlan(recipe=MANY))
    until(engine, old, stage="planning")
    again = until(engine, engine.send(MakePlan(recipe=few)))[-1].value
    assert again == expected
