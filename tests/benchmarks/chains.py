"""Models of any number of layers, written without Keras: does cost grow linearly?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from core.writers.keras_file import StoredArray, StoredLayer, write_keras

WIDTH = 8
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
