"""Requests and replies between the window and its two helper processes: frozen and picklable."""

from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from core.analysis.slices import Slice
from core.errors import SutureError
from core.readers.source import Source
from core.recipes.recipe import Recipe

if TYPE_CHECKING:
    from core.layers.kinds import Kinds


class OpenModel(Struct, frozen=True, kw_only=True):
    """To the reader: describe a file (and a second one with its weights). Answer: `Source`.

    With `prove`, arrays that HDF5 has to work out are read too, so that nobody else meets what is wrong with them.
    `kinds` says what classes of the person's code derive from, where that code has been run.
    """

    path: str
    weights_path: str | None = None
    prove: bool = False
    kinds: "Kinds | None" = None


class PreviewWeight(Struct, frozen=True, kw_only=True):
    """To the reader: look at one array. Answer: `WeightPreview`. `weight` is the path shown to the person."""

    path: str
    key: str
    weight: str
    bins: int = 64
    kernels: int = 64


class ReadValues(Struct, frozen=True, kw_only=True):
    """To the reader: a part of one array as a table. Answer: `ValuesBlock`. `weight` is the path that is shown."""

    path: str
    key: str
    weight: str
    part: Slice


class ResultValues(Struct, frozen=True, kw_only=True):
    """To the engine: a part of one array of the recipe's result as a table. Answer: `ValuesBlock`."""

    recipe: Recipe
    weight: str
    part: Slice


class HashFiles(Struct, frozen=True, kw_only=True):
    """To the reader: what are these files, by their bytes? `files` are (role, path). Answer: a `HashedFile` each."""

    files: tuple[tuple[str, str], ...]


class Warm(Struct, frozen=True, kw_only=True):
    """To the engine: import Keras now. Answer: the versions, as a dict."""


class SetSource(Struct, frozen=True, kw_only=True):
    """To the engine: this is the source that a document's plans refer to. Answer: the plan of the empty recipe.

    `code` are Python files the person named as defining the model's classes: the engine runs them. `trust` lets
    bytecode that the model stores (Lambda layers) run.
    """

    source: Source
    code: tuple[str, ...] = ()
    trust: bool = False


class Turn(Struct, frozen=True, kw_only=True):
    """In the engine: what is asked next is about this document."""

    document: int


class Forget(Struct, frozen=True, kw_only=True):
    """To the engine: the document is closed. Answer: `None`."""


class MakePlan(Struct, frozen=True, kw_only=True):
    """To the engine: plan the recipe on the current source. Answer: `Plan`."""

    recipe: Recipe


class AskEffect(Struct, frozen=True, kw_only=True):
    """To the engine: what would change if step `row` (from 0) were switched the other way? Answer: lines of text.

    A plan that is asked for meanwhile ends it.
    """

    recipe: Recipe
    row: int


class Apply(Struct, frozen=True, kw_only=True):
    """To the engine: write the result. Answer: `Written`."""

    recipe: Recipe
    out: str
    verify: bool = True


class SaveArrays(Struct, frozen=True, kw_only=True):
    """To the engine: write arrays to a file of their own. Answer: `SavedArrays`.

    Those of the recipe's result, or with no recipe those of the source as its file holds them. `patterns` are paths of
    arrays or layers; none means all.
    """

    out: str
    recipe: Recipe | None = None
    patterns: tuple[str, ...] = ()


class Verify(Struct, frozen=True, kw_only=True):
    """To the engine: check a written file against source and recipe again. Answer: `Verification`."""

    recipe: Recipe
    out: str
    inputs: tuple[str, ...] = ()


class CheckAgain(Struct, frozen=True, kw_only=True):
    """To the engine: check the result kept unverified for `out`, and name it if it passes. Answer: `Written`."""

    recipe: Recipe
    out: str
    inputs: tuple[str, ...] = ()


class LookAtInputs(Struct, frozen=True, kw_only=True):
    """To the engine: what are these files to the result, and what is done so that they fit? Answer: sentences."""

    recipe: Recipe
    inputs: tuple[str, ...]


class CompareRules(Struct, frozen=True, kw_only=True):
    """To the engine: run every rule that fits edit `number` or a mismatched `weight`. Answer: `RuleDrift`s, best first

    `inputs` are files with the person's own data; empty means seeded random inputs.
    """

    recipe: Recipe
    number: int | None = None
    weight: str | None = None
    inputs: tuple[str, ...] = ()


class AskSizes(Struct, frozen=True, kw_only=True):
    """To the engine: which sizes may the input have along `axes` (batch counted)? Answer: `LegalSizes`."""

    recipe: Recipe
    input: str
    axes: tuple[int, ...]
    wanted: int | None = None


class BuildApplication(Struct, frozen=True, kw_only=True):
    """To the engine: build an architecture of Keras Applications and save it as `out`. Answer: the path.

    `weights` is `None`, `imagenet` or a file. `classes` counts only with `include_top`.
    """

    name: str
    out: str
    weights: str | None = None
    input_shape: tuple[int, ...] | None = None
    classes: int = 1000
    include_top: bool = True
    preprocessing: bool = True


class DescribeLayers(Struct, frozen=True, kw_only=True):
    """To the engine: which layer classes are there? Answer: `LayerClass`es by name."""


class CheckRecipes(Struct, frozen=True, kw_only=True):
    """To the engine: which of these recipes plan cleanly on the current source? Answer: a `RecipeCheck` each."""

    recipes: tuple[Recipe, ...]


class MatchWeights(Struct, frozen=True, kw_only=True):
    """To the engine: how would the weights of `file` lie beside the model's? Answer: `Matching`."""

    recipe: Recipe
    file: str
    match: Literal["name", "order", "shape", "pairs"] = "name"
    pairs: tuple[tuple[str, str], ...] = ()


class AskTrust(Struct, frozen=True, kw_only=True):
    """To the reader: was this file trusted before, as it is now? Answer: a bool. The whole file is read for it."""

    path: str


class TrustFile(Struct, frozen=True, kw_only=True):
    """To the reader: remember this file as trusted if it is still what was opened. Answer: `trust_store.Entry`."""

    path: str
    size: int
    mtime_ns: int


class Request(Struct, frozen=True):
    """An envelope. `id` comes back with every reply, so that a stale answer can be dropped.

    `document` is whom the engine's answer is about; all that is asked of one document refers to its own source.
    """

    id: int
    body: Any
    document: int = 0


class Reply(Struct, frozen=True):
    """Progress (`done=False`, a stage and a fraction in 0..1) or the end: a value or an error."""

    id: int
    done: bool = False
    stage: str = ""
    fraction: float = 0.0
    value: Any = None
    error: SutureError | None = None
