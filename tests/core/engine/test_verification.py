"""What "verified" means: something was compared, exactly; and a file that was not verified is not called like one."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from msgspec.structs import replace

import core.engine.api as door
import core.engine.verify as judge
from core.engine.specs import sentence
from core.errors import FileError, NotChecked
from core.model.plan import ContractResult, Verification
from tests.core.engine.drive import assert_verified, opened, recipe, saved

GRAY = {"do": "change_input", "shape": [6, 6, 1]}


def small() -> Any:
    """A convolution and a head."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(4)
    start = keras.Input((6, 6, 3), name="image")
    pooled = layers.GlobalAveragePooling2D(name="pool")(layers.Conv2D(4, 3, name="stem")(start))
    return keras.Model(start, layers.Dense(2, name="head")(pooled))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`small` as a file."""
    return saved(small(), tmp_path_factory.mktemp("small"))


def failed(*_: Any) -> Verification:
    """A verdict that says no."""
    return Verification(True, True, False, message="stem/kernel does not hold the planned values.", arrays=4)


# names


def test_that_a_file_that_fails_is_not_left_under_its_name(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "verify", failed)
    out = tmp_path / "new.keras"
    written = opened(source).apply(recipe(GRAY), out)
    assert written.written == str(tmp_path / "new.keras.unverified")
    assert [item.name for item in tmp_path.iterdir()] == ["new.keras.unverified"]
    assert Path(written.written).stat().st_size == written.bytes


def test_that_what_was_there_before_stays_when_the_new_file_fails(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "new.keras"
    out.write_text("older", encoding="utf-8")
    monkeypatch.setattr(door, "verify", failed)
    opened(source).apply(recipe(GRAY), out)
    assert out.read_text(encoding="utf-8") == "older"
    monkeypatch.undo()
    written = opened(source).apply(recipe(GRAY), out)
    assert (written.written, keras.saving.load_model(out).input_shape) == (str(out), (None, 6, 6, 1))


def test_that_nobody_sees_a_file_before_it_is_checked(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, seen = tmp_path / "new.keras", []

    def look(*arguments: Any) -> Verification:
        seen.append((arguments[3].name, out.exists()))
        return judge.verify(*arguments)

    monkeypatch.setattr(door, "verify", look)
    assert_verified(opened(source).apply(recipe(GRAY), out).verification)
    assert seen == [("new.keras", False)]
    assert [item.name for item in tmp_path.iterdir()] == ["new.keras"]


def test_that_an_interrupted_check_leaves_the_file_under_a_name_that_says_so(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> Verification:
        raise KeyboardInterrupt

    monkeypatch.setattr(door, "verify", interrupt)
    with pytest.raises(NotChecked) as caught:
        opened(source).apply(recipe(GRAY), tmp_path / "new.keras")
    assert isinstance(caught.value.__cause__, KeyboardInterrupt)
    assert [item.name for item in tmp_path.iterdir()] == ["new.keras.unverified"]


# what counts as verified


def test_that_a_verdict_needs_something_compared() -> None:
    assert not Verification(True, True, True).ok
    assert "nothing to compare" in Verification(True, True, True).reason
    assert Verification(True, True, True, arrays=2).ok
    assert Verification(True, True, True, (ContractResult("a == b", 0.0),)).ok
    assert Verification(False, False, True, skipped=True, message="Not run.", arrays=3).ok
    assert not Verification(False, False, True, skipped=True, message="Not run.").ok
    assert Verification(True, True, True, arrays=1, contracts=(ContractResult("a", 0.0),)).compared == (
        "1 array and 1 contract"
    )


def test_that_a_model_without_weights_is_compared_by_its_answers(tmp_path: Path) -> None:
    keras.backend.clear_session()
    start = keras.Input((4, 4, 3))
    path = saved(keras.Model(start, layers.Flatten(name="flat")(layers.MaxPooling2D()(start))), tmp_path)
    found = opened(path).apply(recipe(), tmp_path / "new.keras").verification
    assert_verified(found)
    assert found is not None
    assert (found.arrays, found.compared) == (0, "1 contract")


def test_that_every_array_counts_and_a_layer_that_is_gone_is_missed(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.keras"
    found = opened(source).apply(recipe(GRAY), out).verification
    assert found is not None
    assert found.arrays == 4
    shorter = keras.saving.load_model(out)
    keras.Model(shorter.inputs[0], shorter.get_layer("pool").output).save(out)
    again = opened(source).verify(recipe(GRAY), out)
    assert not again.ok
    assert not again.copied_equal


def test_that_a_mistake_of_our_own_is_not_told_as_a_broken_contract(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: Any, **__: Any) -> Any:
        raise AttributeError("no such field")

    monkeypatch.setattr("core.engine.contracts.paired_inputs", wrong)
    written = opened(source).apply(recipe(GRAY), tmp_path / "new.keras")
    found = written.verification
    assert found is not None
    assert found.contracts == ()
    assert "AttributeError" in found.message
    assert "no such field" in Path(found.report).read_text(encoding="utf-8")
    assert written.written.endswith(".unverified")


# exact


def deep(policy: str = "float32") -> Any:
    """Forty layers that amplify the last bit until single precision shows no contract to be exact."""
    keras.backend.clear_session()
    start = keras.Input((6, 6, 3), name="image")
    x = layers.Flatten(name="flat")(layers.Conv2D(8, 3, name="stem", dtype=policy)(start))
    for number in range(40 if policy == "float32" else 4):
        x = layers.Dense(48, activation="tanh", name=f"dense_{number}", dtype=policy)(x)
    model = keras.Model(start, layers.Dense(3, name="head", dtype=policy)(x))
    rng = np.random.default_rng(0)
    gain = 2.0 if policy == "float32" else 1.0
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape) * gain / np.sqrt(weight.shape[0]))
    return model


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_that_rounding_is_told_from_error_in_double_precision(policy: str, tmp_path: Path) -> None:
    path = saved(deep(policy), tmp_path)
    found = opened(path).apply(recipe(GRAY), tmp_path / "new.keras").verification
    assert_verified(found)
    assert found is not None
    (contract,) = found.contracts
    assert contract.drift < 1e-9
    assert contract.rounding is not None
    assert contract.rounding > 1e-5


@pytest.mark.parametrize("error", [3e-5, 1e-3])
def test_that_no_exact_contract_may_be_off_by_more_than_rounding(error: float, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.keras"
    opened(source).apply(recipe(GRAY), out)
    model = keras.saving.load_model(out)
    kernel = model.get_layer("head").kernel
    kernel.assign(np.asarray(kernel) * np.float32(1 + error))
    model.save(out)
    (contract,) = opened(source).verify(recipe(GRAY), out).contracts
    assert not contract.holds
    assert contract.drift > 1e-5


def test_that_a_rule_that_is_a_little_wrong_is_found_under_rounding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.rules.channels import SumChannels

    right = SumChannels.apply
    path = saved(deep(), tmp_path)
    monkeypatch.setattr(SumChannels, "apply", lambda *arguments: right(*arguments) * (1 + 1e-6))
    found = opened(path).apply(recipe(GRAY), tmp_path / "new.keras").verification
    assert found is not None
    assert not found.ok
    assert found.contracts[0].drift > 1e-5


# sentences


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "Exception encountered when calling StringLookup.call().\n\n\x1b[1m{{function_node __wrapped__"
            "LookupTableFindV2_device_/job:localhost/device:CPU:0}} Table not initialized. "
            "[Op:LookupTableFindV2] name: \x1b[0m\n\nArguments received by StringLookup.call():\n  inputs=1",
            "StringLookup.call: Table not initialized.",
        ),
        ("{{node a/b}} Bad\x07 \x1b]0;title\x07value", "Bad ]0;title value"),
        ("", "ValueError"),
    ],
)
def test_that_sentences_hold_no_terminal_codes(said: str, told: str) -> None:
    assert sentence(ValueError(said)) == told


# inputs that a recipe took away


@pytest.mark.parametrize("name", ["image", "nobody"])
def test_that_nothing_is_known_of_the_sizes_of_an_input_that_is_gone(name: str, source: Path) -> None:
    steps = recipe({"do": "start_at", "layers": ["stem"]})
    found = opened(source).legal_sizes(steps, name, (1, 2))
    assert (found.smallest, found.step, found.only, found.forbids) == (None, None, None, "")
    assert opened(source).legal_sizes(recipe(), "image", (1, 2)).smallest == 3


def test_that_an_error_that_is_no_mistake_of_ours_is_still_raised(source: Path, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="apply the recipe first"):
        opened(source).verify(recipe(GRAY), tmp_path / "none.keras")
    assert replace(Verification(True, True, True, arrays=1), report="x").ok is False
