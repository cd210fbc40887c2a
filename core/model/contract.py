"""What a contract is, and what the engine lends it to be checked with."""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from msgspec import Struct

from core.model.graph import Graph, Shape

Array = np.ndarray[Any, Any]
Inputs = dict[str, Array]
"""An array for each input, by the name of its InputLayer."""
Place = list[Any]
"""A tensor inside a model: `[layer path, calls from the outermost model in, output]`."""


class Live(Protocol):
    """A model that runs. Arrays come in double precision; text stays text."""

    @property
    def graph(self) -> Graph:
        """The model as it was built."""

    def outputs(self, inputs: Inputs) -> list[Array]:
        """What the model gives."""

    def tensors(self, places: Sequence[int | Place], inputs: Inputs) -> list[Array]:
        """Outputs by number, and tensors inside the model by place."""

    def scores(self, place: Place, inputs: Inputs) -> Array:
        """What the layer at a place gives ahead of its activation."""


class Trial(Protocol):
    """The old model and the new one, with random inputs for each: the same where both take the same."""

    @property
    def old(self) -> Live:
        """The model before."""

    @property
    def new(self) -> Live:
        """The model after."""

    @property
    def x_old(self) -> Inputs:
        """Random inputs for the old model."""

    @property
    def x_new(self) -> Inputs:
        """Random inputs for the new model."""

    @property
    def own(self) -> Inputs:
        """The person's own inputs for the new model, where there are any; they are among `x_new`."""

    @property
    def words(self) -> tuple[Graph, Graph]:
        """Both graphs, old and new, with the vocabularies that their files keep elsewhere."""

    @property
    def dtype(self) -> Any:
        """The precision of floats that go into a model."""

    def other(self, name: str) -> Live:
        """The model of one of the recipe's further files, by itself."""


class End(Struct, frozen=True):
    """What planning knows of the model at one end of a contract: the shapes of its outputs and, by path, weights."""

    outputs: tuple[Shape | None, ...]
    weights: dict[str, tuple[int, ...]]


class Contract(Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What must stay equal after an edit. `name` says it: `new(gray) == old(gray, gray, gray)`.

    `exact` contracts fail verification when broken beyond float rounding; others report their drift. The members of
    the union are in `core.surgery.contracts`.
    """

    own_sums: ClassVar[bool] = False
    """Whether axes move, so that a bias must go to the axis that it belongs to, whatever Keras's `add` makes of it."""
    name: str
    exact: bool = True

    def holds_between(self, before: End, after: End) -> bool:
        """Whether it can be about these two models at all."""
        return True

    def old_shape(self) -> tuple[str, Shape] | None:
        """An input and the shape (without batch) that the old model is built at, where it is not its own."""
        return None

    def new_shape(self) -> tuple[str, Shape] | None:
        """An input and the shape (without batch) that the new model is built at, where it is not its own."""
        return None

    def inputs(self, trial: Trial) -> tuple[Inputs, Inputs]:
        """Inputs of the old model and of the new one for which the contract is to hold."""
        return trial.x_old, trial.x_new

    def arrays(self, trial: Trial, x_old: Inputs, x_new: Inputs) -> tuple[list[Array], list[Array]]:
        """What must be equal, of the old model and of the new one."""
        return trial.old.outputs(x_old), trial.new.outputs(x_new)
