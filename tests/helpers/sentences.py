"""Every sentence of findings and errors, read off the source, as one page that somebody can read in one go."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.helpers.blockers import ROOT

PAGE = ROOT / "resources" / "help" / "messages.md"
MAKERS = {"damaged", "unreadable", "Fix"}
"""Functions besides `Finding` and the errors whose strings a person reads."""
HEAD = """# Messages

Everything that Suture says in findings and errors, by the part of the program that says it. Words in `{braces}` are
filled in. A test writes this page from the source, so that the sentences can be read and edited together.
"""


def page() -> str:
    """The page as it should be."""
    parts = [HEAD]
    for room in sorted({path.parent for path in _files()}):
        for path in sorted(room.glob("*.py")):
            found = list(dict.fromkeys(sentences(path)))
            if found:
                name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
                parts.append(f"## {name}\n\n" + "\n".join(f"- {one}" for one in found) + "\n")
    return "\n".join(parts)


def _files() -> list[Path]:
    return [path for room in ("core", "gui") for path in (ROOT / room).rglob("*.py")]


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
    called = call.func
    name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
    return name in MAKERS or name.endswith(("Finding", "Error", "Fault"))


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
