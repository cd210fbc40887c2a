"""What a rule is: a pure NumPy function, with fields, from one weight array to another of a new shape.

Rules chain. Each owns some axes of the weight (`owns`) and leaves the others as they are; `core.rules.adapt` walks
the chain and insists that the last array has the planned shape.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from msgspec import Struct

from core.layers.axes import Axes, Owns
from core.model.graph import StoreKey

Array = np.ndarray[Any, Any]


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="rule"):
    """Base of all rules. Subclasses set `tag` (the rule's name in recipes) and `owns`.

    `makes`: the rule can make an array that the source lacks (it is then given zeros of the target shape).
    `always`: the rule changes values even where the shape stays as it was.
    """

    owns: ClassVar[Owns] = "all"
    makes: ClassVar[bool] = False
    always: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """The rule's name in recipes."""
        return str(self.__struct_config__.tag)

    def needs(self) -> tuple[StoreKey, ...]:
        """Arrays of other layers this rule looks at; they come among `siblings` under `sibling_name(key)`."""
        return ()

    def reads(self) -> tuple[StoreKey, ...]:
        """Arrays that go into this weight together with its own and have no other use: the source's scales, gains.

        They count as used (`Plan.merged`), where arrays that a rule merely looks at (`needs`) do not.
        """
        return ()

    def fixed_shape(self) -> tuple[int, ...] | None:
        """The shape this rule makes whatever the target is; `None` where it makes the target's on the axes it owns."""
        return None

    def refusal(self, shape: tuple[int, ...], target: tuple[int, ...], axes: Axes) -> str | None:
        """Why this rule cannot turn `shape` into `target` (one sentence), or `None` when it can. No arrays needed."""
        raise NotImplementedError

    def apply(self, array: Array, target: tuple[int, ...], axes: Axes, siblings: Mapping[str, Array]) -> Array:
        """The array in its new shape, same dtype (computed in float64 or float32 inside).

        `siblings` are the source arrays of the same layer by weight name, for rules that look at more than one.
        Raises `RuleError` where `refusal` would have said so.
        """
        raise NotImplementedError


def sibling_name(key: StoreKey) -> str:
    """The name under which an array of another layer is put among a rule's `siblings`."""
    return f"{key.file}:{key.key}"
