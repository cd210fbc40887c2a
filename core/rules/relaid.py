"""An array in the layout that another class of layers keeps the same numbers in."""

from typing import Any, ClassVar

import numpy as np

from core.errors import RuleError
from core.rules.base import Array
from core.rules.merged import Merge, Part

Step = tuple[str, tuple[int, ...]]
"""What is done: `flip` and `transpose` name axes, `reshape` and `broadcast` a shape.

`grouped` takes the number of groups and makes the kernel of one group of a grouped convolution's. `times` multiplies a
depthwise kernel with the pointwise one that follows it.
"""


class Relaid(Merge, frozen=True, kw_only=True, tag="relaid"):
    """`own` through `steps`; `other` is the pointwise kernel of a separable convolution. `words` names it in fates."""

    always: ClassVar[bool] = True
    own: Part
    steps: tuple[Step, ...]
    other: Part | None = None
    words: str = "relaid"

    @property
    def name(self) -> str:
        """What happens, in words."""
        return self.words

    def parts(self) -> tuple[Part | None, ...]:
        """The array, and the one that it is multiplied with."""
        return self.own, self.other

    def merged(self, siblings: Any) -> Array:
        """The array in its new layout."""
        array = self.own.value(siblings)
        for step, numbers in self.steps:
            if step == "flip":
                array = np.flip(array, numbers)
            elif step == "transpose":
                array = np.transpose(array, numbers)
            elif step == "reshape":
                array = array.reshape(numbers)
            elif step == "broadcast":
                array = np.broadcast_to(array, numbers)
            elif step == "grouped":
                array = ungrouped(array, numbers[0])
            elif step == "times" and self.other is not None:
                pointwise = self.other.value(siblings)
                filters = pointwise.shape[-1]
                pointwise = pointwise.reshape(*array.shape[-2:], filters)
                array = np.einsum("...cm,cmo->...co", array, pointwise)
            else:
                raise RuleError(f"{step} is not a known way to rearrange an array.")
        return array


def ungrouped(kernel: Array, groups: int) -> Array:
    """A grouped convolution's kernel as that of a plain one, which meets zeros outside each group."""
    *sizes, inside, filters = kernel.shape
    each = filters // groups
    made = np.zeros((*sizes, inside * groups, filters), kernel.dtype)
    for group in range(groups):
        rows, columns = slice(group * inside, (group + 1) * inside), slice(group * each, (group + 1) * each)
        made[..., rows, columns] = kernel[..., columns]
    return made
