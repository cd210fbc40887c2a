"""The commands: each reads its arguments, calls the same functions as the window, and shows the answer."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from core import __version__
from core.cli import fields, tables
from core.cli.common import CODE, JSON, MODEL, RECIPE, TRUST, WEIGHTS, load_recipe, planned, read, refuse, refuse_steps
from core.cli.report import add_report
from core.cli.speech import Speech
from core.cli.weights import add_weights
from core.errors import NotChecked, OwnFault
from core.recipes.recipe import Recipe, schema
from core.writers.atomic import remove
from core.writers.partials import UNVERIFIED, meant_path
from core.writers.scripts import python_script

Tour = Callable[[str, Callable[[str], None]], None]


class Failed(StrEnum):
    """What becomes of a result that did not pass its check."""

    KEEP = "keep"
    REMOVE = "remove"


FAILED = typer.Option(
    "--failed", help="What becomes of a result that does not pass its check: kept as OUT.unverified, or removed."
)


def build(speech: Speech, tour: Tour | None) -> typer.Typer:
    """The command line as a typer application that talks through `speech`."""
    app = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    def tell_version(wanted: bool) -> None:
        if wanted:
            speech.show(f"suture {__version__}")
            raise typer.Exit

    @app.callback(epilog="Without a command, 'suture [MODEL]' opens the window.")
    def suture(
        version: Annotated[
            bool, typer.Option("--version", is_eager=True, callback=tell_version, help="Show the version and exit.")
        ] = False,
    ) -> None:
        """Adapt pretrained Keras models: see every mismatch before anything is built."""

    @app.command()
    def inspect(
        model: Annotated[str, MODEL],
        weights: Annotated[str | None, WEIGHTS] = None,
        as_json: Annotated[bool, JSON] = False,
    ) -> int:
        """Show what is in a file. Nothing in it is run, and Keras is not needed."""
        source = read(model, weights, arrays=False)
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
        steps = load_recipe(recipe)
        engine, answer = planned(speech, model, weights, steps, code, trust, draft=True)
        if as_json:
            speech.json(fields.plan_fields(answer))
        else:
            speech.show(*tables.planned(answer))
        refuse_steps(engine, steps, answer)
        return refuse(speech, answer)

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
        failed: Annotated[Failed, FAILED] = Failed.KEEP,
        weights: Annotated[str | None, WEIGHTS] = None,
        as_json: Annotated[bool, JSON] = False,
        code: Annotated[list[str] | None, CODE] = None,
        trust: Annotated[bool, TRUST] = False,
    ) -> int:
        """Write the adapted model, completely or not at all."""
        steps = load_recipe(recipe)
        engine, answer = planned(speech, model, weights, steps, code, trust, draft=True)
        if not answer.ok:
            if as_json:
                speech.json(fields.apply_fields(answer, None, None, None))
            refuse_steps(engine, steps, answer)
            if not as_json:
                speech.show(*tables.planned(answer))
            return refuse(speech, answer)
        written = _kept(lambda: _applied(speech, engine, steps, out, verify), failed)
        result = written.verification
        if as_json:
            speech.json(fields.apply_fields(written.plan, written.written or None, written.bytes, result))
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
        """Check an existing result against its source. One named OUT.unverified is renamed to OUT if it passes."""
        steps = load_recipe(recipe)
        engine, answer = planned(speech, model, weights, steps, code, trust, out)
        if not answer.ok:
            return refuse(speech, answer)
        if out.endswith(UNVERIFIED):
            with speech.progress("verifying") as progress:
                written = engine.check_again(steps, meant_path(out), progress)
            if as_json:
                speech.json(fields.verification_fields(written.verification))
            else:
                speech.show(*tables.verified(written.verification), *tables.written(written))
            return _judge(speech, written.verification, out)
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
        engine, answer = planned(speech, model, weights, steps, code, trust)
        if answer.ok:
            speech.program(python_script(engine.planner.source, steps, answer, out, code or (), trust))
        return refuse(speech, answer)

    @app.command()
    def diff(
        a: Annotated[str, typer.Argument(metavar="A", help="A model file.", show_default=False)],
        b: Annotated[str, typer.Argument(metavar="B", help="Another model file.", show_default=False)],
        tolerance: Annotated[
            float,
            typer.Option("--tolerance", min=0.0, help="The largest difference of values that counts as none."),
        ] = 0.0,
        every: Annotated[bool, typer.Option("--all", help="Give each layer its own lines instead of groups.")] = False,
        exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 if anything differs.")] = False,
        as_json: Annotated[bool, JSON] = False,
    ) -> int:
        """Compare the layers and weights of two files. Keras is not needed."""
        from core.analysis.diff import compare
        from core.cli.differences import differences

        one, other = read(a), read(b)
        with speech.progress("comparing") as progress:
            difference = compare(one, other, progress, tolerance)
        if as_json:
            speech.json(difference)
        else:
            speech.show(*differences(difference, every))
        return int(exit_code and not difference.same)

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

    add_weights(app, speech)
    add_report(app, speech)
    return app


def _applied(speech: Speech, engine: Any, steps: Recipe, out: str, verify: bool) -> Any:
    with speech.progress("writing") as progress:
        return engine.apply(steps, out, verify, progress)


def _kept(write: Callable[[], Any], failed: Failed) -> Any:
    """What was written; what did not pass its check is removed where the person wants it so."""
    try:
        written = write()
    except NotChecked as error:
        if failed is Failed.REMOVE and not error.fields["passed"]:
            remove(Path(error.fields["kept"]))
            said = f"{error.fields['reason']}. {Path(error.fields['out']).name} was not checked, so it was removed."
            raise NotChecked(said, **error.fields) from error.__cause__
        raise
    if failed is Failed.REMOVE and written.verification is not None and not written.verification.ok:
        remove(Path(written.written))
        return replace(written, written="")
    return written


def _judge(speech: Speech, result: Any, out: str, kept: str | None = None) -> int:
    """Say why a result is not good, and where it is kept if it was just written; the exit code."""
    if result is None or result.ok:
        return 0
    done = f"kept as {kept}" if kept else "removed"
    place = f" It was {done}; nothing was written as {out}." if kept is not None else ""
    speech.problem(f"{out} failed verification: {result.reason}.{place}")
    return OwnFault.exit_code if result.report else 1
