"""What to offer where quantized numbers stand in the way of an edit: floats first, and quantized again afterwards."""

from glob import escape

from core.edits import SetDtype
from core.findings import Fix
from core.model.graph import Layer
from core.surgery.quantized import MODES, parts, policy_name, source_of


def dequantizing_fixes(path: str, layer: Layer) -> tuple[Fix, ...]:
    """Make floats of the layer's numbers, and that with quantizing them again afterwards; nothing where neither is.

    The rule that the edit left for the floats takes effect whether they are made before or after it.
    """
    part = next((one for one in parts(layer) if one.mode), None)
    if part is None:
        return ()
    only = (escape(path),)
    floats = SetDtype(layers=only, policy=source_of(part.config))
    fixes = [Fix(f"Dequantize {layer.name}", (floats,))]
    if part.mode in MODES:
        again = SetDtype(layers=only, policy=policy_name(part.config) if part.mode == "int4" else part.mode)
        fixes.append(Fix(f"Dequantize {layer.name}, then quantize it to {part.mode} again", (floats, again)))
    return tuple(fixes)


def quantized_sentence(weight: str, stored: str, needed: str, layer: Layer) -> str:
    """Why quantized numbers do not go where they should."""
    mode = next((one.mode for one in parts(layer) if one.mode), "")
    if not mode:
        return (
            f"{weight} contains quantized numbers, but the config of {layer.name} says that it is not quantized; Keras "
            "itself cannot load such a file. Save the model before quantizing it."
        )
    return (
        f"{weight} is quantized ({mode}) and {stored} in the source, but the model now needs {needed}; "
        "dequantize it first, because quantized numbers cannot be adapted."
    )
