"""Recipes: an ordered list of edits, read from and written to JSON."""

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import Struct

from core.edits import AnyEdit
from core.errors import EditError, RecipeError
from core.phrases import did_you_mean
from core.rules import RULES

VERSION = 1


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """What to do to a source. `suture` is the format's version."""

    suture: int = 1
    edits: tuple[AnyEdit, ...] = ()

    def active(self) -> tuple[AnyEdit, ...]:
        """The edits that are switched on."""
        return tuple(edit for edit in self.edits if edit.enabled)

    def files(self) -> dict[str, tuple[str, str | None]]:
        """The further files that the active edits read, by name, each with the file of weights beside it."""
        return {name: paths for edit in self.active() for name, paths in edit.files.items()}

    def plus(self, *edits: AnyEdit) -> "Recipe":
        """This recipe with more edits at its end."""
        return msgspec.structs.replace(self, edits=(*self.edits, *edits))


def schema() -> dict[str, Any]:
    """JSON Schema of recipes."""
    return msgspec.json.schema(Recipe)


def to_json(recipe: Recipe) -> str:
    """The recipe as indented JSON."""
    return json.dumps(msgspec.to_builtins(recipe), indent=2) + "\n"


def load_recipe(text_or_path: str | bytes | Path) -> Recipe:
    """The recipe in a JSON text, or in the file at a path. Raises `RecipeError` with one sentence."""
    if isinstance(text_or_path, bytes):
        return from_json(text_or_path)
    if isinstance(text_or_path, str) and text_or_path.lstrip()[:1] in ("{", "["):
        return from_json(text_or_path)
    path = Path(text_or_path)
    try:
        return from_json(path.read_bytes())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RecipeError(f"The recipe {path} cannot be read: {reason}.", edit=None) from error


def from_json(text: str | bytes) -> Recipe:
    """The recipe in a JSON text. Raises `RecipeError` with one sentence that names the edit's number."""
    try:
        data = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"The recipe is not JSON ({error}).", edit=None) from error
    except RecursionError:
        raise RecipeError("The recipe is nested too deeply.", edit=None) from None
    if not isinstance(data, dict) or not isinstance(data.get("edits", []), list):
        raise RecipeError(
            'A recipe must be a JSON object with a list of edits: {"suture": 1, "edits": [...]}.', edit=None
        )
    for name in data:
        if name not in Recipe.__struct_fields__:
            raise RecipeError(f"The recipe has an unknown field {name!r}; it has 'suture' and 'edits'.", edit=None)
    version = data.get("suture", VERSION)
    if version != VERSION or isinstance(version, bool):
        raise RecipeError(f"The recipe has version {version!r}, but this Suture reads version {VERSION}.", edit=None)
    edits = (_edit(number, item) for number, item in enumerate(data.get("edits", []), start=1))
    return Recipe(suture=VERSION, edits=tuple(edits))


def _edit(number: int, data: Any) -> AnyEdit:
    do = data.get("do") if isinstance(data, dict) else None
    known = {str(kind.__struct_config__.tag): kind for kind in (get_args(AnyEdit) or (AnyEdit,))}
    if not isinstance(do, str) or do not in known:
        what = f"there is no edit {do!r}" if do is not None else "'do' is missing"
        hint = did_you_mean(do, known, f"; the edits are {', '.join(known)}.")
        raise RecipeError(f"Edit {number}: {what}{hint}", edit=number)
    kind = known[do]
    data = _nested_rule(data) if do == "set_rule" else data
    unknown = next((name for name in data if name not in (*kind.__struct_encode_fields__, "do")), None)
    if unknown is not None:
        known = kind.__struct_encode_fields__
        hint = did_you_mean(unknown, known, f"; it has {', '.join(sorted(known))}.")
        raise RecipeError(f"Edit {number} ({do}): unknown field {unknown!r}{hint}", edit=number)
    try:
        edit: AnyEdit = msgspec.convert(data, kind)
        edit.check()
    except (msgspec.ValidationError, EditError) as error:
        reason, _, place = str(error).rstrip(".").partition(" - at `$")
        place = place.strip("`.")
        reason = f"{place}: {reason[:1].lower()}{reason[1:]}" if place else reason
        raise RecipeError(f"Edit {number} ({do}): {reason}.", edit=number) from error
    return edit


def _nested_rule(data: dict[str, Any]) -> dict[str, Any]:
    """A set_rule whose rule's fields stand beside `rule`, with them inside."""
    own = ("do", "weight", "enabled")
    rule = data.get("rule")
    if not isinstance(rule, str) or rule not in RULES:
        return data
    fields = {name: value for name, value in data.items() if name not in own and name in RULES[rule].__struct_fields__}
    if not fields:
        return data
    rest = {name: value for name, value in data.items() if name not in fields}
    return {**rest, "rule": {"rule": rule, **fields}}
