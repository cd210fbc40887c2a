"""Held-out accuracy of models made from the samples: `python -m resources.samples.accuracy MODEL...`.

Prints one JSON list of shares, in the order of the models. Images follow each model's own input: size and channels.
"""

import json
import os
import sys
from typing import Any

import numpy as np

from resources.samples.digits import WHITE, gray, held_out


def accuracy(model: Any) -> float:
    """The share of held-out digits whose class a Keras model finds."""
    _, height, _, channels = model.input_shape
    images, labels = held_out(height or 32)
    images = images * WHITE.get(model.name, 1)
    found = model.predict(gray(images) if channels == 1 else images, verbose=0).argmax(-1)
    return float(np.mean(found == labels))


def main(paths: list[str]) -> None:
    """Measure each file."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras

    shares = [accuracy(keras.saving.load_model(path, compile=False)) for path in paths]
    sys.stdout.write("\n" + json.dumps(shares) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
