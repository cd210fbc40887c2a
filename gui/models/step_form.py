"""The fields of any kind of step, made of what its type says, so that every step can be edited in a form."""

import json
import types
from collections.abc import Callable
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from core.phrases import DYNAMIC
from core.recipes.gestures import tag
from core.recipes.words import field_words
from gui.widgets.cells import Field

_LEFT_OUT = ("enabled",)


def fields_of(edit: Any) -> list[Field]:
    """A field for each of the step's, those that must be filled first."""
    found = msgspec.structs.fields(type(edit))
    return [_field(one) for one in found if one.name not in _LEFT_OUT]


def shown_values(edit: Any) -> dict[str, Any]:
    """What the fields show for a step."""
    said = plain(edit)
    found: dict[str, Any] = {}
    for one in msgspec.structs.fields(type(edit)):
        if one.name not in _LEFT_OUT:
            value = said.get(one.encode_name, _default(one))
            found[one.encode_name] = str(value).lower() if _switch(one) and value is not None else value
    return found


def said_step(edit: Any, values: dict[str, Any]) -> dict[str, Any]:
    """The step as a recipe has it, with what the fields say; what equals a default is left out."""
    said = plain(edit)
    step: dict[str, Any] = {"do": tag(edit)}
    for one in msgspec.structs.fields(type(edit)):
        name = one.encode_name
        if one.name in _LEFT_OUT:
            if name in said:
                step[name] = said[name]
            continue
        value = values[name]
        if _switch(one):
            value = {"true": True, "false": False}.get(value)
        if one.required or value != _default(one):
            step[name] = value
    return step


def plain(value: Any) -> Any:
    """A value as JSON has it, with lists for tuples."""
    return msgspec.json.decode(msgspec.json.encode(value))


def _switch(one: Any) -> bool:
    """Whether a field is yes, no, or as it was."""
    kinds = _members(one.type)
    return bool in kinds and type(None) in kinds


def _default(one: Any) -> Any:
    if one.default_factory is not msgspec.NODEFAULT:
        return plain(one.default_factory())
    return None if one.default is msgspec.NODEFAULT else plain(one.default)


def _field(one: Any) -> Field:
    kinds = _members(one.type)
    optional = type(None) in kinds
    rest = [kind for kind in kinds if kind is not type(None)]
    label, hint = field_words(one.encode_name)
    name, key, default = one.encode_name, f"step_{one.encode_name}", _default(one)
    if len(rest) == 1 and rest[0] is bool and not optional:
        return Field(name, label, "flag", help=hint, key=key, beside=True, default=default)
    words = [word for kind in rest if get_origin(kind) is Literal for word in get_args(kind)]
    if words and all(get_origin(kind) is Literal for kind in rest) and all(isinstance(word, str) for word in words):
        options = [("", "as it was" if default is None else "none", "")] if optional else []
        options += [(word, word.replace("_", " "), "") for word in words]
        return Field(name, label, "choice", options=tuple(options), help=hint, key=key, default=default)
    if optional and rest == [bool]:
        options = [("", "as it was", ""), ("true", "yes", ""), ("false", "no", "")]
        return Field(name, label, "choice", options=tuple(options), help=hint, key=key, default=default)
    text = _text(rest, default)
    placeholder = "needed" if one.required else hint or "\u2013"
    read = _reader(label, rest, words, default, needed=one.required and not optional)
    return Field(name, label, "text", help=hint, hint=placeholder, read=read, write=text, key=key, default=default)


def _members(kind: Any) -> list[Any]:
    """The kinds in a union, or the one kind."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return [inner for one in get_args(kind) for inner in _members(one)]
    return [kind]


def _element(kinds: list[Any]) -> list[Any] | None:
    """What a sequence among the kinds is made of."""
    for kind in kinds:
        if get_origin(kind) is tuple:
            return _members(get_args(kind)[0])
    return None


def _plain(kinds: list[Any]) -> bool:
    """Whether values of a sequence can be typed with commas between them."""
    return all(kind in (int, float, str, type(None)) for kind in kinds)


def _text(kinds: list[Any], default: Any) -> Callable[[Any], str]:
    element = _element(kinds)

    def write(value: Any) -> str:
        if isinstance(value, str):
            return value
        if not value and value == default:
            return "" if isinstance(value, list) else json.dumps(value)
        if value == []:
            return "[]"
        if isinstance(value, (list, tuple)) and element is not None and _plain(element):
            words = [DYNAMIC if one is None else str(one) for one in value]
            if not any("," in word or not word.strip() for word in words):
                return ", ".join(words)
        return json.dumps(value)

    return write


def _reader(label: str, kinds: list[Any], options: list[Any], default: Any, *, needed: bool) -> Callable[[str], Any]:
    element = _element(kinds)
    numbers = [kind for kind in kinds if kind in (int, float)]

    def read(text: str) -> Any:
        if not text:
            if needed:
                raise ValueError(f"{label} is required.")
            return default
        if text in options:
            return text
        if text[:1] in "[{":
            try:
                return json.loads(text)
            except ValueError:
                if str not in kinds:
                    raise ValueError(f"{label} cannot be read as JSON.") from None
                return text
        if element is not None and _plain(element) and (str in element or not _is_word(text) or str not in kinds):
            words = [word.strip() for word in text.replace("\u00d7", ",").split(",") if word.strip()]
            if len(words) == 1 and numbers and str not in element:
                return _number(label, words[0], numbers)
            return [_one(label, word, element) for word in words]
        if numbers:
            try:
                return _number(label, text, numbers)
            except ValueError:
                if str not in kinds:
                    raise
        if str in kinds:
            return text
        try:
            return json.loads(text)
        except ValueError:
            raise ValueError(f"{label} cannot be read as JSON.") from None

    return read


def _is_word(text: str) -> bool:
    return any(letter.isalpha() for letter in text.replace(DYNAMIC, ""))


def _one(label: str, word: str, kinds: list[Any]) -> Any:
    if type(None) in kinds and word.lower() in (DYNAMIC, "none", "null"):
        return None
    numbers = [kind for kind in kinds if kind in (int, float)]
    if numbers:
        try:
            return _number(label, word, numbers)
        except ValueError:
            if str not in kinds:
                raise
    return word


def _number(label: str, text: str, kinds: list[Any]) -> Any:
    try:
        return int(text)
    except ValueError:
        if float not in kinds:
            raise ValueError(f"{label} must be a whole number, not \u201c{text[:20]}\u201d.") from None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{label} must be a number, not \u201c{text[:20]}\u201d.") from None
