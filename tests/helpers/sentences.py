"""Everything that Suture says, read off the source, as one page that somebody can read in one go.

Findings, fixes and errors come first, their parts put together as far as the source shows it. What is left are texts
that stand alone: reasons and insertions, summaries of steps, contracts, tables of words; and the texts of the window.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.helpers.blockers import ROOT

PAGE = ROOT / "resources" / "help" / "messages.md"
MAKERS = {"damaged", "unreadable", "Fix", "Unfoldable"}
"""Functions besides `Finding` and the errors whose strings a person reads."""
TABLES = {"known_ops", "rows", "likeness"}
"""Modules whose strings are names of classes and fields."""
OURS = {"RuntimeError", "AssertionError", "NotImplementedError"}
"""Errors that end in a report instead of a sentence."""
HEAD = """# Messages

Everything that Suture says, by the part of the program that says it: findings, fixes and errors, then summaries of
steps, reasons and other texts that are put into them, then the window's texts. Words in `{braces}` are filled in. A
test writes this page from the source, so that the sentences can be read and edited together.
"""
SECTIONS = {
    "Findings and errors": ("core", "gui"),
    "Summaries, reasons and insertions": ("core",),
    "The window": ("gui",),
}
_WORD = re.compile(r"(\{[\w.]+\}|[A-Za-z]?['\u2019A-Za-z-]+|\d+)[.,;:!?)\u2019\u201d\u2026]*")


def page() -> str:
    """The page as it should be."""
    said = {path: list(dict.fromkeys(sentences(path))) for path in _files("core", "gui")}
    parts = [HEAD]
    for title, rooms in SECTIONS.items():
        parts.append(f"# {title}\n")
        for path in _files(*rooms):
            found = said[path] if title == "Findings and errors" else list(dict.fromkeys(phrases(path, said[path])))
            if found:
                name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
                listed = (one.replace("\n", " ") for one in found)
                parts.append(f"## {name}\n\n" + "\n".join(f"- {one}" for one in listed) + "\n")
    return "\n".join(parts)


def _files(*rooms: str) -> list[Path]:
    return sorted(
        (path for room in rooms for path in (ROOT / room).rglob("*.py")), key=lambda path: (path.parent, path)
    )


def phrases(path: Path, said: Sequence[str]) -> Iterator[str]:
    """The other strings of one module that are words for a person, and in no sentence of `said`."""
    if path.stem in TABLES:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for text in _strings(tree):
        if _is_phrase(text) and not any(text in one for one in said):
            yield text


def _strings(node: ast.AST) -> Iterator[str]:
    """Every string but docstrings; f-strings whole."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        if isinstance(child, (ast.Constant, ast.JoinedStr)):
            yield from _texts(child)
        if isinstance(child, ast.JoinedStr):
            for part in child.values:
                if isinstance(part, ast.FormattedValue):
                    yield from _strings(part)
        elif not isinstance(child, ast.Call) or _called(child) not in OURS:
            yield from _strings(child)


def _is_phrase(text: str) -> bool:
    """Three words or more, or two that begin like a label; no names of fields, formats or files."""
    words = text.split()
    plain = [word for word in words if _WORD.fullmatch(word) and not word.startswith("{")]
    label = len(words) == 2 and text[:1].isupper()
    return (
        len(text) < 400
        and "|" not in text
        and (len(words) >= 3 or label)
        and len(plain) >= 2
        and len(plain) > 0.6 * len(words)
    )


def sentences(path: Path) -> Iterator[str]:
    """The strings of one module that reach a person in a finding, a fix or an error, f-strings with their names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for scope in ast.walk(tree):
        if isinstance(scope, (ast.FunctionDef, ast.Module)):
            yield from _said(scope)


def _said(scope: ast.FunctionDef | ast.Module) -> Iterator[str]:
    """What a scope says: strings given to a maker, and those of the variables that are given to one."""
    own = list(_own(scope))
    named: dict[str, list[ast.expr]] = {}
    for node in own:
        if isinstance(node, (ast.Assign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    named.setdefault(target.id, []).append(node.value)
    for node in own:
        if isinstance(node, ast.Call) and _makes(node):
            for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
                values = [argument]
                if isinstance(argument, ast.Name):
                    values = named.get(argument.id, [])
                for value in values:
                    yield from filter(_is_sentence, _texts(value))
        if isinstance(node, ast.Return) and node.value is not None and isinstance(scope, ast.FunctionDef):
            yield from (text for text in _texts(node.value) if _is_sentence(text) and text.rstrip().endswith("."))


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope, without those of functions inside it."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, (ast.FunctionDef, ast.Lambda)):
            yield from _own(child)


def _makes(call: ast.Call) -> bool:
    name = _called(call)
    return name in MAKERS or (name.endswith(("Finding", "Error", "Fault")) and name not in OURS)


def _called(call: ast.Call) -> str:
    called = call.func
    return called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""


def _texts(value: ast.expr) -> Iterator[str]:
    """Strings in an expression; both sides of a choice, parts of a sum put together."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.JoinedStr):
        yield "".join(_part(part) for part in value.values)
    elif isinstance(value, ast.IfExp):
        yield from _texts(value.body)
        yield from _texts(value.orelse)
    elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        left, right = list(_texts(value.left)) or ["{...}"], list(_texts(value.right)) or ["{...}"]
        yield from (one + other for one in left for other in right)
    elif isinstance(value, (ast.Tuple, ast.List)):
        for item in value.elts:
            yield from _texts(item)
    elif isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        yield from _texts(value.func.value)


def _part(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    inside = part.value if isinstance(part, ast.FormattedValue) else part
    text = ast.unparse(inside)
    return "{" + (text if text.replace(".", "").replace("_", "").isalnum() else _name(inside)) + "}"


def _name(value: ast.expr) -> str:
    """A short name for what an expression fills in: its last plain name."""
    names = [node.id for node in ast.walk(value) if isinstance(node, ast.Name)]
    return names[-1] if names else "..."


def _is_sentence(text: str) -> bool:
    return len(text.split()) >= 4 or (text.rstrip().endswith(".") and " " in text.strip())
