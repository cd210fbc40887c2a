"""Recipes from files, and the hints at near names."""

from pathlib import Path

import pytest

from core.edits import EDITS, ChangeInput
from core.errors import RecipeError
from core.recipes.recipe import from_json, load_recipe, schema


def test_that_a_recipe_is_read_from_a_file_or_from_text(tmp_path: Path) -> None:
    text = '{"suture": 1, "edits": [{"do": "change_input", "shape": [null, null, 1]}]}'
    path = tmp_path / "recipe.json"
    path.write_text(text)
    expected = (ChangeInput(shape=(None, None, 1)),)
    assert [load_recipe(one).edits for one in (text, text.encode(), path, str(path))] == [expected] * 4


def test_that_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"gone\.json cannot be read"):
        load_recipe(tmp_path / "gone.json")


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ('{"do": "change_inputs", "shape": [1]}', "there is no edit 'change_inputs'; did you mean 'change_input'?"),
        ('{"do": "change_input", "shap": [1]}', "unknown field 'shap'; did you mean 'shape'?"),
        ('{"do": "change_input", "shape": [0, 8, 3]}', "shape contains 0"),
        ('{"do": "change_input", "shape": [-1, 8, 3]}', "shape contains -1"),
        ('{"do": "change_input", "shape": ["wide", 8, 3]}', "shape[0]: expected `int | null`, got `str`"),
        ('{"do": "change_input", "shape": [true, 8, 3]}', "expected `int | null`, got `bool`"),
        ('{"do": "replace_first_conv", "filters": 0}', "filters must be at least 1, not 0"),
        ('{"do": "attach_head", "classes": 2, "dropout": 2}', "dropout must be at least 0 and less than 1"),
        ('{"do": "set_rule", "weight": "a/kernel", "rule": "summ"}', "did you mean 'sum'"),
        ('{"do": "set_rule", "weight": "a/kernel", "rule": "sum", "seed": 1}', "unknown field 'seed'"),
        ('{"do": "set_trainable", "layers": []}', "layers is empty"),
        ('{"do": "insert_adapter", "shape": [8, 8, 3], "fit": "squeeze"}', "fit: invalid enum value 'squeeze'"),
    ],
)
def test_that_an_edit_is_refused_with_its_number(edit: str, words: str) -> None:
    good = '{"do": "change_input", "shape": [8, 8, 3]}'
    with pytest.raises(RecipeError) as caught:
        from_json(f'{{"edits": [{good}, {edit}]}}')
    assert caught.value.message.startswith("Edit 2")
    assert words in caught.value.message
    assert caught.value.fields["edit"] == 2


def test_that_the_schema_describes_every_edit() -> None:
    text = str(schema())
    assert all(f"'{name}'" in text for name in EDITS)
