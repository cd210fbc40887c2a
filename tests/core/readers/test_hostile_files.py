"""Files made to do harm: nothing outside the file is read, nothing it carries runs, little memory is taken."""

import base64
import json
import marshal
import pickle
import resource
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from core.analysis.opening import read_model
from core.errors import FileError
from core.readers import open_store

CONFIG: dict[str, Any] = {
    "class_name": "Sequential",
    "config": {
        "name": "model",
        "layers": [
            {"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, 4], "dtype": "float32"}},
            {"class_name": "Dense", "config": {"name": "dense", "units": 3, "activation": "linear", "use_bias": False}},
        ],
    },
}


def _h5(path: Path, config: Any = CONFIG) -> h5py.File:
    file = h5py.File(path, "w")
    file.attrs["model_config"] = json.dumps(config)
    file.attrs["keras_version"] = "2.4.0"
    group = file.create_group("model_weights/dense")
    file["model_weights"].attrs["layer_names"] = [b"dense"]
    group.attrs["weight_names"] = [b"dense/kernel:0"]
    return file


def _archive(path: Path, config: bytes, weights: bytes = b"", method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.10.0"}')
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", weights)


@pytest.mark.parametrize("kind", ["external link", "soft link", "external storage", "virtual"])
def test_that_arrays_outside_the_file_are_refused(tmp_path: Path, kind: str) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as other:
        other["kernel"] = np.full((4, 3), 42.0, "float32")
    (tmp_path / "secret.bin").write_bytes(b"\x2a" * 48)
    path = tmp_path / "model.h5"
    with _h5(path) as file:
        group = file["model_weights/dense"].create_group("dense")
        if kind == "external link":
            group["kernel:0"] = h5py.ExternalLink(str(secret), "kernel")
        elif kind == "soft link":
            group["kernel:0"] = h5py.SoftLink("/elsewhere")
        elif kind == "external storage":
            group.create_dataset("kernel:0", (4, 3), "float32", external=[(str(tmp_path / "secret.bin"), 0, 48)])
        else:
            layout = h5py.VirtualLayout((4, 3), "float32")
            layout[:] = h5py.VirtualSource(str(secret), "kernel", (4, 3))
            group.create_virtual_dataset("kernel:0", layout)
    with pytest.raises(FileError, match="refused"):
        read_model(path)


def test_that_a_declared_size_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with _h5(path) as file:
        group = file["model_weights/dense"].create_group("dense")
        group.create_dataset("kernel:0", (1 << 20, 1 << 20), "float32", chunks=(1024, 1024), compression="gzip")
    with pytest.raises(FileError, match="declares"):
        read_model(path)


@pytest.mark.parametrize("levels", [200, 5_000, 200_000])
@pytest.mark.parametrize("ending", [".json", ".h5", ".keras"])
def test_that_json_nested_deeper_than_any_model_is_refused(tmp_path: Path, levels: int, ending: str) -> None:
    text = '{"class_name": "Sequential", "config": ' + "[" * levels + "]" * levels + "}"
    path = tmp_path / f"model{ending}"
    if ending == ".json":
        path.write_text(text)
    elif ending == ".keras":
        _archive(path, text.encode())
    else:
        with h5py.File(path, "w", libver="latest") as file:
            file.attrs["model_config"] = text
    with pytest.raises(FileError, match="nested"):
        read_model(path)


@pytest.mark.parametrize("member", ["config.json", "model.weights.h5"])
def test_that_a_zip_bomb_is_refused_with_little_memory(tmp_path: Path, member: str) -> None:
    bomb = b"\0" * (400 << 20)
    path = tmp_path / "bomb.keras"
    parts = {"config.json": json.dumps(CONFIG).encode(), "model.weights.h5": b"", member: bomb}
    _archive(path, parts["config.json"], parts["model.weights.h5"])
    del bomb, parts
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FileError, match=r"unpack|larger"):
        read_model(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


class _Marker:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_that_stored_code_and_pickles_never_run(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    code = compile(f"open({str(marker)!r}, 'w').close()", "x", "exec")
    payload = base64.b64encode(marshal.dumps(code)).decode()
    layer = {"class_name": "Lambda", "config": {"name": "evil", "function": [payload, None, None]}}
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": [*CONFIG["config"]["layers"], layer]}}
    path = tmp_path / "model.h5"
    with _h5(path, config) as file:
        file["model_weights/dense"].create_dataset("dense/kernel:0", data=np.ones((4, 3), "float32"))
        file["model_weights/dense"].create_dataset("pickle", data=np.frombuffer(pickle.dumps(_Marker(marker)), "uint8"))
    source = read_model(path)
    with open_store(source) as store:
        for key in store.keys():  # noqa: SIM118 - a store is no dict
            store.read(key)
    assert "code.lambda" in [finding.code for finding in source.findings]
    assert not marker.exists()


def test_that_pickled_weights_are_left_alone_and_explained(tmp_path: Path) -> None:
    marker, path = tmp_path / "marker", tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.0.0"}')
        archive.writestr("config.json", json.dumps(CONFIG))
        archive.writestr("model.weights.npz", pickle.dumps(_Marker(marker)))
    source = read_model(path)
    assert source.kind == "architecture"
    assert ["pickled" in finding.message for finding in source.findings if finding.code == "weight.unmatched"] == [True]
    assert not marker.exists()


def test_that_member_names_are_never_used_as_paths(tmp_path: Path) -> None:
    path = tmp_path / "inner" / "model.keras"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../config.json", json.dumps(CONFIG))
        archive.writestr("/tmp/../../model.weights.h5", b"no")
    with pytest.raises(FileError):
        read_model(path)
    assert sorted(item.name for item in tmp_path.rglob("*")) == ["inner", "model.keras"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": "in"}, "two layers are named"),
        ({"inbound_nodes": [[["dense", 0, 0, {}]]]}, "cycle"),
        ({"inbound_nodes": [[["ghost", 0, 0, {}]]]}, "does not exist"),
        ({"inbound_nodes": [[["in", 7, 0, {}]]]}, "call 7 of layer"),
        ({"inbound_nodes": "words"}, "text as inbound_nodes where a list is expected"),
    ],
)
def test_that_a_contradictory_model_is_refused_in_a_sentence(tmp_path: Path, change: Any, sentence: str) -> None:
    layers = [
        {**CONFIG["config"]["layers"][0], "name": "in", "inbound_nodes": []},
        {**CONFIG["config"]["layers"][1], "name": "dense", "inbound_nodes": [[["in", 0, 0, {}]]], **change},
    ]
    ends = {"input_layers": [["in", 0, 0]], "output_layers": [["dense", 0, 0]]}
    config = {"class_name": "Functional", "config": {"name": "m", "layers": layers, **ends}}
    path = tmp_path / "model.json"
    path.write_text(json.dumps(config))
    with pytest.raises(FileError, match=sentence):
        read_model(path)


def test_that_ten_thousand_layers_and_strange_names_are_described(tmp_path: Path) -> None:
    names = ["a" * 4000, "two words", "\N{DRAGON FACE}", *(f"layer_{index}" for index in range(10_000))]
    layers = [CONFIG["config"]["layers"][0]]
    layers += [{"class_name": "Activation", "config": {"name": name, "activation": "relu"}} for name in names]
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": layers}}))
    graph = read_model(path).graph
    assert [layer.name for layer in graph.layers[1:]] == names
    assert sys.getrecursionlimit() <= 3000
