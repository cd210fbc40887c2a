"""Names that would act on a terminal: escaped wherever they come from and whatever tells them; whole again in JSON."""

import ast
import json
import re
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from core.cli import run
from core.printable import printable

EVIL = "\x1b]0;gone\x07\x1b[31m\x9b2J\u202egpj\u2066x\x7f"
ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]")
BLANK = '{"suture": 1, "edits": []}'


def _changed(good: Path, out: Path, **swaps: str) -> Path:
    """The archive with texts of its config replaced."""
    with zipfile.ZipFile(good) as archive, zipfile.ZipFile(out, "w") as made:
        for info in archive.infolist():
            data = archive.read(info)
            if info.filename.endswith(".json"):
                for old, new in swaps.items():
                    data = data.replace(json.dumps(old).encode(), json.dumps(new).encode())
            made.writestr(info.filename, data)
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("names")
    image = keras.Input((4,), name="start")
    model = keras.Model(image, keras.layers.Dense(2, name="middle")(image), name="whole")
    model.save(folder / "good.keras")
    good = folder / "good.keras"
    _changed(good, folder / "named.keras", middle=f"middle{EVIL}", whole=f"whole{EVIL}", start=f"start{EVIL}")
    _changed(good, folder / "classes.keras", Dense=f"Dense{EVIL}", **{keras.__version__: f"3{EVIL}"})
    _changed(good, folder / "broken.keras", start=f"start{EVIL}", keras_history=f"x{EVIL}")
    _changed(good, folder / "activation.keras", linear=f"linear{EVIL}")
    (folder / f"file{EVIL.replace('/', '')}.keras").write_bytes(b"no model")
    (folder / "blank.json").write_text(BLANK)
    for name, edit in {
        "unknown": {"do": "remove_layer", "layer": f"nobody{EVIL}"},
        "renamed": {"do": "rename_layer", "layer": f"middle{EVIL}", "name": f"other{EVIL}"},
        "class": {"do": "insert_layer", "layer": f"middle{EVIL}", "config": {"class_name": f"Dense{EVIL}"}},
        "field": {"do": "remove_layer", f"layer{EVIL}": "x"},
        "kind": {"do": f"remove{EVIL}"},
        "weight": {"do": "set_rule", "weight": f"middle{EVIL}/kernel", "rule": "initialize"},
    }.items():
        (folder / f"{name}.json").write_text(json.dumps({"suture": 1, "edits": [edit]}))
    return folder


def _commands(folder: Path) -> list[list[str]]:
    models = [str(folder / f"{name}.keras") for name in ("named", "classes", "broken", "activation", "missing" + EVIL)]
    models += [str(path) for path in folder.glob("file*")]
    recipes = [str(path) for path in sorted(folder.glob("*.json"))] + [str(folder / f"none{EVIL}.json")]
    named = str(folder / "named.keras")
    found = [["inspect", model] for model in models] + [["diff", model, str(folder / "good.keras")] for model in models]
    found += [["plan", named, recipe] for recipe in recipes]
    for recipe in ("blank", "renamed", "weight"):
        path, out = str(folder / f"{recipe}.json"), str(folder / f"{recipe}.keras")
        found += [["script", named, path, "-o", f"out{EVIL}.keras"], ["apply", named, path, "-o", out],
                  ["verify", named, path, out]]  # fmt: skip
    return [
        *found,
        ["verify", named, recipes[0], str(folder / "classes.keras")],
        [f"inspect{EVIL}", named],
        ["plan", EVIL],
    ]


def test_that_no_name_acts_on_the_terminal(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    wrong, told = {}, 0
    for command in _commands(folder):
        code = run(command)
        out, err = capfd.readouterr()
        told += "u001b" in out + err
        if ACTING.search(out + err) or code == 3:
            wrong[" ".join(command[:1] + [Path(one).name for one in command[1:]])] = (code, out[-300:], err[-300:])
    assert wrong == {}
    assert told > 20


@pytest.mark.parametrize("command", ["inspect", "plan"])
def test_that_json_gives_the_names_as_they_are(folder: Path, capfd: pytest.CaptureFixture[str], command: str) -> None:
    arguments = [str(folder / "named.keras")] + ([str(folder / "blank.json")] if command == "plan" else [])
    assert run([command, *arguments, "--json"]) == 0
    out, _ = capfd.readouterr()
    assert not ACTING.search(out)
    answer = json.loads(out)
    names = {layer["path"] for layer in answer["layers"]} if command == "inspect" else {
        fate["weight"].partition("/")[0] for fate in answer["fates"]
    }  # fmt: skip
    assert f"middle{EVIL}" in names


def test_that_a_program_made_for_such_a_file_means_the_same(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["script", str(folder / "named.keras"), str(folder / "weight.json"), "-o", "out.keras"]) == 0
    out, _ = capfd.readouterr()
    assert not ACTING.search(out)
    texts = [node.value for node in ast.walk(ast.parse(out)) if isinstance(node, ast.Constant)]
    assert f"middle{EVIL}" in texts


def test_that_honest_names_stay_as_they_are() -> None:
    for text in ("conv_1/kernel", "Größe", "層", "a\nb\tc", "e\u0301", "\N{WOMAN}\u200d\N{ROCKET}"):
        assert printable(text) == text
    assert np.all([ord(one) < 128 for one in printable(EVIL)])
