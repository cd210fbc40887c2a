from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from core.edits import SetDtype
from core.errors import EditError
from tests.helpers.edits import applied


def test_that_mixed_precision_becomes_float32_and_back(bench: Any) -> None:
    source = bench("mixed_precision")
    built = source.built(SetDtype(policy="float32"))
    assert {layer.dtype_policy.name for layer in built.model.layers if layer.weights} == {"float32"}
    image = np.random.default_rng(0).uniform(0, 1, (2, 16, 16, 3)).astype("float32")
    assert np.abs(built(image) - source.old(image)).max() < 0.02
    back = source.built(SetDtype(policy="float32"), SetDtype(policy="mixed_float16"))
    assert np.array_equal(back(image), source.old(image))


def test_that_globs_choose_layers_and_normalization_stays_float32(bench: Any) -> None:
    built = bench("normalized").built(SetDtype(policy="mixed_bfloat16", layers=("stem*", "normalization")))
    policies = {layer.name: layer.dtype_policy.name for layer in built.model.layers}
    assert policies["stem"] == "mixed_bfloat16"
    assert policies["normalization"] == "float32"
    assert policies["predictions"] == "float32"


def test_that_quantized_numbers_without_scales_are_refused() -> None:
    import keras

    from tests.core.edits.bench import Bench

    inputs = keras.Input((8,))
    model = keras.Model(inputs, keras.layers.Dense(4, name="dense")(inputs))
    source = Bench(model)
    dense = source.graph.find("dense")
    policy = {"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8", "source_name": "float32"}}
    weights = tuple(replace(one, dtype="int8") if one.name == "kernel" else one for one in dense.weights)
    layer = replace(dense, config={**dense.config, "dtype": policy}, weights=weights)
    with pytest.raises(EditError, match=r"dense/kernel is quantized \(int8\), and its scales"):
        applied(source.graph.with_layer("dense", layer), SetDtype(policy="float32"))


def test_that_only_layers_that_keras_quantizes_are_quantized(bench: Any) -> None:
    graph = bench("flat").graph
    name = next(path for path, layer in graph.walk() if layer.class_name not in ("Dense", "InputLayer"))
    with pytest.raises(EditError, match="there is none among"):
        applied(graph, SetDtype(policy="int8", layers=(name,)))
    with pytest.raises(EditError, match=r"Suture quantizes to int8 from float32 or mixed_bfloat16"):
        applied(graph, SetDtype(policy="float16"), SetDtype(policy="int8"))


def test_that_an_unknown_policy_is_refused(bench: Any) -> None:
    with pytest.raises(EditError, match="must be one of float32"):
        bench("flat").edited(SetDtype(policy="int3"))
    with pytest.raises(EditError, match="int4/BLOCK"):
        bench("flat").edited(SetDtype(policy="int4/0"))


@pytest.mark.parametrize("policy", ["float16", "int8"])
@pytest.mark.parametrize("name", ["image", "subtract"])
def test_that_what_has_no_policy_of_its_own_is_refused_by_name(policy: str, name: str) -> None:
    import keras

    from tests.core.edits.bench import Bench

    keras.backend.clear_session()
    inputs = keras.Input((8,), name="image")
    model = keras.Model(inputs, keras.layers.Dense(4)(inputs - 1.0))
    with pytest.raises(EditError, match=f"{name}: an operation or an input has no dtype policy"):
        Bench(model).edited(SetDtype(policy=policy, layers=(name,)))
