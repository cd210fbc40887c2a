"""Files made to do harm: each would touch a marker, show a secret or take all memory, if it were believed."""

import base64
import copy
import io
import json
import marshal
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

SECRET = "the-secret-4711"
NUMBER = 4711.25
Config = dict[str, Any]
Make = Callable[["Trap", Path], None]


class Trap:
    """A folder with a good model, secret files, a module that harms by import, and a marker that must not appear."""

    def __init__(self, folder: Path, good: Path) -> None:
        self.folder = folder
        self.good = good
        self.marker = folder / "marker"
        self.secret = folder / "secret.txt"
        self.secret.write_text(SECRET + "\n")
        self.arrays = folder / "secret.h5"
        with h5py.File(self.arrays, "w") as file:
            file["kernel"] = np.full((4, 3), NUMBER, "float32")
        (folder / "secret.bin").write_bytes(np.full((4, 3), NUMBER, "float32").tobytes())
        touch = f"open({str(self.marker)!r}, 'w').close()"
        (folder / "harm_by_import.py").write_text(f"{touch}\nclass Thing:\n    def from_config(config): {touch}\n")
        with zipfile.ZipFile(good) as archive:
            self.members = {info.filename: archive.read(info) for info in archive.infolist()}
        self.config: Config = json.loads(self.members["config.json"])

    def code(self) -> bytes:
        """A marshalled function of one tensor that touches the marker."""
        source = f"lambda x: (open({str(self.marker)!r}, 'w').close(), x)[1]"
        return marshal.dumps(compile(source, "model.py", "eval").co_consts[0])

    def stored(self) -> Config:
        """The function as Keras 3 stores it."""
        text = base64.b64encode(self.code()).decode()
        return {"class_name": "__lambda__", "config": {"code": text, "defaults": None, "closure": None}}

    def archive(self, path: Path, config: Any = None, **members: bytes) -> None:
        """A `.keras` file with the good model's members, some changed or added."""
        text = {"config.json": json.dumps(config).encode()} if config is not None else {}
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in {**self.members, **text, **members}.items():
                archive.writestr(name, data)


def objects(trap: Trap) -> dict[str, Config]:
    """Serialised objects that lead to code when they are resolved."""
    mark = str(trap.marker)
    return {
        "os.system": {"module": "os", "class_name": "system", "config": {"command": f"touch {mark}"}},
        "builtins.exec": {"module": "builtins", "class_name": "exec", "config": {"source": f"open({mark!r}, 'w')"}},
        "popen": {"module": "subprocess", "class_name": "Popen", "config": {"args": ["touch", mark]}},
        "function": {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"},
        "builtin": {"module": "builtins", "class_name": "function", "config": "exec", "registered_name": "exec"},
        "import": {"module": "harm_by_import", "class_name": "Thing", "config": {}, "registered_name": "a>Thing"},
        "unsafe": {
            "module": "keras.config", "class_name": "function", "config": "enable_unsafe_deserialization",
            "registered_name": "enable_unsafe_deserialization",
        },
        "get_file": {"module": "keras.utils", "class_name": "function", "config": "get_file", "registered_name": None},
        "typespec": {
            "class_name": "__typespec__", "spec_name": "Thing", "registered_name": "a>Thing", "config": [],
            "module": "harm_by_import",
        },
        "lambda": trap.stored(),
        "layer": {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "l", "function": trap.stored()}},
    }  # fmt: skip


def _places() -> dict[str, Callable[[Config, Any], None]]:
    def field(name: str) -> Callable[[Config, Any], None]:
        return lambda config, harm: config["config"]["layers"][1]["config"].update({name: harm})

    def argument(config: Config, harm: Any) -> None:
        config["config"]["layers"][1]["inbound_nodes"][0]["kwargs"]["training"] = harm

    def compiled(config: Config, harm: Any) -> None:
        config["compile_config"] = {"optimizer": harm, "loss": harm, "metrics": [harm]}

    def built(config: Config, harm: Any) -> None:
        config["config"]["layers"][1]["build_config"] = {"input_shape": [None, 4], "x": harm}

    return {
        "kernel_initializer": field("kernel_initializer"),
        "bias_regularizer": field("bias_regularizer"),
        "activation": field("activation"),
        "dtype": field("dtype"),
        "constraint": field("kernel_constraint"),
        "activity": field("activity_regularizer"),
        "unknown field": field("whatever"),
        "call argument": argument,
        "compile_config": compiled,
        "build_config": built,
    }


def _layer(trap: Trap, path: Path, entry: Config) -> None:
    """The good model with another layer in the place of its first."""
    config = copy.deepcopy(trap.config)
    old = config["config"]["layers"][1]
    inner = {**entry.get("config", {}), "name": old["name"]} if isinstance(entry["config"], dict) else entry["config"]
    config["config"]["layers"][1] = {**old, **entry, "config": inner}
    trap.archive(path, config)


_FULL = ("kernel_initializer", "activation", "call argument")
"""Places where every harmful object is tried; elsewhere one of each kind."""
_SOME = ("os.system", "import", "unsafe", "lambda")


def archives(trap: Trap) -> dict[str, Make]:
    """Ways to make a `.keras` file, by name: harmful objects in every place, layers, members."""
    found: dict[str, Make] = {}
    harms = objects(trap)
    for place, put in _places().items():
        for name, harm in harms.items():
            if place not in _FULL and name not in _SOME:
                continue

            def make(trap: Trap, path: Path, put: Any = put, harm: Any = harm) -> None:
                config = copy.deepcopy(trap.config)
                put(config, harm)
                trap.archive(path, config)

            found[f"{name} as {place}"] = make
    stored = trap.stored()
    layers: dict[str, Config] = {
        **{f"{name} as layer": harm for name, harm in harms.items() if name not in ("lambda", "typespec", "layer")},
        "Lambda": {"class_name": "Lambda", "config": {"function": stored}},
        "Lambda output_shape": {"class_name": "Lambda", "config": {"function": "relu", "output_shape": stored}},
        "Lambda mask": {"class_name": "Lambda", "config": {"function": "relu", "mask": stored}},
        "Lambda by value": {
            "class_name": "Lambda",
            "config": {"function": {"class_name": "__lambda__", "config": {"value": stored["config"]["code"]}}},
        },
        "Lambda arguments": {"class_name": "Lambda", "config": {"function": "relu", "arguments": {"x": stored}}},
        "TimeDistributed": {"class_name": "TimeDistributed", "config": {"layer": harms["layer"]}},
        "Bidirectional": {"class_name": "Bidirectional", "config": {"layer": harms["import"]}},
        "RNN cell": {"class_name": "RNN", "config": {"cell": harms["import"]}},
        "registered name": {
            "class_name": "Dense", "module": "harm_by_import", "registered_name": "harm_by_import>Thing",
            "config": {"units": 3},
        },
        "vocabulary": {"class_name": "StringLookup", "config": {"vocabulary": str(trap.secret)}},
        "text vocabulary": {"class_name": "TextVectorization", "config": {"vocabulary": str(trap.secret)}},
        "whole numbers": {"class_name": "IntegerLookup", "config": {"vocabulary": str(trap.secret)}},
        "TFSMLayer": {"class_name": "TFSMLayer", "config": {"filepath": str(trap.folder), "call_endpoint": "x"}},
        "Normalization": {"class_name": "Normalization", "config": {"mean": harms["import"], "variance": 1.0}},
    }  # fmt: skip
    for name, entry in layers.items():
        whole = {"module": "keras.layers", "registered_name": None, **entry}
        found[name] = lambda trap, path, whole=whole: _layer(trap, path, whole)  # type: ignore[misc]
    found["pickled weights"] = _pickled
    found["member names"] = lambda trap, path: trap.archive(
        path, **{"assets/../../marker": b"x", f"/{trap.marker}": b"x", "assets/..\\..\\marker": b"x"}
    )
    found["whole model elsewhere"] = lambda trap, path: trap.archive(
        path, {**trap.config, "module": "harm_by_import", "class_name": "Thing", "registered_name": "a>Thing"}
    )
    return {**found, **_bombs(), **_linked_members()}


class _Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def _pickled(trap: Trap, path: Path) -> None:
    whole = io.BytesIO()
    np.savez(whole, weights=np.array([_Touch(trap.marker)], dtype=object))
    members = {name: data for name, data in trap.members.items() if name != "model.weights.h5"}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        archive.writestr("model.weights.npz", whole.getvalue())
        archive.writestr("model.weights.pkl", pickle.dumps(_Touch(trap.marker)))


def _bombs() -> dict[str, Make]:
    def deflated(name: str) -> Make:
        def make(trap: Trap, path: Path) -> None:
            trap.archive(path)
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for other, data in trap.members.items():
                    if other != name:
                        archive.writestr(other, data)
                with archive.open(name, "w", force_zip64=True) as member:
                    for _ in range(400):
                        member.write(bytes(1 << 20))

        return make

    def overlapping(trap: Trap, path: Path) -> None:
        """Many directory entries that all unpack the same bytes."""
        body = zlib.compressobj(9, wbits=-15)
        packed = body.compress(bytes(1 << 24)) + body.flush()
        names = [b"config.json", b"model.weights.h5", *(b"assets/%d" % number for number in range(500))]
        head = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 0, 0, len(packed), 1 << 24, 11, 0) + names[0] + packed
        directory = b"".join(
            struct.pack(
                "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 0, 0, len(packed), 1 << 24, len(name), 0, 0, 0, 0, 0, 0
            )
            + name
            for name in names
        )
        end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(names), len(names), len(directory), len(head), 0)
        path.write_bytes(head + directory + end)

    def nested(trap: Trap, path: Path) -> None:
        data = zlib.compress(bytes(1 << 28), 9)
        for _ in range(3):
            inner = io.BytesIO()
            with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("model.weights.h5", data)
                archive.writestr("config.json", trap.members["config.json"])
            data = inner.getvalue()
        path.write_bytes(data)

    return {
        "bomb config": deflated("config.json"),
        "bomb metadata": deflated("metadata.json"),
        "bomb weights": deflated("model.weights.h5"),
        "overlapping bomb": overlapping,
        "nested bomb": nested,
        "deep config": lambda trap, path: trap.archive(path, **{"config.json": b'{"a":' * 50000 + b"1" + b"}" * 50000}),
        "deep list": lambda trap, path: trap.archive(path, **{"config.json": b"[" * 3_000_000}),
    }


def _linked_members() -> dict[str, Make]:
    def make(change: Callable[[Trap, h5py.Group], None]) -> Make:
        def write(trap: Trap, path: Path) -> None:
            inner = path.with_suffix(".inner")
            inner.write_bytes(trap.members["model.weights.h5"])
            with h5py.File(inner, "a") as file:
                group = file["layers/dense/vars"]
                del group["0"]
                change(trap, group)
            trap.archive(path, **{"model.weights.h5": inner.read_bytes()})
            inner.unlink()

        return write

    return {f"{name} in archive": make(change) for name, change in changes("0").items()}


def changes(name: str) -> dict[str, Callable[[Trap, h5py.Group], None]]:
    """Ways to put something in the place of an array of shape (4, 3) in an HDF5 group."""

    def virtual(trap: Trap, group: h5py.Group) -> None:
        layout = h5py.VirtualLayout((4, 3), "float32")
        layout[:] = h5py.VirtualSource(str(trap.arrays), "kernel", (4, 3))
        group.create_virtual_dataset(name, layout)

    def storage(trap: Trap, group: h5py.Group) -> None:
        group.create_dataset(name, (4, 3), "float32", external=[(str(trap.folder / "secret.bin"), 0, 48)])

    def text(trap: Trap, group: h5py.Group) -> None:
        group.create_dataset(name, (4, 12), "uint8", external=[(str(trap.secret), 0, 48)])

    return {
        "external link": lambda trap, group: group.__setitem__(name, h5py.ExternalLink(str(trap.arrays), "kernel")),
        "soft link": lambda trap, group: group.__setitem__(name, h5py.SoftLink("/somewhere/else")),
        "external storage": storage,
        "external text": text,
        "virtual dataset": virtual,
        "declared size": lambda trap, group: group.create_dataset(name, (10**9, 10**6), "float32", chunks=(1000, 1000)),
        "declared whole": lambda trap, group: group.create_dataset(
            name, (10**7, 10**8), "float32", chunks=(1000, 1000), fillvalue=1.0
        ),
        "compressed bomb": lambda trap, group: group.create_dataset(
            name, data=np.zeros((5000, 20000), "float32"), chunks=(5000, 2000), compression="gzip", compression_opts=9
        ),
    }


def _lambda(config: Config) -> Config:
    return {"class_name": "Lambda", "config": {"name": "e", **config}}


def hdf5_files(trap: Trap) -> dict[str, Make]:
    """Ways to make a whole-model `.h5` of Keras 2."""
    layers: list[Config] = [
        {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 4], "dtype": "float32"}},
        {"class_name": "Dense", "config": {"name": "dense", "units": 3, "activation": "linear", "use_bias": False}},
    ]

    def make(extra: list[Config], change: Any = None, **attributes: Any) -> Make:
        def write(trap: Trap, path: Path) -> None:
            config = {"class_name": "Sequential", "config": {"name": "m", "layers": [*layers, *extra]}}
            with h5py.File(path, "w") as file:
                file.attrs["model_config"] = json.dumps(config)
                file.attrs["keras_version"] = "2.4.0"
                file.attrs.update(attributes)
                group = file.create_group("model_weights/dense/dense")
                file["model_weights"].attrs["layer_names"] = [b"dense"]
                file["model_weights/dense"].attrs["weight_names"] = [b"dense/kernel:0"]
                if change is None:
                    group["kernel:0"] = np.ones((4, 3), "float32")
                else:
                    change(trap, group)

        return write

    raw = trap.code()
    base = base64.encodebytes(raw).decode()
    kept: Config = {"function_type": "lambda", "arguments": {}, "output_shape": None, "output_shape_type": "raw"}
    by_shape = {**kept, "function": "relu", "function_type": "function", "output_shape_type": "lambda"}
    found = {
        "Keras 2 Lambda": make([_lambda({**kept, "function": [base, None, None]})]),
        "Keras 1 Lambda": make([_lambda({**kept, "function": [raw.decode("latin-1"), None, None]})]),
        "Lambda shape code": make([_lambda({**by_shape, "output_shape": [base, None, None]})]),
        "class name": make([{"class_name": "os.system", "config": {"name": "e", "command": f"touch {trap.marker}"}}]),
        "activation name": make(
            [{"class_name": "Activation", "config": {"name": "e", "activation": f"os.system('touch {trap.marker}')"}}]
        ),
        "training config": make(
            [], training_config=json.dumps({"optimizer_config": objects(trap)["os.system"], "loss": trap.stored()})
        ),
    }  # fmt: skip
    for attribute in ("layer_names", "model_config", "keras_version"):
        found[f"huge {attribute}"] = _swollen(make([]), attribute)
    for name, change in changes("kernel:0").items():
        found[f"{name} in h5"] = make([], change)
    return found


def _swollen(make: Make, attribute: str) -> Make:
    """A file whose attribute declares a million million elements."""

    def write(trap: Trap, path: Path) -> None:
        make(trap, path)
        with h5py.File(path, "a") as file:
            owner = file["model_weights"] if attribute == "layer_names" else file
            del owner.attrs[attribute]
            owner.attrs[attribute] = np.full(7717, b"x", "S1")
        data = path.read_bytes()
        assert data.count(struct.pack("<Q", 7717)) >= 1
        path.write_bytes(data.replace(struct.pack("<Q", 7717), struct.pack("<Q", 10**12)))

    return write
