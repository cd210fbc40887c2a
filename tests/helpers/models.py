"""Real architectures with seeded weights, built by Keras once and kept in `build/` for later runs.

Weights as initialised tell little: every BatchNormalization is the identity, activations of deep models vanish or
overflow, and a softmax says one class. So statistics are taken from a batch of noise, and every vector is moved.
"""

import hashlib
import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

CACHE = Path(__file__).parents[2] / "build" / "models"
SEED = 20


def application(
    name: str, *, ending: str = ".keras", wrap: str | None = None, calibrate: bool = True, **arguments: Any
) -> Path:
    """The file of `keras.applications.NAME(weights=None, **arguments)`, or of one of `SMALL`, with seeded weights.

    `wrap="sequential"` puts it inside `Sequential([model, GlobalAveragePooling2D, Dense(10)])`, which needs
    `include_top=False`. Files are shared between tests and processes: copy one before changing it.
    """
    import keras

    key = f"2 {keras.__version__} {name} {wrap} {calibrate} {sorted(arguments.items())}"
    path = CACHE / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}{ending}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.stem}-{os.getpid()}{ending}")
        build(name, wrap=wrap, calibrate=calibrate, **arguments).save(partial)
        partial.rename(path)
    return path


def architecture(name: str, **arguments: Any) -> str:
    """What `to_json` says of `keras.applications.NAME(weights=None, **arguments)`, built once and kept."""
    key = f"{version('keras')} {name} {sorted(arguments.items())}"
    path = CACHE / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.json"
    if not path.exists():
        import keras

        path.parent.mkdir(parents=True, exist_ok=True)
        keras.backend.clear_session()  # so that layer names do not depend on what was built before
        partial = path.with_name(f"{path.stem}-{os.getpid()}.json")
        partial.write_text(getattr(keras.applications, name)(weights=None, **arguments).to_json())
        partial.rename(path)
    return path.read_text()


def build(name: str, *, wrap: str | None = None, calibrate: bool = True, **arguments: Any) -> Any:
    """The model itself, freshly built with the same seeded weights every time."""
    import keras

    keras.backend.clear_session()  # so that layer names do not depend on what was built before
    keras.utils.set_random_seed(SEED)
    model = SMALL[name](**arguments) if name in SMALL else getattr(keras.applications, name)(weights=None, **arguments)
    if wrap == "sequential":
        layers = [model, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10, activation="softmax")]
        model = keras.Sequential([keras.Input(model.input_shape[1:]), *layers])
    seed_weights(model, calibrate=calibrate)
    return model


def _small_resnet(**arguments: Any) -> Any:
    from keras.src.applications import resnet

    def stages(x: Any) -> Any:
        x = resnet.stack_residual_blocks_v1(x, 16, 1, stride1=1, name="conv2")
        return resnet.stack_residual_blocks_v1(x, 32, 2, name="conv3")

    return resnet.ResNet(stages, False, True, weights=None, name="small_resnet", **arguments)


def _small_efficientnet(**arguments: Any) -> Any:
    from keras.src.applications import efficientnet

    blocks = efficientnet.DEFAULT_BLOCKS_ARGS[:3]
    return efficientnet.EfficientNet(1.0, 0.5, 224, blocks_args=blocks, weights=None, name="small", **arguments)


SMALL = {"SmallResNet": _small_resnet, "SmallEfficientNet": _small_efficientnet}
"""By the same code of Keras: ResNet50 and EfficientNetB0 with their own stems and blocks, and few of these."""


def seed_weights(model: Any, *, seed: int = SEED, calibrate: bool = True) -> None:
    """Give a model weights in which no two arrays are alike and through which signals keep their size."""
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        if np.issubdtype(weight.dtype, np.floating) and len(weight.shape) == 1:
            values = np.asarray(weight)
            spread = 0.1 if values.size and values.mean() > 0.5 else 0.02
            weight.assign(values + generator.uniform(-spread, spread, values.shape).astype(values.dtype))
    if calibrate:
        _calibrate(model, generator)


def _calibrate(model: Any, generator: np.random.Generator) -> None:
    """Let every BatchNormalization take the statistics of a batch of noise, as training would have left them."""
    normalizers = [layer for layer in layers(model) if type(layer).__name__ == "BatchNormalization"]
    momenta = [layer.momentum for layer in normalizers]
    for layer in normalizers:
        layer.momentum = 0.0
    shapes = [tuple(64 if size is None else size for size in tensor.shape[1:]) for tensor in model.inputs]
    # a model that divides by 255 means numbers up to 255
    largest = 255 if any(type(layer).__name__ == "Rescaling" for layer in model.layers) else 1
    batch = [generator.uniform(0, largest, (2, *shape)).astype("float32") for shape in shapes]
    if normalizers:
        model(batch[0] if len(batch) == 1 else batch, training=True)
    for layer, momentum in zip(normalizers, momenta, strict=True):
        layer.momentum = momentum


def layers(model: Any) -> Iterator[Any]:
    """Every layer, those of nested models too."""
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from layers(layer)
