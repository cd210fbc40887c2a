"""Models whose config names no inputs or no outputs: read off the connections, against the model as it was built."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

from core.analysis.opening import read_model
from tests.core.readers.rebuild import difference, random_inputs, randomize, rebuild

K = pytest.importorskip("tf_keras")
L = K.layers
pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")


def _autoencoder() -> Any:
    x = L.Input((6,))
    return K.Model(x, L.Dense(6)(L.Dense(3, "relu")(x)))


def _nested() -> Any:
    x, y = L.Input((6,)), L.Input((6,))
    inner = K.Model(x, L.Dense(6, "tanh")(x))
    return K.Model(y, L.Dense(2)(inner(inner(y))))


def _several() -> Any:
    left, right = L.Input((6,)), L.Input((4,))
    shared = L.Dense(3)
    joined = L.concatenate([shared(left), L.Dense(3)(right)])
    return K.Model([left, right], [L.Dense(1)(joined), shared(L.Dense(6)(joined))])


def _changed(config: Any, fields: dict[str, Any] | None) -> Any:
    """The config of a Functional model and of those inside without, or with other, ends."""
    if isinstance(config, list):
        return [_changed(item, fields) for item in config]
    if not isinstance(config, dict):
        return config
    kept = {key: _changed(value, fields) for key, value in config.items()}
    if "output_layers" in kept:
        kept = {key: value for key, value in kept.items() if key not in ("input_layers", "output_layers")}
        kept |= fields or {}
    return kept


def _without_ends(model: Any, path: Path, fields: dict[str, Any] | None) -> Path:
    model.save(path)
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = json.dumps(_changed(json.loads(file.attrs["model_config"]), fields)).encode()
    return path


@pytest.mark.parametrize("fields", [None, {"input_layers": [], "output_layers": []}], ids=["missing", "empty"])
@pytest.mark.parametrize("build", [_autoencoder, _nested, _several])
def test_that_inputs_and_outputs_are_read_off_the_connections(
    build: Callable[[], Any], fields: dict[str, Any] | None, tmp_path: Path
) -> None:
    K.backend.clear_session()
    model = build()
    randomize(model)
    source = read_model(_without_ends(model, tmp_path / "old.h5", fields))
    told = [one for one in source.findings if one.severity == "warning"]
    assert [one.code for one in told] == ["legacy.repaired"]
    assert "its inputs are" in told[0].message
    inputs = random_inputs(model)
    wanted, got = model(inputs), rebuild(source)(inputs)
    if not isinstance(wanted, list):
        wanted, got = [wanted], [got]
    # nothing says in which order several outputs stood, so they are told, in the order of the layers
    assert len(wanted) == len(got) == len(told[0].message.rpartition("outputs are ")[2].split(", "))
    assert all(any(difference(new, old) < 1e-6 for new in got) for old in wanted)


def test_that_a_model_without_connections_is_shown_by_its_layers(tmp_path: Path) -> None:
    K.backend.clear_session()
    model = _autoencoder()
    path = _without_ends(model, tmp_path / "old.h5", {"input_layers": [], "output_layers": []})
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for item in config["config"]["layers"]:
            item["inbound_nodes"] = []
        file.attrs["model_config"] = json.dumps(config).encode()
    source = read_model(path)
    assert source.graph.opaque
    assert source.graph.num_params() == model.count_params()
    (told,) = [one for one in source.findings if one.code == "graph.opaque"]
    assert told.message.startswith("The file does not say how the model's layers are connected")
