"""Models of any number of layers, written without Keras: does cost grow linearly?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from core.writers.keras_file import StoredArray, StoredLayer, write_keras

WIDTH = 8
SIZE = 16
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


def conv_chain(path: Path, layers: int) -> Path:
    """Write a network of about `layers` layers: blocks of Conv2D, BatchNormalization, ReLU and Add, and a head."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    nodes: list[dict[str, Any]] = []
    stored: list[StoredLayer] = []
    arrays: list[StoredArray] = []
    generator = np.random.default_rng(0)
    counts: dict[str, int] = {}

    def add(kind: str, name: str, inputs: list[str], shape: list[int | None], weights: Any = (), **config: Any) -> str:
        if weights:
            key = f"layers/{_storage(_snake(kind), counts.setdefault(kind, 0))}"
            counts[kind] += 1
            stored.append(StoredLayer(key, name))
            arrays.extend(StoredArray(f"{key}/vars/{at}", one, "float32") for at, one in enumerate(weights))
        node = _node(kind, name, {"name": name, "trainable": True, "dtype": DTYPE, **config}, inputs)
        for tensor in node["inbound_nodes"][0]["args"] if inputs else ():
            for one in tensor if isinstance(tensor, list) else [tensor]:
                one["config"]["shape"] = shape
        nodes.append(node)
        return name

    size: list[int | None] = [None, SIZE, SIZE, WIDTH]
    spec = {"batch_shape": [None, SIZE, SIZE, 3], "sparse": False, "ragged": False}
    last, channels = add("InputLayer", "image", [], [], (), **spec), 3
    since = ""
    while len(nodes) < layers - 3:
        number = len(nodes)
        kernel = generator.normal(0, 0.2, (3, 3, channels, WIDTH)).astype(np.float32)
        fields = {"filters": WIDTH, "kernel_size": [3, 3], "padding": "same", "use_bias": False}
        last = add("Conv2D", f"conv_{number}", [last], [None, SIZE, SIZE, channels], [kernel], **fields)
        channels = WIDTH
        vectors = [np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)] * 2
        last = add("BatchNormalization", f"norm_{number}", [last], size, [*vectors[:3], vectors[0]])
        last = add("ReLU", f"relu_{number}", [last], size)
        last = add("Add", f"add_{number}", [last, since], size) if since else last
        since = last
    last = add("GlobalAveragePooling2D", "pool", [last], size)
    head = generator.normal(0, 0.2, (WIDTH, 3)).astype(np.float32)
    last = add("Dense", "classes", [last], [None, WIDTH], [head, np.zeros(3, np.float32)], units=3)
    config = {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {
            "name": f"convolutions_{layers}",
            "trainable": True,
            "layers": nodes,
            "input_layers": [["image", 0, 0]],
            "output_layers": [[last, 0, 0]],
        },
        "registered_name": "Functional",
    }
    metadata = {"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}
    write_keras(path, config, metadata, stored, iter(arrays))
    return path


def _snake(kind: str) -> str:
    return {"Conv2D": "conv2d", "BatchNormalization": "batch_normalization", "Dense": "dense"}[kind]
