"""`--code` and `--trust`: code runs when the person says so, and not otherwise."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest

from core.analysis.opening import read_model
from core.cli import run

Run = Callable[..., tuple[int, dict[str, Any], str]]
CODE = """
import pathlib
import keras
pathlib.Path(__file__).with_name("ran").touch()
print("printed while it is loaded")

@keras.saving.register_keras_serializable(package="suture_tests")
class Thrice(keras.layers.Layer):
    def call(self, x):
        return x * 3.0

def tripled(x):
    return x * 3.0
"""


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process with `--json`; the exit code, the answer, and standard error."""

    def call(*arguments: object) -> tuple[int, dict[str, Any], str]:
        capfd.readouterr()
        code = run([*map(str, arguments), "--json"])
        out, err = capfd.readouterr()
        return code, json.loads(out) if out else {}, err

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "recipe.json").write_text('{"suture": 1, "edits": []}')
    (tmp_path / "code.py").write_text(CODE)
    return tmp_path


def save_custom(path: Path) -> None:
    """A model with a layer whose code is only in `CODE`."""

    class Thrice(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x * 3.0

    image = keras.Input((4, 4, 3))
    keras.Model(image, keras.layers.Conv2D(2, 3)(Thrice(name="thrice")(image))).save(path)


def save_lambda(path: Path) -> None:
    image = keras.Input((4, 4, 3))
    odd = keras.layers.Lambda(lambda x: x if x is None else x * 2.0, output_shape=(4, 4, 3), name="odd")
    keras.Model(image, keras.layers.Conv2D(2, 3)(odd(image))).save(path)


def test_that_named_code_runs_and_the_result_is_run_too(cli: Run, folder: Path) -> None:
    save_custom(folder / "m.keras")
    arguments = ["apply", folder / "m.keras", folder / "recipe.json", "-o", folder / "out.keras", "--verify"]
    code, answer, _ = cli(*arguments)
    assert code == 0
    assert answer["verification"]["forward"] is False
    assert [one["code"] for one in answer["findings"]] == ["layer.unknown"]
    assert not (folder / "ran").exists()
    code, answer, err = cli(*arguments, "--code", folder / "code.py")
    assert (code, err) == (0, "printed while it is loaded\n")
    assert answer["verification"]["forward"] is True
    assert {one["severity"] for one in answer["findings"]} <= {"info"}
    assert (folder / "ran").exists()


def test_that_stored_code_runs_only_with_trust(cli: Run, folder: Path) -> None:
    save_lambda(folder / "m.keras")
    arguments = ["apply", folder / "m.keras", folder / "recipe.json", "-o", folder / "out.keras", "--verify"]
    code, answer, _ = cli(*arguments)
    assert (code, answer["verification"]["forward"]) == (0, False)
    code, answer, _ = cli(*arguments, "--trust")
    assert (code, answer["verification"]["forward"]) == (0, True)
    code, answer, _ = cli("verify", folder / "m.keras", folder / "recipe.json", folder / "out.keras", "--trust")
    assert (code, answer["forward"]) == (0, True)


def test_that_trust_in_one_model_is_no_trust_in_the_code_of_another(cli: Run, folder: Path) -> None:
    save_lambda(folder / "m.keras")
    image = keras.Input((4, 4, 3))
    other = keras.layers.Lambda(lambda x: x if x is None else x * 5.0, output_shape=(4, 4, 3), name="odd")
    names = [name for name, layer in read_model(folder / "m.keras").graph.walk() if layer.weights]
    keras.Model(image, keras.layers.Conv2D(2, 3, name=names[0])(other(image))).save(folder / "other.keras")
    code, answer, err = cli("verify", folder / "m.keras", folder / "recipe.json", folder / "other.keras", "--trust")
    assert code == 1
    assert answer["reloaded"] is False
    assert "stored Python code that is not in the plan" in err


@pytest.mark.parametrize(
    ("text", "sentence"),
    [(None, "does not exist"), ("1 / 0", "ZeroDivisionError"), ("x = 1", "defines no"), ("def (", "SyntaxError")],
)
def test_that_code_which_cannot_be_used_is_one_sentence(
    text: str | None, sentence: str, cli: Run, folder: Path, samples: Path
) -> None:
    path = folder / "other.py"
    if text is not None:
        path.write_text(text)
    code, _, err = cli("plan", samples / "digits_vgg.keras", folder / "recipe.json", "--code", path)
    assert code == 2
    assert sentence in err
    assert err.count("\n") == 1
