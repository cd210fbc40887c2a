"""What several commands share: their arguments, and reading and planning what these name."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from core.cli.speech import Speech
from core.errors import FileError, PlanRefused
from core.recipes.recipe import Recipe, from_json

if TYPE_CHECKING:
    from core.readers.source import Source

MODEL = typer.Argument(metavar="MODEL", help="A model file. It is never changed.", show_default=False)
RECIPE = typer.Argument(
    metavar="RECIPE",
    help="A recipe: a JSON file (see 'suture schema'), JSON itself, or - for standard input.",
    show_default=False,
)
JSON = typer.Option("--json", help="Print JSON.")
CODE = typer.Option(
    "--code", metavar="FILE", help="Run this Python file, which defines the model's custom classes. Repeatable."
)
TRUST = typer.Option("--trust", help="Allow the Python code stored in the model to run.")
WEIGHTS = typer.Option("--weights", metavar="FILE", help="The weights file of an architecture.")


def load_recipe(path: str) -> Recipe:
    """The recipe in a file, in standard input (`-`), or in the argument itself if that is a JSON object.

    Raises `FileError` when it cannot be read, `RecipeError` when it is refused.
    """
    if path.lstrip()[:1] == "{":
        return from_json(path)
    if path == "-":
        return from_json(sys.stdin.read())
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is not a recipe; a recipe is a JSON file in UTF-8.", path=path) from error
    except OSError as error:
        raise FileError(f"The recipe {path} cannot be read ({error.strerror}).", path=path) from error
    return from_json(text)


_READABLE = (".keras", ".h5", ".hdf5")


def read(model: str, weights: str | None = None, arrays: bool = True) -> "Source":
    """The source in a file, read where the file can do no harm; `arrays` says that its arrays are wanted later."""
    from core.service.apart import read_apart

    return read_apart(model, weights, prove=arrays)


def planned(
    speech: Speech,
    model: str,
    weights: str | None,
    recipe: Recipe,
    code: list[str] | None,
    trust: bool,
    result: str | None = None,
    *,
    draft: bool = False,
) -> tuple[Any, Any]:
    """The engine with the source set, and its plan; a `draft` leaves out steps that cannot be applied and says so.

    Every file is read first, the recipe's and the `result` to be checked too: a bad one is told without waiting, and
    does no harm where Keras is.
    """
    from core.analysis.recipe_files import RecipeFiles
    from core.service.apart import read_proven

    source = read(model, weights)
    files = RecipeFiles(read_proven)
    files.of(recipe)
    if result is not None and Path(result).suffix.lower() in _READABLE and Path(result).exists():
        files.read(result)
    with speech.progress("importing Keras") as progress:
        from core.engine import api

        engine = api.Engine(files)
        progress("planning", 0.5)
        engine.set_source(source, code or (), trust)
        return engine, engine.draft(recipe) if draft else engine.plan(recipe)


def refuse_steps(engine: Any, recipe: Recipe, plan: Any) -> None:
    """Raises `RecipeError` with the number of the first step that a draft had to leave out."""
    if any(finding.code == "step.refused" for finding in plan.findings):
        engine.plan(recipe)


def refuse(speech: Speech, plan: Any) -> int:
    """Say why a plan that has errors is not carried out; the exit code."""
    errors = [finding for finding in plan.findings if finding.severity == "error"]
    if plan.ok:
        return 0
    first = errors[0].message if errors else "a weight does not fit and has no rule"
    count = f"{len(errors)} errors, the first" if len(errors) > 1 else "an error"
    speech.problem(f"The plan has {count}: {first.rstrip('.')}. Nothing was written.")
    return PlanRefused.exit_code
