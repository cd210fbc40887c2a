"""The command that writes a report."""

from typing import Annotated

import typer
from rich.text import Text

from core.cli.common import CODE, JSON, MODEL, RECIPE, TRUST, WEIGHTS, load_recipe, planned
from core.cli.speech import Speech
from core.recipes.recipe import Recipe
from core.writers.report import Facts, hashed, now, plain_pictures, versions, write_report


def add_report(app: typer.Typer, speech: Speech) -> None:
    """The `report` command."""

    @app.command()
    def report(
        model: Annotated[str, MODEL],
        recipe: Annotated[str, RECIPE],
        out: Annotated[str, typer.Option("-o", "--out", metavar="OUT", help="The report: .html or .md.")],
        result: Annotated[
            str | None,
            typer.Option("--result", metavar="FILE", help="A file written from them: it is verified for the report."),
        ] = None,
        weights: Annotated[str | None, WEIGHTS] = None,
        as_json: Annotated[bool, JSON] = False,
        code: Annotated[list[str] | None, CODE] = None,
        trust: Annotated[bool, TRUST] = False,
    ) -> int:
        """Write what a recipe does to a model as a page: graph, weights, costs, findings, hashes."""
        steps = load_recipe(recipe)
        engine, answer = planned(speech, model, weights, steps, code, trust, result)
        from core.engine.api import warm

        verification = None
        if result is not None:
            with speech.progress("verifying") as progress:
                verification = engine.verify(steps, result, progress)
        files = [("source", model), ("weights", weights), ("recipe", recipe), ("result", result)]
        found = warm()
        facts = Facts(
            source=engine.planner.source,
            recipe=steps,
            plan=answer,
            pictures=plain_pictures(engine.plan(Recipe()), answer),
            files=tuple(hashed(role, path) for role, path in files if path is not None),
            verification=verification,
            versions=versions(Keras=found["keras"], TensorFlow=found["tensorflow"]),
            made=now(),
        )
        size = write_report(out, facts)
        if as_json:
            speech.json({"written": out, "bytes": size, "ok": answer.ok})
        else:
            speech.show(Text(f"wrote {out} ({size:,} bytes)", style="green"))
        return 0
