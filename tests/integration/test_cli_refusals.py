"""What the command line refuses: one sentence, the right exit code, nothing written."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import main

Run = Callable[..., tuple[int, str, str]]

GRAY = {"do": "change_input", "shape": [32, 32, 1], "channels": "sum"}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def refused(answer: tuple[int, str, str], code: int = 2) -> str:
    """Check that a command was refused in one sentence on standard error; returns it."""
    assert answer[0] == code, answer
    assert answer[1] == ""
    assert answer[2].count("\n") == 1
    assert "Traceback" not in answer[2]
    return answer[2]


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect"],
        ["inspect", "a", "b"],
        ["inspect", "--bogus", "a"],
        ["fly", "a"],
        ["apply", "a", "b"],
        ["--nothing"],
    ],
)
def test_that_bad_arguments_are_refused_in_one_sentence(cli: Run, arguments: list[str]) -> None:
    assert "see 'suture --help'" in refused(cli(*arguments))


def test_that_help_goes_to_standard_output(cli: Run) -> None:
    code, out, err = cli("--help")
    assert (code, err) == (0, "")
    for command in main.COMMANDS:
        assert command in out


@pytest.mark.parametrize("make", ["missing", "empty", "text", "truncated", "folder"])
def test_that_what_is_no_model_is_refused_in_one_sentence(cli: Run, samples: Path, tmp_path: Path, make: str) -> None:
    path = tmp_path / "model.keras"
    whole = (samples / "digits_vgg.keras").read_bytes()
    match make:
        case "empty":
            path.touch()
        case "text":
            path.write_text("I am not a model")
        case "truncated":
            path.write_bytes(whole[: len(whole) // 2])
        case "folder":
            path.mkdir()
    refused(cli("inspect", path))
    refused(cli("inspect", path, "--json"))


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({"do": "change_input", "shape": [32, 32, 1], "colour": "red"}, "colour"),
        ({"do": "change_input", "shape": [0, 32, 1]}, "Edit 1"),
        ({"do": "change_input", "shape": [-1, 32, 1]}, "Edit 1"),
        ({"do": "change_input", "shape": ["wide", 32, 1]}, "Edit 1"),
        ({"do": "change_input", "shape": [32, 1]}, "Edit 1"),
        ({"do": "replace_first_conv", "layer": "nowhere", "filters": 8}, "nowhere"),
        ({"do": "set_trainable", "layers": ["nowhere*"], "trainable": False}, "nowhere*"),
        ({"do": "fly"}, "fly"),
    ],
)
def test_that_a_bad_recipe_is_refused_and_nothing_is_written(
    cli: Run, recipe: Callable[..., Path], samples: Path, tmp_path: Path, edit: dict[str, Any], words: str
) -> None:
    out_path = tmp_path / "out" / "m.keras"
    out_path.parent.mkdir()
    assert (
        words.lower() in refused(cli("apply", samples / "digits_residual.keras", recipe(edit), "-o", out_path)).lower()
    )
    assert list(out_path.parent.iterdir()) == []


def test_that_a_recipe_that_is_no_recipe_is_refused(cli: Run, samples: Path, tmp_path: Path) -> None:
    model = samples / "digits_vgg.keras"
    assert "cannot be read" in refused(cli("plan", model, tmp_path / "none.json"))
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in refused(cli("plan", model, tmp_path / "bytes.json"))
    assert "not JSON" in refused(cli("plan", model, model.parent / "digits.py"))


def test_that_outputs_that_cannot_be_are_refused_and_the_source_stays(
    cli: Run, recipe: Callable[..., Path], samples: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source.keras"
    source.write_bytes((samples / "digits_vgg.keras").read_bytes())
    (tmp_path / "alias.keras").symlink_to(source)
    before = digest(source)
    for out in (tmp_path / "no" / "m.keras", source, tmp_path / "alias.keras", tmp_path / "m.exe", tmp_path):
        refused(cli("apply", source, recipe(GRAY), "-o", out))
    assert digest(source) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alias.keras", "recipe.json", "source.keras"]


def test_that_our_own_fault_is_exit_code_3_with_a_report(
    cli: Run, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr("core.service.apart.read_apart", fail)
    sentence = refused(cli("inspect", samples / "digits_vgg.keras"), code=3)
    report = Path(sentence.rpartition(" is in ")[2].strip().rstrip("."))
    assert "a fault of ours" in report.read_text()


def test_that_an_interrupt_ends_quietly(cli: Run, samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("core.service.apart.read_apart", interrupt)
    refused(cli("inspect", samples / "digits_vgg.keras"), code=130)


def test_that_a_plan_with_a_refused_step_tells_the_rest_and_the_step(
    cli: Run, recipe: Callable[..., Path], samples: Path
) -> None:
    path = recipe({"do": "replace_first_conv", "layer": "nowhere", "filters": 8}, GRAY)
    code, out, err = cli("plan", samples / "digits_residual.keras", path, "--json")
    answer = json.loads(out)
    assert (code, answer["ok"]) == (2, False)
    assert answer["inputs"][0]["shape"] == [None, 32, 32, 1]
    (told,) = [one for one in answer["findings"] if one["code"] == "step.refused"]
    assert (told["severity"], told["step"]) == ("error", 1)
    assert told["fixes"][-1]["step"] == 1
    assert told["fixes"][-1]["edits"][0]["enabled"] is False
    assert err.startswith("edit 1 (replace_first_conv): There is no layer 'nowhere'")
