"""The commands: each reads its arguments, calls the same functions as the window, and shows the answer."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli import fields, tables
from core.cli.speech import Speech
from core.errors import FileError, OwnFault, PlanRefused
from core.recipes.recipe import Recipe, from_json, schema
from core.writers.scripts import python_script

if TYPE_CHECKING:
    from core.readers.source import Source

Tour = Callable[[str, Callable[[str], None]], None]

MODEL = typer.Argument(metavar="MODEL", help="A model file. It is never changed.", show_default=False)
RECIPE = typer.Argument(metavar="RECIPE", help="A recipe: a JSON file (see 'suture schema').", show_default=False)
JSON = typer.Option("--json", help="Print JSON.")
CODE = typer.Option(
    "--code", metavar="FILE", help="Run this Python file, which defines the model's custom classes. Repeatable."
)
TRUST = typer.Option("--trust", help="Allow the Python code stored in the model to run.")
WEIGHTS = typer.Option("--weights", metavar="FILE", help="The weights file of an architecture.")


def build(speech: Speech, tour: Tour | None) -> typer.Typer:
    """The command line as a typer application that talks through `speech`."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

    @app.callback(epilog="Without a command, 'suture [MODEL]' opens the window.")
    def suture() -> None:
        """Adapt pretrained Keras models: see every mismatch before anything is built."""

    @app.command()
    def inspect(
        model: Annotated[str, MODEL],
        weights: Annotated[str | None, WEIGHTS] = None,
        as_json: Annotated[bool, JSON] = False,
    ) -> int:
        """Show what is in a file. Nothing in it is run, and Keras is not needed."""
        source = _read(model, weights, arrays=False)
        if as_json:
            speech.json(fields.inspect_fields(source))
        else:
            speech.show(*tables.inspection(source))
        return 0

    @app.command()
    def plan(
        model: Annotated[str, MODEL],
        recipe: Annotated[str, RECIPE],
        weights: Annotated[str | None, WEIGHTS] = None,
        as_json: Annotated[bool, JSON] = False,
        code: Annotated[list[str] | None, CODE] = None,
        trust: Annotated[bool, TRUST] = False,
    ) -> int:
        """Show what would happen to each weight. Nothing is written."""
        _, answer = _planned(speech, model, weights, load_recipe(recipe), code, trust)
        if as_json:
            speech.json(fields.plan_fields(answer))
        else:
            speech.show(*tables.planned(answer))
        return _refuse(speech, answer)

    @app.command()
    def apply(
        model: Annotated[str, MODEL],
        recipe: Annotated[str, RECIPE],
        out: Annotated[
            str, typer.Option("-o", "--out", metavar="OUT", help="The file to write; its extension sets the format.")
        ],
        verify: Annotated[
            bool,
            typer.Option(
                "--verify/--no-verify", help="Check the result against the source with Keras before it gets its name."
            ),
        ] = True,
        weights: Annotated[str | None, WEIGHTS] = None,
        as_json: Annotated[bool, JSON] = False,
        code: Annotated[list[str] | None, CODE] = None,
        trust: Annotated[bool, TRUST] = False,
    ) -> int:
        """Write the adapted model, completely or not at all."""
        steps = load_recipe(recipe)
        engine, answer = _planned(speech, model, weights, steps, code, trust)
        if not answer.ok:
            if as_json:
                speech.json(fields.apply_fields(answer, None, None, None))
            else:
                speech.show(*tables.planned(answer))
            return _refuse(speech, answer)
        with speech.progress("writing") as progress:
            written = engine.apply(steps, out, verify, progress)
        result = written.verification
        if as_json:
            speech.json(fields.apply_fields(written.plan, written.written, written.bytes, result))
        else:
            speech.show(*tables.planned(written.plan))
            speech.show(*tables.verified(result) if result is not None else ())
            speech.show(*tables.written(written))
        return _judge(speech, result, out, written.written)

    @app.command()
    def verify(
        model: Annotated[str, MODEL],
        recipe: Annotated[str, RECIPE],
        out: Annotated[str, typer.Argument(metavar="OUT", help="The result to check.", show_default=False)],
        weights: Annotated[str | None, WEIGHTS] = None,
        as_json: Annotated[bool, JSON] = False,
        code: Annotated[list[str] | None, CODE] = None,
        trust: Annotated[bool, TRUST] = False,
    ) -> int:
        """Check an existing result against its source."""
        steps = load_recipe(recipe)
        engine, answer = _planned(speech, model, weights, steps, code, trust, out)
        if not answer.ok:
            return _refuse(speech, answer)
        with speech.progress("verifying") as progress:
            result = engine.verify(steps, out, progress)
        if as_json:
            speech.json(fields.verification_fields(result))
        else:
            speech.show(*tables.verified(result))
        return _judge(speech, result, out)

    @app.command()
    def script(
        model: Annotated[str, MODEL],
        recipe: Annotated[str, RECIPE],
        out: Annotated[str, typer.Option("-o", "--out", metavar="OUT", help="The file that the program writes.")],
        weights: Annotated[str | None, WEIGHTS] = None,
        code: Annotated[list[str] | None, CODE] = None,
        trust: Annotated[bool, TRUST] = False,
    ) -> int:
        """Print a Python program that does the same and prepares training."""
        steps = load_recipe(recipe)
        engine, answer = _planned(speech, model, weights, steps, code, trust)
        if answer.ok:
            speech.program(python_script(engine.planner.source, steps, answer, out, code or (), trust))
        return _refuse(speech, answer)

    @app.command()
    def diff(
        a: Annotated[str, typer.Argument(metavar="A", help="A model file.", show_default=False)],
        b: Annotated[str, typer.Argument(metavar="B", help="Another model file.", show_default=False)],
        as_json: Annotated[bool, JSON] = False,
    ) -> int:
        """Compare the graph and weights of two files. Keras is not needed."""
        from core.analysis.diff import compare

        one, other = _read(a), _read(b)
        with speech.progress("comparing") as progress:
            difference = compare(one, other, progress)
        if as_json:
            speech.json(difference)
        else:
            speech.show(*tables.differences(difference))
        return 0

    @app.command(name="schema")
    def show_schema() -> int:
        """Print the JSON Schema of recipes."""
        speech.json(schema())
        return 0

    @app.command(name="tour")
    def take_tour(
        folder: Annotated[
            str, typer.Argument(metavar="DIR", help="The folder for pictures and models.", show_default=False)
        ],
    ) -> int:
        """Run the real window through a whole job on samples, offscreen if there is no display."""
        if tour is None:
            raise typer.BadParameter("the tour needs the window, which is not installed")
        tour(folder, speech.log)
        return 0

    return app


def load_recipe(path: str) -> Recipe:
    """The recipe in a file. Raises `FileError` when it cannot be read, `RecipeError` when it is refused."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is not a recipe; a recipe is a JSON file in UTF-8.", path=path) from error
    except OSError as error:
        raise FileError(f"The recipe {path} cannot be read ({error.strerror}).", path=path) from error
    return from_json(text)


_READABLE = (".keras", ".h5", ".hdf5")


def _read(model: str, weights: str | None = None, arrays: bool = True) -> "Source":
    """The source in a file, read where the file can do no harm; `arrays` says that its arrays are wanted later."""
    from core.service.apart import read_apart

    return read_apart(model, weights, prove=arrays)


def _planned(
    speech: Speech,
    model: str,
    weights: str | None,
    recipe: Recipe,
    code: list[str] | None,
    trust: bool,
    result: str | None = None,
) -> tuple[Any, Any]:
    """The engine with the source set, and its plan.

    Every file is read first, the recipe's and the `result` to be checked too: a bad one is told without waiting, and
    does no harm where Keras is.
    """
    from core.analysis.recipe_files import RecipeFiles
    from core.service.apart import read_proven

    source = _read(model, weights)
    files = RecipeFiles(read_proven)
    files.of(recipe)
    if result is not None and Path(result).suffix.lower() in _READABLE and Path(result).exists():
        files.read(result)
    with speech.progress("importing Keras") as progress:
        from core.engine import api

        engine = api.Engine(files)
        progress("planning", 0.5)
        engine.set_source(source, code or (), trust)
        return engine, engine.plan(recipe)


def _refuse(speech: Speech, plan: Any) -> int:
    errors = [finding for finding in plan.findings if finding.severity == "error"]
    if plan.ok:
        return 0
    first = errors[0].message if errors else "a weight does not fit and has no rule"
    count = f"{len(errors)} errors, the first" if len(errors) > 1 else "an error"
    speech.problem(f"The plan has {count}: {first.rstrip('.')}. Nothing was written.")
    return PlanRefused.exit_code


def _judge(speech: Speech, result: Any, out: str, kept: str | None = None) -> int:
    """Say why a result is not good, and where it is kept if it was just written; the exit code."""
    if result is None or result.ok:
        return 0
    place = f" It was kept as {kept}; nothing was written as {out}." if kept is not None else ""
    speech.problem(f"{out} failed verification: {result.reason}.{place}")
    return OwnFault.exit_code if result.report else 1
