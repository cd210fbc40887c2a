"""The command line as scripts see it: fields, streams, exit codes."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import main
from core import __version__
from core.phrases import shape_words
from tests.helpers.blockers import ROOT, run_blocked

Run = Callable[..., tuple[int, str, str]]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


GRAY = {"do": "change_input", "shape": [32, 32, 1], "channels": "sum"}


# inspect


def test_that_inspect_describes_a_model_with_exactly_the_contracted_fields(cli: Run, samples: Path) -> None:
    code, out, err = cli("inspect", samples / "digits_residual.keras", "--json")
    answer = json.loads(out)
    assert (code, err) == (0, "")
    assert list(answer) == [
        "format", "keras_version", "class", "inputs", "outputs", "params", "layers", "findings",
    ]  # fmt: skip
    assert answer["inputs"] == [{"name": "image", "shape": [None, 32, 32, 3], "dtype": "float32"}]
    assert answer["class"] == "Functional"
    stem = next(layer for layer in answer["layers"] if layer["path"] == "stem_conv")
    assert stem == {
        "path": "stem_conv",
        "class": "Conv2D",
        "trainable": True,
        "params": 432,
        "shape": [None, 32, 32, 16],
        "inbound": ["image"],
        "weights": [{"name": "kernel", "shape": [3, 3, 3, 16], "dtype": "float32"}],
        "layers": [],
    }


def test_that_inspect_counts_and_shapes_are_those_of_keras(cli: Run, samples: Path) -> None:
    import keras

    for name in ("digits_residual", "digits_vgg", "digits_nested"):
        model = keras.saving.load_model(samples / f"{name}.keras")
        answer = json.loads(cli("inspect", samples / f"{name}.keras", "--json")[1])
        assert answer["params"] == model.count_params()
        for layer in answer["layers"]:
            if layer["class"] != "InputLayer" and not layer["layers"]:
                expected = [list(weight.shape) for weight in model.get_layer(layer["path"]).weights]
                stored = [weight["shape"] for weight in layer["weights"] if "seed_generator" not in weight["name"]]
                assert sorted(stored) == sorted(expected)


def test_that_nested_layers_are_listed_inside_their_model_with_full_paths(cli: Run, samples: Path) -> None:
    answer = json.loads(cli("inspect", samples / "digits_nested.keras", "--json")[1])
    backbone = next(layer for layer in answer["layers"] if layer["path"] == "backbone")
    conv = next(layer for layer in backbone["layers"] if layer["class"] == "Conv2D")
    assert conv["path"] == "backbone/conv1"
    assert conv["inbound"] == ["backbone/backbone_image"]


def test_that_inspect_for_people_names_layers_weights_and_shapes(cli: Run, samples: Path) -> None:
    code, out, err = cli("inspect", samples / "digits_vgg.keras")
    assert (code, err) == (0, "")
    assert "block1_conv1" in out
    assert "3\u00d73\u00d73\u00d716" in out


@pytest.mark.parametrize("command", ["inspect", "diff"])
def test_that_describing_files_needs_neither_keras_nor_qt(command: str, samples: Path) -> None:
    model = str(samples / "digits_vgg.keras")
    arguments = [command, model, "--json"] if command == "inspect" else [command, model, model, "--json"]
    done = run_blocked(f"import main; raise SystemExit(main.main({arguments!r}))", {"tensorflow", "keras", "PySide6"})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


# plan


def test_that_plan_tells_a_fate_for_every_weight(cli: Run, recipe: Callable[..., Path], samples: Path) -> None:
    code, out, err = cli("plan", samples / "digits_residual.keras", recipe(GRAY), "--json")
    answer = json.loads(out)
    assert (code, err) == (0, "")
    assert list(answer) == [
        "ok", "inputs", "outputs", "params", "trainable_params", "fates", "merged", "dropped", "findings",
    ]  # fmt: skip
    assert answer["ok"] is True
    assert answer["inputs"] == [{"name": "image", "shape": [None, 32, 32, 1], "dtype": "float32"}]
    fates = {fate["weight"]: fate for fate in answer["fates"]}
    assert fates["stem_conv/kernel"] == {
        "weight": "stem_conv/kernel",
        "fate": "adapted",
        "rule": "sum",
        "from": "stem_conv/kernel",
        "source_shape": [3, 3, 3, 16],
        "shape": [3, 3, 1, 16],
    }
    assert {fate["fate"] for name, fate in fates.items() if name != "stem_conv/kernel"} == {"copied"}


def test_that_a_mismatch_is_an_error_with_fixes_and_exit_code_1(
    cli: Run, recipe: Callable[..., Path], samples: Path
) -> None:
    code, out, err = cli(
        "plan", samples / "digits_vgg.keras", recipe({"do": "change_input", "shape": [48, 48, 3]}), "--json"
    )
    answer = json.loads(out)
    assert code == 1
    assert answer["ok"] is False
    (finding,) = [one for one in answer["findings"] if one["severity"] == "error"]
    assert finding["layer"] == "fc1"
    assert finding["fixes"]
    assert set(finding["fixes"][0]) == {"title", "edits"}
    assert finding["fixes"][0]["edits"][0]["do"]
    assert err.count("\n") == 1


def test_that_a_fix_added_to_the_recipe_makes_the_plan_clean(
    cli: Run, recipe: Callable[..., Path], samples: Path
) -> None:
    edit = {"do": "change_input", "shape": [48, 48, 3]}
    answer = json.loads(cli("plan", samples / "digits_vgg.keras", recipe(edit), "--json")[1])
    (finding,) = [one for one in answer["findings"] if one["severity"] == "error"]
    for fix in finding["fixes"]:
        code, out, _ = cli("plan", samples / "digits_vgg.keras", recipe(edit, *fix["edits"]), "--json")
        assert (code, json.loads(out)["ok"]) == (0, True), fix["title"]


# apply, verify, diff


def test_that_apply_writes_what_keras_loads_and_equals_the_old_model_on_gray(
    cli: Run, recipe: Callable[..., Path], samples: Path, tmp_path: Path
) -> None:
    import keras

    source, out_path = samples / "digits_residual.keras", tmp_path / "gray.keras"
    before = digest(source)
    code, out, err = cli("apply", source, recipe(GRAY), "-o", out_path, "--verify", "--json")
    answer = json.loads(out)
    assert (code, err) == (0, "")
    assert list(answer)[-3:] == ["written", "bytes", "verification"]
    assert answer["written"] == str(out_path)
    assert answer["bytes"] == out_path.stat().st_size
    assert set(answer["verification"]) == {"reloaded", "forward", "copied_equal", "contracts"}
    assert all(answer["verification"][name] for name in ("reloaded", "forward", "copied_equal"))
    assert all(contract["drift"] < 1e-5 for contract in answer["verification"]["contracts"])
    old, new = keras.saving.load_model(source), keras.saving.load_model(out_path)
    gray = np.random.default_rng(3).uniform(0, 1, (4, 32, 32, 1)).astype("float32")
    np.testing.assert_allclose(
        new.predict(gray, verbose=0), old.predict(np.repeat(gray, 3, -1), verbose=0), rtol=1e-4, atol=1e-6
    )
    assert digest(source) == before


def test_that_verify_judges_a_good_and_a_foreign_result(
    cli: Run, recipe: Callable[..., Path], samples: Path, tmp_path: Path
) -> None:
    source, steps, out_path = samples / "digits_vgg.keras", recipe(GRAY), tmp_path / "gray.keras"
    assert cli("apply", source, steps, "-o", out_path)[0] == 0
    code, out, err = cli("verify", source, steps, out_path, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["copied_equal"] is True
    code, out, err = cli("verify", source, steps, samples / "digits_residual.keras", "--json")
    assert code == 1
    assert err.count("\n") == 1


def test_that_diff_tells_the_one_weight_that_surgery_changed(
    cli: Run, recipe: Callable[..., Path], samples: Path, tmp_path: Path
) -> None:
    source, out_path = samples / "digits_vgg.keras", tmp_path / "gray.keras"
    cli("apply", source, recipe(GRAY), "-o", out_path)
    answer = json.loads(cli("diff", source, out_path, "--json")[1])
    assert answer["only_a"] == answer["only_b"] == []
    assert answer["version"] == 1
    weights = [(pair["a"], one["name"], one["a"], one["b"]) for pair in answer["layers"] for one in pair["weights"]]
    assert weights == [("block1_conv1", "kernel", [3, 3, 3, 16], [3, 3, 1, 16])]
    assert f"{shape_words((3, 3, 3, 16))} -> {shape_words((3, 3, 1, 16))}" in cli("diff", source, out_path)[1]


def test_that_diff_measures_how_far_values_are_apart(cli: Run, samples: Path, tmp_path: Path) -> None:
    import keras

    model = keras.saving.load_model(samples / "digits_vgg.keras")
    bias = model.get_layer("fc1").bias
    bias.assign(np.asarray(bias) + 0.25)
    model.save(tmp_path / "moved.keras")
    answer = json.loads(cli("diff", samples / "digits_vgg.keras", tmp_path / "moved.keras", "--json")[1])
    (layer,) = answer["layers"]
    (change,) = layer["weights"]
    assert (layer["a"], change["name"], layer["fields"]) == ("fc1", "bias", [])
    assert change["largest"] == pytest.approx(0.25)


def test_that_diff_tells_by_its_exit_code_whether_anything_differs(cli: Run, samples: Path) -> None:
    same, other = samples / "digits_vgg.keras", samples / "digits_residual.keras"
    code, out, _ = cli("diff", same, same, "--exit-code")
    assert code == 0
    assert "No difference" in out
    assert cli("diff", same, other)[0] == 0
    assert cli("diff", same, other, "--exit-code")[0] == 1


def test_that_the_version_and_short_help_are_there(cli: Run) -> None:
    code, out, err = cli("--version")
    assert (code, out.split(), err) == (0, ["suture", __version__], "")
    for arguments in (("-h",), ("plan", "-h")):
        assert cli(*arguments) == cli(*arguments[:-1], "--help")
        assert cli(*arguments)[0] == 0


def test_that_schema_is_a_json_schema_with_every_edit(cli: Run) -> None:
    code, out, _ = cli("schema")
    assert code == 0
    definitions = json.loads(out)["$defs"]
    assert {"Recipe", "ChangeInput", "ReplaceFirstConv", "SetTrainable"} <= set(definitions)


# as a process of its own


def test_that_tensorflow_says_nothing_on_either_stream(
    recipe: Callable[..., Path], samples: Path, tmp_path: Path
) -> None:
    arguments = ["apply", samples / "digits_vgg.keras", recipe(GRAY), "-o", tmp_path / "m.h5", "--verify", "--json"]
    done = subprocess.run(
        [sys.executable, "main.py", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["verification"]["reloaded"] is True
    with h5py.File(tmp_path / "m.h5") as file:
        assert "model_config" in file.attrs


def test_that_a_reader_who_has_had_enough_is_no_error(samples: Path) -> None:
    line = f"{sys.executable} main.py inspect {samples / 'digits_residual.keras'} | head -1"
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file size are POSIX")
def test_that_a_disk_that_fills_up_leaves_nothing_behind(
    recipe: Callable[..., Path], samples: Path, tmp_path: Path
) -> None:
    out_folder = tmp_path / "out"
    out_folder.mkdir()
    program = (
        "import resource, sys, main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "raise SystemExit(main.main(sys.argv[1:]))\n"
    )
    arguments = ["apply", samples / "digits_vgg.keras", recipe(GRAY), "-o", out_folder / "m.keras"]
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert list(out_folder.iterdir()) == []


def test_that_a_word_that_is_neither_file_nor_command_opens_no_window(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["inspekt"]) == 2
    assert "no file and no command 'inspekt'" in capsys.readouterr().err


# what is said of a file that was not verified


def test_that_checking_is_the_default_and_what_was_compared_is_said(
    cli: Run, recipe: Callable[..., Path], samples: Path, tmp_path: Path
) -> None:
    source, steps = samples / "digits_vgg.keras", recipe(GRAY)
    code, out, err = cli("apply", source, steps, "-o", tmp_path / "new.keras")
    assert (code, err) == (0, "")
    assert "verified: 16 arrays and 1 contract compared" in out
    code, out, _ = cli("apply", source, steps, "-o", tmp_path / "new.keras", "--no-verify")
    assert code == 0
    assert "not verified" in out
    code, out, _ = cli("apply", source, steps, "-o", tmp_path / "new.keras", "--no-verify", "--json")
    assert json.loads(out)["verification"] is None


def test_that_a_file_that_fails_has_another_name_and_code_1(
    cli: Run, recipe: Callable[..., Path], samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.engine import verify

    out_path = tmp_path / "new.keras"
    monkeypatch.setattr(verify, "held_weights", lambda *_: (10, ["fc1/kernel"]))
    code, out, err = cli("apply", samples / "digits_vgg.keras", recipe(GRAY), "-o", out_path, "--json")
    assert code == 1
    assert err.count("\n") == 1
    assert "fc1/kernel does not hold the planned values" in err
    assert f"kept as {out_path}.unverified" in err
    answer = json.loads(out)
    assert answer["written"] == f"{out_path}.unverified"
    assert answer["verification"]["copied_equal"] is False
    assert not out_path.exists()
    assert Path(answer["written"]).stat().st_size == answer["bytes"]


def test_that_a_mistake_in_checking_ends_with_code_3_and_a_report(
    cli: Run, recipe: Callable[..., Path], samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.engine import contracts

    monkeypatch.setattr(contracts, "paired_inputs", lambda *_: 1 / 0)
    code, _, err = cli("apply", samples / "digits_vgg.keras", recipe(GRAY), "-o", tmp_path / "new.keras")
    assert code == 3
    assert err.count("\n") == 1
    assert "Internal error while checking new.keras (ZeroDivisionError)" in err
    assert [item.name for item in tmp_path.iterdir() if "new" in item.name] == ["new.keras.unverified"]


def test_that_a_result_that_fails_can_be_removed_instead(
    cli: Run, recipe: Callable[..., Path], samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.engine import verify

    out_path, source, steps = tmp_path / "new.keras", samples / "digits_vgg.keras", recipe(GRAY)
    monkeypatch.setattr(verify, "held_weights", lambda *_: (10, ["fc1/kernel"]))
    code, out, err = cli("apply", source, steps, "-o", out_path, "--failed", "remove", "--json")
    assert code == 1
    assert f"It was removed; nothing was written as {out_path}." in err
    assert json.loads(out)["written"] is None
    assert not [item for item in tmp_path.iterdir() if "new" in item.name]


@pytest.mark.parametrize(("choice", "left"), [("keep", ["new.keras.unverified"]), ("remove", [])])
def test_that_an_interrupted_check_says_what_became_of_the_file(
    choice: str,
    left: list[str],
    cli: Run,
    recipe: Callable[..., Path],
    samples: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from core.engine import verify

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verify, "held_weights", interrupted)
    out_path = tmp_path / "new.keras"
    code, _, err = cli("apply", samples / "digits_vgg.keras", recipe(GRAY), "-o", out_path, "--failed", choice)
    assert code == 130
    assert err.startswith("Cancelled. new.keras was ")
    assert "Nothing was written" not in err
    assert [item.name for item in tmp_path.iterdir() if "new" in item.name] == left


def test_that_a_result_kept_unverified_gets_its_name_when_it_passes(
    cli: Run, recipe: Callable[..., Path], samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.engine import verify

    out_path, source, steps = tmp_path / "new.keras", samples / "digits_vgg.keras", recipe(GRAY)
    with monkeypatch.context() as patched:
        patched.setattr(verify, "held_weights", lambda *_: (10, ["fc1/kernel"]))
        assert cli("apply", source, steps, "-o", out_path)[0] == 1
        assert cli("verify", source, steps, f"{out_path}.unverified")[0] == 1
    assert not out_path.exists()
    code, out, err = cli("verify", source, steps, f"{out_path}.unverified")
    assert (code, err) == (0, "")
    assert f"wrote {out_path} (" in out.replace("\n", "")
    assert [item.name for item in tmp_path.iterdir() if "new" in item.name] == ["new.keras"]
    assert json.loads(cli("inspect", out_path, "--json")[1])["inputs"][0]["shape"] == [None, 32, 32, 1]
