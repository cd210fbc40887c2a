"""Models of Keras Applications, built by Keras itself and saved as a file like any other."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras

from core.errors import FileError
from core.layers.applications import architecture
from core.writers.atomic import check_destination, replacing

PATIENCE = 30.0
"""Seconds without a byte from the server before a download counts as failed."""


def build_application(
    name: str,
    out: str | Path,
    *,
    weights: str | None = None,
    input_shape: tuple[int, ...] | None = None,
    classes: int = 1000,
    include_top: bool = True,
    preprocessing: bool = True,
    progress: Callable[[str, float], None] = lambda stage, fraction: None,
) -> str:
    """Build `keras.applications.NAME` and save it whole or not at all; returns the path of the `.keras` file.

    `weights` is `None`, `imagenet` (downloaded by Keras unless it has them already) or a weights file. Raises
    `FileError` with one sentence for everything that Keras, the network or the disk refuses.
    """
    known = architecture(name)
    out = Path(out)
    check_destination(out)
    if weights not in (None, "imagenet") and not Path(weights).is_file():
        raise FileError(f"The weights file {weights} does not exist; choose another.", path=weights)
    arguments: dict[str, Any] = {"weights": weights, "include_top": include_top, "input_shape": input_shape}
    if include_top:
        arguments["classes"] = classes
    if known.preprocessing:
        arguments["include_preprocessing"] = preprocessing
    progress("downloading the ImageNet weights" if weights == "imagenet" else f"building {name}", 0.1)
    with _impatient():
        model = _built(name, arguments)
    progress("saving", 0.8)
    with replacing(out) as partial:
        # Keras looks at the ending
        whole = partial.with_name(f"{partial.name}.keras")
        model.save(whole)
        whole.replace(partial)
    return str(out)


def _built(name: str, arguments: dict[str, Any]) -> Any:
    weights = arguments["weights"]
    try:
        return getattr(keras.applications, name)(**arguments)
    except Exception as error:
        said = str(error).strip().partition("\n")[0]
        if weights == "imagenet" and (said.startswith("URL fetch failure") or isinstance(error, OSError)):
            raise FileError(
                f"The ImageNet weights of {name} could not be downloaded ({_reason(said)}); connect to the internet "
                "and try again, or choose random weights or a file that you have.",
                code="download",
            ) from error
        if weights not in (None, "imagenet"):
            raise FileError(
                f"{Path(weights).name} does not fit {name} with these settings: {_short(said)}", path=weights
            ) from error
        raise FileError(f"Keras cannot build {name} with these settings: {_short(said)}") from error


def _reason(said: str) -> str:
    """Why a download failed, from Keras's `URL fetch failure on URL: NUMBER -- REASON`."""
    return said.rpartition(" -- ")[2].strip().rstrip(".") or "no connection"


def _short(said: str) -> str:
    text = said if len(said) <= 240 else said[:239] + "\u2026"
    return text if text.endswith((".", "\u2026")) else text + "."


@contextlib.contextmanager
def _impatient() -> Iterator[None]:
    """Keras downloads without a time limit; a dead network must end."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
