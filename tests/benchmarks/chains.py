"""Models of any number of layers, written without Keras: does cost grow linearly?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from core.writers.keras_file import StoredArray, StoredLayer, write_keras

WIDTH = 8
SIZE = 16
CONV = {"kernel_size": [3, 3], "padding": "same", "use_bias": False, "data_format": "channels_last"}
MAP: list[int | None] = [None, SIZE, SIZE, WIDTH]
DTYPE = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}


def chain(path: Path, layers: int) -> Path:
    """Write a functional model of about `layers` layers: Dense after Dense, every fifth followed by an Add."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        nodes = list(_nodes(layers))
        config = {
            "module": "keras.src.models.functional",
            "class_name": "Functional",
            "config": {
                "name": f"chain_{layers}",
                "trainable": True,
                "layers": nodes,
                "input_layers": [["image", 0, 0]],
                "output_layers": [[nodes[-1]["name"], 0, 0]],
            },
            "registered_name": "Functional",
        }
        dense = [node["name"] for node in nodes if node["class_name"] == "Dense"]
        stored = [StoredLayer(f"layers/{_storage('dense', number)}", name) for number, name in enumerate(dense)]
        metadata = {"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}
        write_keras(path, config, metadata, stored, _arrays(len(dense)))
    return path


def _storage(kind: str, number: int) -> str:
    return f"{kind}_{number}" if number else kind


def _arrays(count: int) -> Iterator[StoredArray]:
    generator = np.random.default_rng(0)
    for number in range(count):
        prefix = f"layers/{_storage('dense', number)}/vars"
        yield StoredArray(f"{prefix}/0", generator.normal(0, 0.3, (WIDTH, WIDTH)).astype(np.float32), "float32")
        yield StoredArray(f"{prefix}/1", np.zeros(WIDTH, np.float32), "float32")


def _nodes(layers: int) -> Iterator[dict[str, Any]]:
    spec = {"batch_shape": [None, WIDTH], "dtype": "float32", "sparse": False, "ragged": False, "name": "image"}
    yield _node("InputLayer", "image", spec, [])
    last, since, count = "image", "image", 1
    while count < layers:
        name = f"dense_{count}"
        config = {
            "name": name,
            "trainable": True,
            "dtype": DTYPE,
            "units": WIDTH,
            "activation": "relu",
            "use_bias": True,
        }
        yield _node("Dense", name, config, [last])
        last, count = name, count + 1
        if count % 5 == 0:
            name = f"add_{count}"
            yield _node("Add", name, {"name": name, "trainable": True, "dtype": DTYPE}, [last, since])
            last, since, count = name, name, count + 1


def _node(kind: str, name: str, config: dict[str, Any], inputs: list[str]) -> dict[str, Any]:
    tensors = [
        {
            "class_name": "__keras_tensor__",
            "config": {"shape": [None, WIDTH], "dtype": "float32", "keras_history": [one, 0, 0]},
        }
        for one in inputs
    ]
    args = [tensors] if len(tensors) > 1 else tensors
    return {
        "module": "keras.layers",
        "class_name": kind,
        "config": config,
        "registered_name": None,
        "name": name,
        "build_config": {"input_shape": [None, WIDTH]} if kind == "Dense" else None,
        "inbound_nodes": [{"args": args, "kwargs": {}}] if inputs else [],
    }


class _Network:
    """A model under way: layers at one level, and the arrays of all levels in Keras's own storage order."""

    def __init__(self, seed: int = 0, prefix: str = "layers/", whole: "_Network | None" = None) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.prefix = prefix
        self.counts: dict[str, int] = {}
        self.generator: np.random.Generator = whole.generator if whole else np.random.default_rng(seed)
        self.stored: list[StoredLayer] = whole.stored if whole else []
        self.arrays: list[StoredArray] = whole.arrays if whole else []

    def add(
        self, kind: str, name: str, inputs: list[str], shape: list[int | None], weights: Any = (), **config: Any
    ) -> str:
        """A layer that takes tensors of one shape; its name."""
        if weights:
            self._store(self._key(_snake(kind)), name, weights)
        node = _node(kind, name, {"name": name, "trainable": True, "dtype": DTYPE, **config}, inputs)
        for tensor in node["inbound_nodes"][0]["args"] if inputs else ():
            for one in tensor if isinstance(tensor, list) else [tensor]:
                one["config"]["shape"] = shape
        self.nodes.append(node)
        return name

    def _key(self, kind: str) -> str:
        number = self.counts[kind] = self.counts.get(kind, -1) + 1
        return f"{self.prefix}{_storage(kind, number)}"

    def _store(self, key: str, name: str, weights: Any) -> None:
        self.stored.append(StoredLayer(key, name))
        self.arrays.extend(StoredArray(f"{key}/vars/{at}", one, "float32") for at, one in enumerate(weights))

    def wrapped(self, name: str) -> None:
        """The arrays of a convolution in a SpectralNormalization: the direction found so far, and the kernel."""
        key = self._key("spectral_normalization")
        kernel = self.generator.normal(0, 0.2, (3, 3, WIDTH, WIDTH)).astype(np.float32)
        self._store(key, name, [self.generator.normal(0, 1, (1, WIDTH)).astype(np.float32)])
        self.arrays.append(StoredArray(f"{key}/layer/vars/0", kernel, "float32"))

    def image(self, name: str, shape: list[int | None]) -> str:
        """An input."""
        return self.add("InputLayer", name, [], [], (), batch_shape=shape, sparse=False, ragged=False)

    def conv(self, name: str, last: str, channels: int) -> str:
        """A convolution to `WIDTH` channels, BatchNormalization and ReLU: three layers."""
        kernel = self.generator.normal(0, 0.2, (3, 3, channels, WIDTH)).astype(np.float32)
        fields = {"filters": WIDTH, **CONV}
        last = self.add("Conv2D", f"conv_{name}", [last], [None, SIZE, SIZE, channels], [kernel], **fields)
        vectors = [np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)] * 2
        last = self.add("BatchNormalization", f"norm_{name}", [last], MAP, [*vectors[:3], vectors[0]])
        return self.add("ReLU", f"relu_{name}", [last], MAP)

    def head(self, last: str) -> str:
        """Pooling and three classes."""
        last = self.add("GlobalAveragePooling2D", "pool", [last], MAP)
        kernel = self.generator.normal(0, 0.2, (WIDTH, 3)).astype(np.float32)
        return self.add("Dense", "classes", [last], [None, WIDTH], [kernel, np.zeros(3, np.float32)], units=3)

    def inside(self) -> "_Network":
        """The beginning of a model that `nest` puts into this one."""
        return _Network(prefix=f"{self._key('functional')}/layers/", whole=self)

    def nest(self, inner: "_Network", name: str, last: str, shape: list[int | None]) -> str:
        """A finished model as a layer of this one."""
        node = _node("Functional", name, inner.config(name), [last])
        node["inbound_nodes"][0]["args"][0]["config"]["shape"] = shape
        self.nodes.append({**node, "module": "keras.src.models.functional", "registered_name": "Functional"})
        return name

    def config(self, name: str) -> dict[str, Any]:
        """What Keras writes of the model: one input, and the last layer as its output."""
        first, last = self.nodes[0]["name"], self.nodes[-1]["name"]
        ends = {"input_layers": [[first, 0, 0]], "output_layers": [[last, 0, 0]]}
        return {"name": name, "trainable": True, "layers": self.nodes, **ends}

    def write(self, path: Path, name: str) -> Path:
        """The model as a `.keras` file."""
        config = {
            "module": "keras.src.models.functional",
            "class_name": "Functional",
            "config": self.config(name),
            "registered_name": "Functional",
        }
        metadata = {"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_keras(path, config, metadata, self.stored, iter(self.arrays))
        return path


def conv_chain(path: Path, layers: int) -> Path:
    """Write a network of about `layers` layers: blocks of Conv2D, BatchNormalization, ReLU, Dropout and Add, a head."""
    if path.exists():
        return path
    net = _Network()
    last, channels, since = net.image("image", [None, SIZE, SIZE, 3]), 3, ""
    while len(net.nodes) < layers - 3:
        number = len(net.nodes)
        last, channels = net.conv(str(number), last, channels), WIDTH
        last = net.add("Dropout", f"drop_{number}", [last], MAP, (), rate=0.1, seed=None, noise_shape=None)
        last = net.add("Add", f"add_{number}", [last, since], MAP) if since else last
        since = last
    net.head(last)
    return net.write(path, f"convolutions_{layers}")


def nested_chain(path: Path, layers: int) -> Path:
    """Write about `layers` layers again, in models of twenty layers inside one model."""
    if path.exists():
        return path
    net = _Network()
    last, channels, count = net.image("image", [None, SIZE, SIZE, 3]), 3, 4
    while count < layers:
        inner = net.inside()
        inside = start = inner.conv("in", inner.image("arrives", [None, SIZE, SIZE, channels]), channels)
        for number in range(5):
            inside = inner.conv(str(number), inside, WIDTH)
        inner.add("Add", "sum", [inside, start], MAP)
        name = f"stage_{len(net.nodes)}"
        last, channels = net.nest(inner, name, last, [None, SIZE, SIZE, channels]), WIDTH
        count += 1 + len(inner.nodes)
    net.head(last)
    return net.write(path, f"nested_{layers}")


def wrapped_chain(path: Path, layers: int) -> Path:
    """Write about `layers` layers again: each convolution in a SpectralNormalization."""
    if path.exists():
        return path
    net = _Network()
    last = net.conv("stem", net.image("image", [None, SIZE, SIZE, 3]), 3)
    while len(net.nodes) < layers - 2:
        number = len(net.nodes)
        inside = {"name": f"inside_{number}", "trainable": True, "dtype": DTYPE, "filters": WIDTH, **CONV}
        entry = {"module": "keras.layers", "class_name": "Conv2D", "config": inside, "registered_name": None}
        fields = {"layer": entry, "power_iterations": 1}
        last = net.add("SpectralNormalization", f"normed_{number}", [last], MAP, (), **fields)
        net.wrapped(last)
        last = net.add("ReLU", f"relu_{number}", [last], MAP)
    net.head(last)
    return net.write(path, f"wrapped_{layers}")


def words_chain(path: Path, layers: int) -> Path:
    """Write about `layers` layers: words, their rows, and Dense after Dense."""
    if path.exists():
        return path
    net = _Network()
    words, places = [f"word_{number}" for number in range(20)], [None, 6]
    spec = {"batch_shape": places, "dtype": "string", "sparse": False, "ragged": False}
    last = net.add("InputLayer", "text", [], [], (), **spec)
    last = net.add("StringLookup", "lookup", [last], places, (), vocabulary=words, num_oov_indices=1, oov_token="[UNK]")
    table = net.generator.normal(0, 0.3, (len(words) + 1, WIDTH)).astype(np.float32)
    last = net.add("Embedding", "rows", [last], places, [table], input_dim=len(words) + 1, output_dim=WIDTH)
    last = net.add("GlobalAveragePooling1D", "mean", [last], [None, 6, WIDTH])
    while len(net.nodes) < layers:
        arrays = [net.generator.normal(0, 0.3, (WIDTH, WIDTH)).astype(np.float32), np.zeros(WIDTH, np.float32)]
        fields = {"units": WIDTH, "activation": "relu"}
        last = net.add("Dense", f"dense_{len(net.nodes)}", [last], [None, WIDTH], arrays, **fields)
    return net.write(path, f"words_{layers}")


def branching(path: Path, layers: int) -> Path:
    """Write about `layers` layers again, side by side: one tensor into all branches, one Add that takes them all."""
    if path.exists():
        return path
    net = _Network()
    first = net.conv("stem", net.image("image", [None, SIZE, SIZE, 3]), 3)
    ends = [net.conv(str(number), first, WIDTH) for number in range((layers - 8) // 3)]
    net.head(net.add("Add", "sum", ends, MAP))
    return net.write(path, f"branches_{layers}")


def fan(path: Path, layers: int) -> Path:
    """Write about `layers` layers again: convolutions that all take the image, and one Add."""
    if path.exists():
        return path
    net = _Network()
    image = net.image("image", [None, SIZE, SIZE, 3])
    net.head(net.add("Add", "sum", [net.conv(str(number), image, 3) for number in range((layers - 4) // 3)], MAP))
    return net.write(path, f"fan_{layers}")


def _snake(kind: str) -> str:
    return {"Conv2D": "conv2d", "BatchNormalization": "batch_normalization"}.get(kind, kind.lower())
