"""One bench per small model for the whole run: importing Keras and building take most of the time."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest


@pytest.fixture(scope="session")
def bench() -> Callable[[str], Any]:
    """`bench("nested")`: the model of that name in `tests.core.edits.zoo` with seeded weights, as a `Bench`."""

    @cache
    def make(name: str) -> Any:
        from tests.core.edits import zoo
        from tests.core.edits.bench import Bench

        return Bench(getattr(zoo, name)())

    return make
