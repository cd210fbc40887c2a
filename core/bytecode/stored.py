"""The function of a Lambda layer as model files store it: Keras 1's text, Keras 2's list, Keras 3's `__lambda__`.

`func_dump` of `keras/src/utils/python_utils.py` marshals the code and writes it as base64; before 2.0.9 Keras wrote the
bytes as `raw_unicode_escape` text. A function that is not a lambda is stored by name in Keras 3.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from core.bytecode.expressions import expression_of
from core.bytecode.formulas import Formula, Ref, Step, formula_of
from core.bytecode.instructions import disassemble, shown
from core.bytecode.marshal_reader import MAX_BYTES, BytecodeError, Code, read_code

_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")


class Stored(Struct, frozen=True, eq=False):
    """What a Lambda's `function` holds. `size` is that of the stored code in bytes, 0 for a function by name.

    `code` is `None` for a function by name, and for code that cannot be read (`problem` says why, as a clause).
    `bound` are the arguments whose values the file gives, `captured` the values of the function's closure.
    """

    name: str
    size: int = 0
    code: Code | None = None
    problem: str = ""
    bound: dict[str, Any] = {}
    captured: tuple[Any, ...] = ()

    def listing(self) -> str:
        """The code as text, with what is bound to its arguments."""
        if self.code is None:
            return f"{self.size} bytes that cannot be shown: {self.problem}" if self.size else ""
        lines = [disassemble(self.code)]
        lines += [f"{name} = {shown(value)}" for name, value in self.bound.items()]
        lines += [f"{name} = {shown(value)}" for name, value in zip(self.code.free, self.captured, strict=False)]
        return "\n".join(lines)


def stored_function(config: Mapping[str, Any]) -> Stored:
    """The function in a Lambda's config, in whichever form; nothing of it is run."""
    function = config.get("function")
    arguments = config.get("arguments")
    bound = dict(arguments) if isinstance(arguments, dict) else {}
    if isinstance(function, dict) and isinstance(function.get("config"), dict):
        inner = function["config"]
        code, defaults, closure = inner.get("code", inner.get("value")), inner.get("defaults"), inner.get("closure")
    elif isinstance(function, list) and function:
        code, defaults, closure = (*function, None, None)[:3]
    else:
        return Stored(_name(function), bound=bound)
    if not isinstance(code, str):
        return Stored("function", 1, problem="it is not text", bound=bound)
    return _stored(code, defaults, closure, bound)


def _name(function: Any) -> str:
    if isinstance(function, dict):
        function = function.get("config") or function.get("registered_name")
    return str(function)[:200] if isinstance(function, str) else "function"


def _stored(text: str, defaults: Any, closure: Any, bound: dict[str, Any]) -> Stored:
    raw = code_bytes(text)
    captured = tuple(closure) if isinstance(closure, list) else ()
    try:
        code = read_code(raw)
    except BytecodeError as error:
        return Stored("function", len(raw), None, str(error), bound, captured)
    if isinstance(defaults, dict):  # a serialised tuple
        inner = defaults.get("config")
        defaults = inner.get("value") if isinstance(inner, dict) else defaults.get("items")
    if isinstance(defaults, list) and 0 < len(defaults) < len(code.args):
        bound = {**dict(zip(code.args[-len(defaults) :], defaults, strict=True)), **bound}
    return Stored(code.name, len(raw), code, "", bound, captured)


def code_bytes(text: str) -> bytes:
    """The marshalled bytes behind the text that a file holds; empty where it is neither base64 nor raw text."""
    if len(text) > 2 * MAX_BYTES:
        return text[: 2 * MAX_BYTES].encode("utf-8", "replace")
    if _BASE64.fullmatch(text):
        try:
            return base64.b64decode(text)
        except (binascii.Error, ValueError):
            pass
    return text.encode("raw_unicode_escape")


def formula(stored: Stored, inputs: int) -> Formula | None:
    """What the function computes of `inputs` tensors (0: of one that is no list), where that is a known pattern."""
    code = stored.code
    if code is None:
        return _by_name(stored, inputs)
    tensors = [name for name in code.args if name not in stored.bound]
    if len(tensors) != 1 or tensors[0] != code.args[0] or len(stored.captured) < len(code.free):
        return None
    expression = expression_of(code, stored.bound, stored.captured)
    return formula_of(expression, tensors[0], inputs) if expression is not None else None


def _by_name(stored: Stored, inputs: int) -> Formula | None:
    """A function the file only names: what functions of that name and these arguments usually compute."""
    scale = stored.bound.get("scale")
    if stored.size or inputs or stored.name != "scaling" or set(stored.bound) != {"scale"}:
        return None
    if isinstance(scale, bool) or not isinstance(scale, (int, float)):
        return None
    # Inception-ResNet's `scaling(x, scale)`, as the keras-facenet family saves it
    step = Step("keras.src.ops.numpy", "Multiply", {}, (Ref(-1), scale))
    return Formula(f"x * {scale!r}", (step,), Ref(0), 0, False, (float(scale), 0.0))
