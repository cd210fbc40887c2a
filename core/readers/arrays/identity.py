"""Which stored array is which of a layer whose class is not Keras's own: by storage key, by name, by the file's order.

Keras's own layers are known by name (`core.layers.weight_table`). Of others the file has the names that their code
gave them once, and the code as it is now says what it needs. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence

from core.layers.foreign import layer_code
from core.model.graph import Layer, Weight
from core.model.names import leaf


def needs_code(layer: Layer) -> bool:
    """Whether a layer's class, or that of a part in its config, is the person's."""
    if layer.is_operation or layer.is_input or layer.is_model:
        return False
    own = layer.module is None or layer.module.partition(".")[0] != "keras"
    return own or bool(layer_code(layer.class_name, layer.config))


def paired(needed: Iterable[Weight], held: Iterable[Weight]) -> dict[str, Weight]:
    """The stored array of each needed one that has one, by the needed one's name.

    `held` are in the file's order: that of Keras's `layer.weights`, which lists what trains first.
    """
    wanted = tuple(needed)
    left = {id(weight): weight for weight in held}
    found: dict[str, Weight] = {}

    def take(pairs: Mapping[str, Weight]) -> None:
        for name, weight in pairs.items():
            found[name] = left.pop(id(weight))

    def open_needs() -> list[Weight]:
        return [need for need in wanted if need.name not in found]

    same = any(weight.key for weight in left.values())  # of a layer of another class, only names say what they are
    take(_by_key(wanted, list(left.values())))
    by_name = {weight.name: weight for weight in left.values()}
    take({need.name: by_name[need.name] for need in open_needs() if need.name in by_name})
    for step in (_by_order, _by_leaf, _by_shape) if same else (_by_leaf,):
        take(step([need for need in open_needs() if not need.state], list(left.values())))
    return found


def _by_key(needed: Sequence[Weight], held: Sequence[Weight]) -> dict[str, Weight]:
    """Keras 3's storage keys, where the file has them: the same attributes, whatever the variables are called."""
    if not all("vars/" in weight.key for weight in held):
        return {}
    by_key = {_plain(weight.key): weight for weight in held}
    return {need.name: by_key[_plain(need.key)] for need in needed if _plain(need.key) in by_key}


def _by_order(needed: Sequence[Weight], held: Sequence[Weight]) -> dict[str, Weight]:
    """As many on both sides, called alike in the file's order: what trains first, or as the class lists them."""
    for order in (sorted(needed, key=lambda need: not need.trainable), list(needed)):
        if len(order) == len(held) and all(
            leaf(need.name) == leaf(weight.name) for need, weight in zip(order, held, strict=True)
        ):
            return {need.name: weight for need, weight in zip(order, held, strict=True)}
    return {}


def _by_leaf(needed: Sequence[Weight], held: Sequence[Weight]) -> dict[str, Weight]:
    """The last part of a name, where both sides have it once; else with the part before it."""
    found: dict[str, Weight] = {}
    for depth in (2, 1):
        mine = _once(needed, depth, found)
        theirs = _once([weight for weight in held if weight not in found.values()], depth, {})
        found.update({mine[key].name: theirs[key] for key in mine if key in theirs})
    return found


def _once(weights: Sequence[Weight], depth: int, without: Mapping[str, Weight]) -> dict[tuple[str, ...], Weight]:
    groups: dict[tuple[str, ...], list[Weight]] = {}
    for weight in weights:
        if weight.name not in without:
            parts = [part.strip("_") for part in weight.name.split("/")[:-1]] + [leaf(weight.name)]
            groups.setdefault(tuple(parts[-depth:]), []).append(weight)
    return {key: members[0] for key, members in groups.items() if len(members) == 1}


def _by_shape(needed: Sequence[Weight], held: Sequence[Weight]) -> dict[str, Weight]:
    """The file's order, where as many are left on both sides and every shape agrees."""
    for order in (sorted(needed, key=lambda need: not need.trainable), list(needed)):
        if [need.shape for need in order] == [weight.shape for weight in held]:
            return {need.name: weight for need, weight in zip(order, held, strict=True)}
    return {}


def _plain(key: str) -> str:
    """A key without the underscore that some versions put before private attributes."""
    return "/".join(part.lstrip("_") for part in key.split("/"))
