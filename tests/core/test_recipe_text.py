"""Recipes as JSON text: read, written, refused."""

import pytest

from core.edits import ChangeInput
from core.errors import RecipeError
from core.recipes.recipe import Recipe, from_json, schema, to_json


def test_that_a_recipe_survives_being_written_and_read() -> None:
    recipe = Recipe(
        edits=(ChangeInput(shape=(96, None, 1), channels="sum"), ChangeInput(shape=(8, 8, 3), enabled=False))
    )
    assert from_json(to_json(recipe)) == recipe


def test_that_the_shortest_recipe_is_an_empty_object() -> None:
    assert from_json("{}") == Recipe()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "a JSON object"),
        ('{"edits": {}}', "list of edits"),
        ('{"suture": 2}', "version 2"),
        ('{"edit": []}', "unknown field 'edit'"),
        ('{"edits": [3]}', "Edit 1: 'do' is missing; the edits are accept_losses"),
        ('{"edits": [{"do": "change_input", "shape": [8, 8, 1]}, {"do": "fly"}]}', "Edit 2: there is no edit 'fly'"),
        (
            '{"edits": [{"do": "change_input", "shape": [8, 8, 1], "colour": 1}]}',
            "Edit 1 (change_input): unknown field 'colour'",
        ),
        ('{"edits": [{"do": "change_input", "shape": [8, "wide", 1]}]}', "Edit 1 (change_input): shape[1]: expected"),
        ('{"edits": [{"do": "change_input"}]}', "Edit 1 (change_input): object missing required field `shape`"),
        ("[" * 200_000, "nested too deeply"),
    ],
)
def test_that_a_bad_recipe_is_refused_in_one_sentence(text: str, words: str) -> None:
    with pytest.raises(RecipeError) as caught:
        from_json(text)
    assert words.lower() in caught.value.message.lower()
    assert "\n" not in caught.value.message


def test_that_the_schema_names_every_edit() -> None:
    assert "ChangeInput" in str(schema())
