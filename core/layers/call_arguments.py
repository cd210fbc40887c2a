"""Which arguments each built-in layer takes when it is called, and what becomes of those that it does not take. Pure.

Files of other Keras versions, and layers that are replaced by others, leave arguments behind that the class of now
refuses: a mask for a layer that only adds, the training flag of a Dropout, the states of an LSTM for a GRU.
"""

from typing import Any

from msgspec.structs import replace

from core.layers import table
from core.model.graph import Call, TensorRef, leaves

_FIRST = frozenset({"inputs", "sequences", "sequence", "data", "x", "query"})


def accepted(class_name: str) -> tuple[str, ...] | None:
    """The arguments of a built-in layer's call, the first being what it works on; `None` where that is not known."""
    return table.row(class_name).call


def refused(class_name: str, names: Any) -> tuple[str, ...]:
    """Those of the named arguments that a call of the class does not take."""
    takes = accepted(class_name)
    return () if takes is None else tuple(name for name in names if name not in takes)


def translated(
    call: Call, old: tuple[str, dict[str, Any]], new: tuple[str, dict[str, Any]]
) -> tuple[Call, tuple[str, ...]]:
    """The call of a layer of class and config `old` as one of `new`; names of arguments that meant something and went.

    What the layer works on stays whatever it is called. The states of one kind of recurrent layer go to another one as
    far as both have them.
    """
    takes = accepted(new[0])
    if takes is None:
        return call, ()
    args, kwargs = call.args, dict(call.kwargs)
    given = next((name for name in kwargs if name in _FIRST and name not in takes), None)
    if given is not None and not args:
        args = (kwargs.pop(given),)
    gone = [name for name in kwargs if name not in takes and _means(kwargs[name])]
    kwargs = {name: value for name, value in kwargs.items() if name in takes}
    states = kwargs.get("initial_state")
    if _means(states):
        kept = _states(states, _count(*old), _count(*new))
        if kept is None:
            del kwargs["initial_state"]
            gone.append("initial_state")
        else:
            kwargs["initial_state"] = kept
    if args is call.args and kwargs == call.kwargs:
        return call, ()
    return replace(call, args=args, kwargs=kwargs), tuple(gone)


def _means(value: Any) -> bool:
    """Whether an argument says something: a tensor, or a flag that is set."""
    return next(leaves(value), None) is not None or (value not in (None, False) and not _nothing(value))


def _nothing(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(one is None for one in value)


def _count(class_name: str, config: dict[str, Any]) -> tuple[int, bool]:
    """How many states a recurrent layer has, and whether it has them once for each direction."""
    inside = config.get("layer")
    if class_name == "Bidirectional" and isinstance(inside, dict):
        return _known(str(inside.get("class_name"))), True
    return _known(class_name), False


def _known(class_name: str) -> int:
    found = table.row(class_name)
    return found.states if found.kind == "units" else 0


def _states(given: Any, old: tuple[int, bool], new: tuple[int, bool]) -> Any:
    """The states as the new layer takes them, `None` where it needs one that is not given."""
    if old == new:
        return given
    flat = [given] if isinstance(given, TensorRef) else list(given)
    (had, both), (needs, twice) = old, new
    if not had or not needs or len(flat) != had * (1 + both) or needs > had:
        return None
    ways = [flat[:had], flat[had:]] if both else [flat]
    ways = ways if twice == both else ways[:1] * (1 + twice)
    return [state for way in ways for state in way[:needs]]
