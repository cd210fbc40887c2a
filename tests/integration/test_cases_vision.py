"""Case 26: vision transformers at other sizes, in the forms that people have, against the same model built natively."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from core.analysis.opening import read_model
from core.errors import RecipeError
from core.model.plan import Plan, Written
from core.recipes.recipe import Recipe
from tests.core.engine.drive import assert_verified, drift, engine, outputs, recipe, saved
from tests.core.engine.small_models import fill
from tests.helpers import transformers as forms

Grid = tuple[int, int]
SMALL = 56, 56
LARGER = (96, 96), (64, 48)


@pytest.fixture(autouse=True)
def _no_code_left() -> Iterator[None]:
    keras.backend.clear_session()
    forms.forget_code()
    yield
    forms.forget_code()


def grid(size: Grid, patch: int = 8) -> Grid:
    return size[0] // patch, size[1] // patch


def plain(text: str) -> str:
    return text.replace("\N{MULTIPLICATION SIGN}", "x")


def told(plan: Plan) -> str:
    return plain("\n".join(finding.message for finding in plan.findings))


class Job:
    """A source, the code that is named for it, and the recipe as it grows by taking what is offered."""

    def __init__(self, model: Any, folder: Path, code: bool = False) -> None:
        fill(model)
        self.model, self.folder = model, folder
        source = saved(model, folder)
        forms.forget_code()
        self.engine = engine()
        self.engine.set_source(read_model(source), code=[str(forms.CODE)] if code else ())
        self.recipe = Recipe()

    def add(self, *edits: dict[str, Any]) -> Plan:
        self.recipe = Recipe(edits=(*self.recipe.edits, *recipe(*edits).edits))
        return self.engine.plan(self.recipe)

    def fixes(self, severity: str = "error") -> list[str]:
        findings = self.engine.plan(self.recipe).findings
        return [plain(fix.title) for finding in findings if finding.severity == severity for fix in finding.fixes]

    def take(self, beginning: str) -> Plan:
        """Take the first fix whose title begins so."""
        for finding in self.engine.plan(self.recipe).findings:
            for fix in finding.fixes:
                if plain(fix.title).startswith(beginning):
                    self.recipe = Recipe(edits=(*self.recipe.edits, *fix.edits))
                    return self.engine.plan(self.recipe)
        raise AssertionError(f"nothing offers {beginning!r}: {self.fixes()}")

    def written(self) -> tuple[Written, Any]:
        written = self.engine.apply(self.recipe, self.folder / "out.keras")
        model = keras.saving.load_model(self.folder / "out.keras", custom_objects=forms.named(), compile=False)
        return written, model

    def assert_like(self, native: Any, skipped: bool = False) -> None:
        """What is written answers as the native model does."""
        written, new = self.written()
        if skipped:
            assert written.verification is not None
            assert written.verification.copied_equal
        else:
            assert_verified(written.verification)
        x = np.random.default_rng(0).random((2, *native.inputs[0].shape[1:]), dtype=np.float32)
        assert drift(outputs(new, x)[0], outputs(native, x)[0]) < 1e-5


PREFIXES = {"class": 1, "class and distillation": 2, "four registers": 4, "class and four registers": 5}
FORMS: dict[str, tuple[Callable[..., Any], int]] = {
    "counted": (forms.counted, 0),
    "patch encoder": (forms.encoded, 0),
    "registers without positions": (partial(forms.prefixed, prefix=5, embed_prefix=False), 0),
    **{name: (partial(forms.prefixed, prefix=count), count) for name, count in PREFIXES.items()},
}


@pytest.mark.parametrize("size", LARGER, ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_that_case_26_every_form_of_table_goes_to_another_size_as_a_native_model(
    form: str, size: Grid, tmp_path: Path
) -> None:
    build, prefix = FORMS[form]
    job = Job(build(*SMALL), tmp_path, code=form != "counted")
    found = job.add({"do": "change_input", "shape": [*size, 3]})
    assert [one.code for one in found.findings if one.severity == "error"] == ["weight.mismatch"]
    assert not [one.code for one in found.findings if one.code == "legacy.repaired"]  # a file of this Keras is not old
    kept = {0: "", 1: " (1 prefix token kept)"}.get(prefix, f" ({prefix} prefix tokens kept)")
    there = grid(size)
    title = f"Resample the positions from a grid of 7x7 to {there[0]}x{there[1]}{kept}"
    assert job.fixes()[:2] == [title, "Resize inputs to 56x56 first"]
    done = job.take("Resample")
    assert done.ok
    assert "cost accuracy" in told(done)
    job.assert_like(forms.native(build(*size), job.model, grid(SMALL), there, prefix))


@pytest.mark.parametrize("form", ["patch encoder", "class"])
def test_that_case_26_tables_of_layers_without_code_are_known_by_name_and_grid(form: str, tmp_path: Path) -> None:
    build, prefix = FORMS[form]
    job = Job(build(*SMALL), tmp_path)
    found = job.add({"do": "change_input", "shape": [64, 48, 3]})
    assert not found.ok
    assert "7x7 grid" in told(found)
    assert "now 8x6" in told(found)
    assert job.take("Resample the positions").ok
    # the code comes back only to look at the result
    job.assert_like(forms.native(build(64, 48), job.model, (7, 7), (8, 6), prefix), skipped=True)


def test_that_case_26_a_table_without_code_may_be_left_or_the_image_resized(tmp_path: Path) -> None:
    job = Job(forms.prefixed(*SMALL), tmp_path)
    job.add({"do": "change_input", "shape": [96, 96, 3]})
    start = job.recipe
    assert job.take("Leave it").ok
    assert {fate.weight: fate.shape for fate in job.engine.plan(job.recipe).fates}["posembed/0"] == (1, 50, 8)
    job.recipe = start
    assert job.take("Resize inputs to 56x56 first").ok
    written, new = job.written()
    assert written.plan.inputs[0].shape == (None, 96, 96, 3)
    x = np.random.default_rng(0).random((1, 96, 96, 3), dtype=np.float32)
    small = np.asarray(ops.image.resize(x, SMALL))
    assert drift(outputs(new, x)[0], outputs(job.model, small)[0]) < 1e-5


def test_that_case_26_a_body_known_by_numbers_alone_follows_the_size(tmp_path: Path) -> None:
    """As in libraries whose files hold constructor arguments instead of layers; their code is not here."""
    job = Job(forms.backbone(*SMALL), tmp_path)
    found = job.add({"do": "change_input", "shape": [96, 96, 3]})
    assert "image_shape 56x56x3 became 96x96x3" in told(found)
    assert job.take("Resample the positions from a grid of 7x7 to 12x12 (1 prefix token kept)").ok
    job.assert_like(forms.native(forms.backbone(96, 96), job.model, (7, 7), (12, 12), 1), skipped=True)


def test_that_case_26_a_file_that_is_such_a_body_says_which_way_is_open(tmp_path: Path) -> None:
    body, bigger = forms.code().Backbone((56, 56, 3), 8), forms.code().Backbone((96, 96, 3), 8)
    fill(bigger)
    job = Job(body, tmp_path)
    with pytest.raises(RecipeError, match=r"Backbone.*transfer_weights"):
        job.add({"do": "change_input", "shape": [96, 96, 3]})
    job.recipe = Recipe()
    small = tmp_path / "source.keras"
    big = saved(bigger, tmp_path, "big.keras")
    job.engine.set_source(read_model(big))
    found = job.add({"do": "transfer_weights", "file": str(small)})
    assert [one.code for one in found.findings if one.severity == "error"] == ["weight.mismatch"]
    assert job.take("Resample the positions from a grid of 7x7 to 12x12 (1 prefix token kept)").ok
    job.assert_like(forms.native(forms.code().Backbone((96, 96, 3), 8), body, (7, 7), (12, 12), 1), skipped=True)


@pytest.mark.parametrize("size", LARGER, ids=str)
@pytest.mark.parametrize("table", [forms.waves, forms.plane_waves], ids=["of the number", "of row and column"])
def test_that_case_26_constant_sines_and_cosines_are_computed_anew(table: Any, size: Grid, tmp_path: Path) -> None:
    job = Job(forms.constant(*SMALL, table, 16), tmp_path)
    found = job.add({"do": "change_input", "shape": [*size, 3]})
    assert found.ok
    assert "sines and cosines were recomputed" in told(found)
    job.assert_like(forms.native(forms.constant(*size, table, 16), job.model, grid(SMALL), grid(size)))


@pytest.mark.parametrize("size", LARGER, ids=str)
def test_that_case_26_a_learnt_constant_is_resampled_and_said(size: Grid, tmp_path: Path) -> None:
    job = Job(forms.constant(*SMALL, forms.learnt), tmp_path)
    found = job.add({"do": "change_input", "shape": [*size, 3]})
    assert found.ok
    assert f"whose grid was 7x7 and is now {grid(size)[0]}x{grid(size)[1]}" in told(found)
    assert "costs accuracy" in told(found)

    def moved(new: Grid, width: int) -> Any:
        return forms.image_resampled(forms.learnt((7, 7), width), (7, 7), new, 0)

    job.assert_like(forms.native(forms.constant(*size, moved), job.model, grid(SMALL), grid(size)))


def test_that_case_26_a_constant_that_cannot_follow_is_named(tmp_path: Path) -> None:
    """Sixteen places of something that is no grid of patches."""
    start = keras.Input((16, 4))
    table = ops.convert_to_tensor(np.random.default_rng(0).standard_normal((16, 4)).astype("float32"))
    job = Job(keras.Model(start, layers.Dense(2)(ops.add(start, table))), tmp_path)
    found = job.add({"do": "change_input", "shape": [20, 4]})
    assert [one.code for one in found.findings if one.severity == "error"] == ["shape.incompatible"]
    assert "a constant of 16x4" in told(found)


@pytest.mark.parametrize("form", ["counted", "class", "constant"])
def test_that_case_26_as_many_tokens_in_another_grid_are_resampled(form: str, tmp_path: Path) -> None:
    """14 x 16 places are as many as 16 x 14: the count says nothing."""

    def moved(new: Grid, width: int) -> Any:
        table = forms.learnt((14, 16), width)
        return table if new == (14, 16) else forms.image_resampled(table, (14, 16), new, 0)

    builds: dict[str, tuple[Callable[..., Any], int]] = {
        "counted": (partial(forms.counted, patch=4), 0),
        "class": (partial(forms.prefixed, patch=4), 1),
        "constant": (lambda height, width: forms.constant(2 * height, 2 * width, moved), 0),
    }
    build, prefix = builds[form]
    job = Job(build(56, 64), tmp_path, code=True)
    shape = [128, 112, 3] if form == "constant" else [64, 56, 3]
    found = job.add({"do": "change_input", "shape": shape})
    assert found.ok
    if form != "constant":
        assert "the grid of positions was 14x16 and is now 16x14" in told(found)
        assert job.take("Resample the positions from a grid of 14x16 to 16x14").ok
    native = build(64, 56)
    for mine, theirs in zip(native.weights, job.model.weights, strict=True):
        values = np.asarray(theirs)
        tables = mine.path.endswith(("positions/embeddings", "pos_embedding"))
        mine.assign(forms.image_resampled(values, (14, 16), (16, 14), prefix) if tables else values)
    job.assert_like(native)


@pytest.mark.parametrize("table", ["an embedding", "a constant"])
def test_that_case_09_a_table_forbids_any_size_where_reshape_does_not(table: str, tmp_path: Path) -> None:
    start = keras.Input((*SMALL, 3))
    x = layers.Reshape((-1, 8), name="tokens")(layers.Conv2D(8, 8, strides=8, name="patches")(start))
    if table == "a constant":
        x = ops.add(x, ops.convert_to_tensor(forms.learnt((7, 7), 8)))
    else:
        numbers = ops.cumsum(ops.ones_like(x[:, :, 0], dtype="int32"), axis=1) - 1
        x = layers.Add()([x, layers.Embedding(49, 8, name="positions")(numbers)])
    job = Job(keras.Model(start, layers.GlobalAveragePooling1D()(x)), tmp_path)
    found = job.add({"do": "change_input", "shape": [None, None, 3]})
    said = [one for one in found.findings if one.severity == "warning"]
    where = "add" if table == "a constant" else "positions"
    assert [(one.code, one.layer) for one in said] == [("baked.constant", where)]
    assert "49 positions" in said[0].message


def test_that_case_26_smaller_patches_are_a_finer_grid(tmp_path: Path) -> None:
    """The kernel resized, the positions resampled: what reads patches of 8 reads patches of 4."""
    job = Job(forms.counted(*SMALL), tmp_path)
    found = job.add({"do": "replace_first_conv", "kernel_size": 4, "strides": 4, "kernel_rule": "pi_resize"})
    assert "tokens reshapes to [196, 8] instead of [49, 8]" in told(found)
    assert job.take("Resample the positions from a grid of 7x7 to 14x14").ok
    written, new = job.written()
    assert_verified(written.verification)
    table = np.asarray(new.get_layer("positions").embeddings)
    old = np.asarray(job.model.get_layer("positions").embeddings)
    np.testing.assert_allclose(table, forms.image_resampled(old, (7, 7), (14, 14), 0), atol=1e-5)


@pytest.mark.parametrize(("old", "new"), [(12, 20), (49, 64)])
def test_that_case_26_words_are_not_taken_for_places(old: int, new: int, tmp_path: Path) -> None:
    """As many words as tokens is a coincidence; numbers that come from outside may be anything."""
    start = keras.Input((old,), dtype="int32")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(old, 4, name="words")(start))
    job = Job(keras.Model(start, layers.Dense(2)(x)), tmp_path)
    found = job.add({"do": "change_input", "shape": [new]})
    assert found.ok
    assert {fate.weight: fate.fate for fate in found.fates}["words/embeddings"] == "copied"


def test_that_case_26_dense_after_flattened_tokens_is_resized_over_their_grid(tmp_path: Path) -> None:
    job = Job(forms.counted(*SMALL, kind="flat"), tmp_path)
    found = job.add({"do": "change_input", "shape": [64, 48, 3]})
    assert [one.layer for one in found.findings if one.severity == "error"] == ["positions", "head"]
    offered = job.fixes()
    for title in ("Resize the kernel over the map", "Spread it evenly", "Pool instead of flattening"):
        assert any(one.startswith(title) for one in offered)
    job.take("Resample")
    assert job.take("Resize the kernel over the map").ok
    written, new = job.written()
    assert_verified(written.verification)
    tokens = np.random.default_rng(0).random((3, 8, 6, 8), dtype=np.float32)
    shrunk = np.asarray(ops.image.resize(tokens, (7, 7), interpolation="bilinear", antialias=True))
    answers = new.get_layer("head")(tokens.reshape(3, -1)), job.model.get_layer("head")(shrunk.reshape(3, -1))
    assert drift(*answers) < 1e-5


def test_that_case_26_a_model_of_224_becomes_one_of_384(tmp_path: Path) -> None:
    build = partial(forms.prefixed, patch=16)
    job = Job(build(224, 224), tmp_path, code=True)
    job.add({"do": "change_input", "shape": [384, 384, 3]})
    assert job.take("Resample the positions from a grid of 14x14 to 24x24 (1 prefix token kept)").ok
    job.assert_like(forms.native(build(384, 384), job.model, (14, 14), (24, 24), 1))


def test_that_case_26_weights_of_224_go_into_a_fresh_model_of_256_by_192(tmp_path: Path) -> None:
    """The other way: the model is built at its size, and only the weights are taken."""
    build = partial(forms.prefixed, patch=16)
    job = Job(build(256, 192), tmp_path, code=True)
    trained = build(224, 224)
    fill(trained, seed=8)
    other = saved(trained, tmp_path, "trained.keras")
    found = job.add({"do": "transfer_weights", "file": str(other)})
    assert [one.layer for one in found.findings if one.severity == "error"] == ["posembed"]
    assert job.take("Resample the positions from a grid of 14x14 to 16x12 (1 prefix token kept)").ok
    job.assert_like(forms.native(build(256, 192), trained, (14, 14), (16, 12), 1))


def test_that_case_26_windows_stay_when_only_the_image_grows(tmp_path: Path) -> None:
    job = Job(forms.windowed(32, 32), tmp_path, code=True)
    found = job.add({"do": "change_input", "shape": [48, 64, 3]})
    wrong = [one for one in found.findings if one.severity == "error"]
    assert len(wrong) == 1, told(found)  # the mask of shifted windows, which the class computes
    assert "num_patch 8x8 became 12x16" in told(found)
    assert job.take("Use the initial values of the layer's code").ok
    job.assert_like(forms.native(forms.windowed(48, 64), job.model, (7, 7), (7, 7)))


def test_that_case_26_relative_positions_follow_another_window(tmp_path: Path) -> None:
    job = Job(forms.windowed(32, 32), tmp_path, code=True)
    sizes = (("windows", 0), ("shifted", 3))
    changes = [
        {"do": "replace_layer", "layer": name, "config": {"window_size": 6, "shift_size": by}} for name, by in sizes
    ]
    job.add({"do": "change_input", "shape": [48, 48, 3]}, *changes)
    for _ in sizes:
        job.take("Resample the relative positions from 7x7 to 11x11 (windows of 4 to 6)")
    for _ in range(3):
        found = job.take("Use the initial values of the layer's code")
    assert found.ok
    job.assert_like(forms.native(forms.windowed(48, 48, 6), job.model, (7, 7), (11, 11)))


def test_that_case_26_what_only_code_can_make_is_not_offered_without_it(tmp_path: Path) -> None:
    """A mask of another grid out of another file: nothing but the class can say what it should be."""
    small = forms.windowed(32, 32)
    fill(small)
    other = saved(small, tmp_path, "small.keras")
    job = Job(forms.windowed(48, 48), tmp_path)
    found = job.add({"do": "transfer_weights", "file": str(other)})
    assert [one.layer for one in found.findings if one.severity == "error"] == ["shifted"]
    assert job.fixes() == []
    weight = next(fate.weight for fate in found.fates if fate.fate == "mismatched")
    with pytest.raises(RecipeError, match="name the Python file that defines WindowBlock"):
        job.add({"do": "set_rule", "weight": weight, "rule": "initialize", "initializer": "layer"})


def test_that_case_26_settings_of_windows_without_code_are_called_unchecked(tmp_path: Path) -> None:
    job = Job(forms.windowed(32, 32), tmp_path)
    found = job.add({"do": "replace_layer", "layer": "windows", "config": {"window_size": 8}})
    assert any(
        one.severity == "warning" and "its weights are kept without checking" in one.message for one in found.findings
    )
