"""The command that lists arrays and saves them in files of their own."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from core.cli.common import CODE, JSON, MODEL, TRUST, WEIGHTS, load_recipe, planned, read, refuse
from core.cli.speech import Speech
from core.phrases import shape_words
from core.readers import open_store
from core.writers.array_choice import source_arrays
from core.writers.array_files import NamedArray, check_count, save_arrays
from core.writers.atomic import check_destination

if TYPE_CHECKING:
    from core.analysis.preview import Health

MAYBE_RECIPE = typer.Argument(metavar="RECIPE", help="With a recipe: the arrays of its result.", show_default=False)
LAYER = typer.Option(
    "--layer", metavar="PATH", help="A layer, model or array by its path; * and ? are wildcards. Repeatable."
)


class ArrayFields(Struct, frozen=True, omit_defaults=True):
    """One array; `values` only where they were asked for."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    values: "Health | None" = None


def add_weights(app: typer.Typer, speech: Speech) -> None:
    """The `weights` command."""

    @app.command()
    def weights(
        model: Annotated[str, MODEL],
        recipe: Annotated[str | None, MAYBE_RECIPE] = None,
        layer: Annotated[list[str] | None, LAYER] = None,
        out: Annotated[
            str | None,
            typer.Option("-o", "--out", metavar="OUT", help="Save them: .npy, .npz, .csv or .safetensors."),
        ] = None,
        values: Annotated[bool, typer.Option("--values", help="Read the arrays: range, zeros, NaN.")] = False,
        weights: Annotated[str | None, WEIGHTS] = None,
        as_json: Annotated[bool, JSON] = False,
        code: Annotated[list[str] | None, CODE] = None,
        trust: Annotated[bool, TRUST] = False,
    ) -> int:
        """List a model's arrays or save them, as they are in the file or as a recipe makes them."""
        wanted = tuple(layer or ())
        if recipe is None:
            source = read(model, weights)
            used = [Path(one) for one in (source.path, source.weights_path) if one is not None]
            with open_store(source) as store:
                return _tell(speech, source_arrays(source, store, wanted), out, used, values, as_json)
        steps = load_recipe(recipe)
        engine, answer = planned(speech, model, weights, steps, code, trust)
        if not answer.ok:
            return refuse(speech, answer)
        from core.engine.execute import used_paths
        from core.engine.saving import result_arrays

        made = engine.planned(steps)
        with result_arrays(made, wanted) as arrays:
            return _tell(speech, arrays, out, used_paths(made.files), values, as_json)


def _tell(
    speech: Speech,
    arrays: Sequence[NamedArray],
    out: str | None,
    used: Sequence[Path],
    values: bool,
    as_json: bool,
) -> int:
    """Save the arrays if there is a place for them, else list them."""
    if out is None:
        rows = tuple(_fields(one, values) for one in arrays)
        if as_json:
            speech.json(rows)
        else:
            speech.show(*listed(rows))
        return 0
    check_count(out, len(arrays))
    check_destination(Path(out), *used)
    with speech.progress("writing") as progress:
        saved = save_arrays(out, arrays, progress)
    if as_json:
        speech.json(saved)
    else:
        count = f"{saved.arrays:,} array{'s' * (saved.arrays != 1)}"
        speech.show(Text(f"wrote {count} to {saved.written} ({saved.bytes:,} bytes)", style="green"))
        speech.show(*map(Text, saved.notes))
    return 0


def _fields(one: NamedArray, values: bool) -> ArrayFields:
    if not values:
        return ArrayFields(one.name, one.shape, one.dtype)
    from core.analysis.preview import health

    return ArrayFields(one.name, one.shape, one.dtype, health(one.read(), one.name))


def listed(rows: Sequence[ArrayFields]) -> Iterator[RenderableType]:
    """A line for each array, and how many there are."""
    table = Table(box=None, pad_edge=False)
    with_values = any(row.values for row in rows)
    for title in ("array", "shape", "dtype", *(("minimum", "maximum", "mean", "values") if with_values else ())):
        table.add_column(title, overflow="fold")
    for row in rows:
        cells = [escape(row.name), shape_words(row.shape), escape(row.dtype)]
        if row.values is not None:
            one = row.values
            cells += [f"{one.minimum:.4g}", f"{one.maximum:.4g}", f"{one.mean:.4g}", one.words]
        table.add_row(*cells)
    if rows:
        yield table
    yield Text(f"{len(rows):,} array{'s' * (len(rows) != 1)}")
