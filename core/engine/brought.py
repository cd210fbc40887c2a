"""What a recipe brings: layers of its own go through the same gate as those of a file, before Keras hears of them.

Recipes are what people share. Trust in a model file, and code that it stores, never covers a recipe that is applied to
it: what an edit brings must be Keras's own, or defined in a file of code that the person named.
"""

import msgspec

from core.edits import AnyEdit
from core.engine.gate import STORED, marks_of, registered
from core.errors import EditError
from core.layers.foreign import foreign_code, foreign_models, layer_code, named_function
from core.model.graph import Graph, Layer
from core.readers.config_graph import is_known
from core.stopping import checkpoint

_FEW = 100


def refuse_code(edit: AnyEdit) -> None:
    """Raise `EditError` for an edit that holds stored code, a file to read, or a name that leads out of Keras."""
    for name in foreign_code(msgspec.to_builtins(edit), registered):
        raise EditError(_sentence(name))


def refuse_layers(before: Graph, after: Graph) -> None:
    """Raise `EditError` for a layer that an edit made or changed and that needs code, or a file, from elsewhere."""
    old = [layer for _, layer in before.walk()]
    same = set(map(id, old))
    fresh = [layer for _, layer in after.walk() if id(layer) not in same]
    # most edits change a layer or two; those that set a flag everywhere leave the configs as they are
    known = {_identity(layer) for layer in old} if len(fresh) > _FEW else frozenset()
    were = before.by_path() if len(fresh) > _FEW else {}
    for path, layer in after.walk():
        checkpoint()
        if id(layer) in same or layer.opaque or _identity(layer) in known or _only_flags(layer, were.get(path)):
            continue
        for name in _needs(layer):
            raise EditError(_sentence(name))
    if any(layer.is_model for layer in fresh) or after.class_name != before.class_name:
        models = {name for _, name in foreign_models(before, registered)}
        for _, name in foreign_models(after, registered):
            if name not in models:
                raise EditError(_sentence(name))


def _identity(layer: Layer) -> tuple[int, str, str | None, str | None]:
    return id(layer.config), layer.class_name, layer.module, layer.registered_name


def _only_flags(layer: Layer, old: Layer | None) -> bool:
    """Whether a layer is the one that was there but for things that are true or false, which bring no code."""
    return (
        old is not None
        and (layer.class_name, layer.module, layer.registered_name) == (old.class_name, old.module, old.registered_name)
        and not old.opaque
        and all(
            value is old.config.get(key, _MISSING) or (isinstance(value, bool) and key in old.config)
            for key, value in layer.config.items()
        )
    )


_MISSING = object()


def _needs(layer: Layer) -> list[str]:
    """What a layer needs that is neither Keras's nor the person's, code of the file that the person trusts aside."""
    found = [] if _is_ours(layer) else [layer.class_name]
    found += layer_code(layer.class_name, layer.config, registered)
    trusted = bool(layer.trusted) and marks_of(layer) <= layer.trusted
    return [name for name in found if not (trusted and name in STORED)]


def _is_ours(layer: Layer) -> bool:
    if layer.is_model or registered(layer.registered_name or layer.class_name):
        return True
    if layer.class_name == "Lambda":
        return named_function(layer.config, registered)
    return is_known(layer.module, layer.class_name)


def _sentence(name: str) -> str:
    if name in STORED:
        return (
            "it contains stored Python code, which is not allowed in a recipe, and none of it was run; use a Keras "
            "layer, or a class or function from a code file that you name."
        )
    if name == "a file":
        return "it names a file to read, which is not allowed in a recipe; give the words themselves as a list."
    return (
        f"it needs {name!r}, which is not part of Keras and whose code is not available; use a Keras class, or name "
        "the Python file that defines it."
    )
