"""Gestures are pure functions from recipe to recipe."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.recipes import gestures
from core.recipes.gestures import make_edit, tag
from core.recipes.recipe import Recipe
from tests.gui.hand_made import steps

ORIGINAL = (96, 96, 3)


def sized(*shape: int) -> Recipe:
    return gestures.set_input(Recipe(), None, shape, "auto", ORIGINAL)


def test_that_a_new_input_shape_is_one_step() -> None:
    assert [edit.shape for edit in steps(sized(64, 64, 1))] == [(64, 64, 1)]


def test_that_a_second_input_shape_replaces_the_first() -> None:
    recipe = gestures.set_input(sized(64, 64, 1), None, (32, 32, 1), "sum", ORIGINAL)
    assert [(edit.shape, edit.channels) for edit in steps(recipe)] == [((32, 32, 1), "sum")]


def test_that_the_source_s_own_shape_takes_the_step_out() -> None:
    assert gestures.set_input(sized(64, 64, 1), None, ORIGINAL, "sum", ORIGINAL) == Recipe()


def test_that_inputs_with_names_have_steps_of_their_own() -> None:
    recipe = gestures.set_input(Recipe(), "left", (8, 8, 1), "auto", ORIGINAL)
    recipe = gestures.set_input(recipe, "right", (9, 9, 1), "auto", ORIGINAL)
    assert [edit.input for edit in steps(recipe)] == ["left", "right"]


def test_that_no_fields_take_the_first_convolution_step_out() -> None:
    recipe = gestures.set_stem(Recipe(), "conv1", {"filters": 128, "kernel_size": [5, 5]})
    assert (steps(recipe)[0].filters, steps(recipe)[0].kernel_size) == (128, (5, 5))
    assert gestures.set_stem(recipe, "conv1", {}) == Recipe()


def test_that_freezing_twice_extends_one_step() -> None:
    recipe = gestures.set_frozen(gestures.set_frozen(Recipe(), ["a"], True), ["b"], True)
    assert [(edit.layers, edit.trainable) for edit in steps(recipe)] == [(("a", "b"), False)]


def test_that_unfreezing_takes_the_layer_out_of_the_freezing_step() -> None:
    recipe = gestures.set_frozen(Recipe(), ["a", "b"], True)
    recipe = gestures.set_frozen(recipe, ["a"], False)
    assert [(edit.layers, edit.trainable) for edit in steps(recipe)] == [(("b",), False), (("a",), True)]


def test_that_a_layer_whose_name_looks_like_a_pattern_is_meant_literally() -> None:
    recipe = gestures.toggle_frozen(Recipe(), "block[1]", True)
    assert steps(recipe)[0].layers == ("block[[]1]",)


def test_that_a_batch_normalization_meant_by_itself_obeys() -> None:
    recipe = gestures.set_batch_norm(gestures.set_frozen(Recipe(), ["a"], True), "frozen")
    recipe = gestures.toggle_frozen(recipe, "bn", False, is_batch_norm=True)
    assert steps(recipe)[-1].batch_norm == "with_layer"
    assert steps(recipe)[-1].trainable is True


def test_that_all_but_some_is_everything_then_the_exceptions() -> None:
    recipe = gestures.freeze_all(gestures.set_frozen(Recipe(), ["x"], True), ["head"], frozen=True)
    assert [(edit.layers, edit.trainable) for edit in steps(recipe)] == [(("*",), False), (("head",), True)]


def test_that_a_fix_taken_twice_is_one_step() -> None:
    fix = make_edit("set_rule", weight="hidden/kernel", rule="initialize")
    recipe = gestures.apply_fix(gestures.apply_fix(Recipe(), [fix]), [fix])
    assert recipe.edits == (fix,)


def test_that_a_field_that_no_edit_knows_is_refused() -> None:
    with pytest.raises(Exception, match="unknown field"):
        make_edit("change_input", shape=[1, 1, 1], colour="blue")


@given(st.data())
def test_that_moving_a_step_there_and_back_changes_nothing(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 6))
    recipe = Recipe(edits=tuple(make_edit("set_trainable", layers=[f"l{number}"]) for number in range(count)))
    start, to = data.draw(st.integers(0, count - 1)), data.draw(st.integers(0, count - 1))
    moved = gestures.move_step(recipe, start, to)
    assert sorted(edit.layers for edit in steps(moved)) == sorted(edit.layers for edit in steps(recipe))
    assert moved.edits[to] == steps(recipe)[start]
    assert gestures.move_step(moved, to, start) == recipe


def test_that_a_step_switched_off_stays_in_its_place() -> None:
    recipe = gestures.toggle_step(sized(64, 64, 1), 0, False)
    assert recipe.active() == ()
    assert [tag(edit) for edit in steps(recipe)] == ["change_input"]
    assert gestures.toggle_step(recipe, 0, True) == sized(64, 64, 1)


def test_that_a_fix_that_comes_ahead_of_a_step_is_put_ahead_of_it() -> None:
    head, freeze = make_edit("attach_head", classes=3), make_edit("set_trainable", layers=["stem"])
    fixed = gestures.apply_fix(Recipe().plus(head, freeze), (make_edit("remove_head"), head))
    assert [gestures.tag(edit) for edit in fixed.edits] == ["remove_head", "attach_head", "set_trainable"]
