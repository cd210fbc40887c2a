"""Arrays into a live layer, by the keys under which Keras stores them."""

from collections.abc import Mapping
from typing import Any

from keras.src.saving import saving_lib

from core.engine.specs import recorded_variables
from core.rules.base import Array


def fill(layer: Any, given: Mapping[str, Array]) -> None:
    """Give a built layer its arrays, by storage key inside the layer.

    Where what Keras stores is no variable of the layer (a kernel with its low-rank update added to it), the layer's own
    loading code takes it.
    """
    variables = dict(recorded_variables(layer))
    if any(not hasattr(variables[key], "assign") for key in given if key in variables):
        saving_lib._load_state(layer, _Given(given), None, "")
        return
    for key, array in given.items():
        if key in variables:
            variables[key].assign(array)


class _Given(saving_lib.H5IOStore):
    """Stands in for a weights file that Keras's loading code reads."""

    def __init__(self, given: Mapping[str, Array]) -> None:
        self.mode = "r"
        self._given = given

    def __bool__(self) -> bool:
        return True

    def has_path(self, path: str) -> bool:
        return any(key.startswith(f"{path}/") for key in self._given)

    def get(self, path: str) -> dict[str, Array]:
        prefix = f"{path}/vars/" if path else "vars/"
        return {key[len(prefix) :]: value for key, value in self._given.items() if key.startswith(prefix)}
