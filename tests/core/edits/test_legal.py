from typing import Any

import pytest

from core.edits import ChangeInput
from core.edits.legal import legal_sizes
from tests.core.edits.bench import problems


def test_that_a_unet_says_its_multiple(bench: Any) -> None:
    source = bench("unet")

    def obstacle(size: Any) -> Any:
        found = problems(source.edited(ChangeInput(shape=(size, size, 1))))
        return found[0].split(":")[0] if found else None

    sizes = legal_sizes(obstacle, 30)
    assert (sizes.multiple, sizes.smallest, sizes.below, sizes.above) == (4, 4, 28, 32)
    assert sizes.sentence() == "skip2 forbids 30; 28 or 32 works. From 4, multiples of 4."


@pytest.mark.parametrize(("least", "step"), [(1, 1), (32, 1), (75, 1), (64, 32), (8, 8)])
def test_that_smallest_and_multiple_are_found(least: Any, step: Any) -> None:
    sizes = legal_sizes(lambda size: None if size >= least and size % step == 0 else "layer", 224)
    assert (sizes.smallest, sizes.multiple, sizes.forbidden_by) == (least, step, None)


def test_that_a_model_of_one_size_says_so() -> None:
    sizes = legal_sizes(lambda size: None if size == 224 else "dense", 300, limit=64)
    assert sizes.smallest is None
    assert "dense forbids 300" in sizes.sentence()
