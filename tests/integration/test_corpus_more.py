"""The second collection of public files: rebuilt, and held against the library that wrote them, a network written out
by hand from what its authors published, or the twin that another backend saved.
"""

import json
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from core.analysis.opening import read_model
from core.engine.api import Engine
from core.errors import FileError
from core.readers import Source, open_store
from core.recipes.recipe import Recipe, from_json
from tests.helpers import corpus

K = pytest.importorskip("tf_keras")
L = K.layers
SEEDS = (1, 2)
CHEMICAL = "aspuru-guzik-group+chemical_vae/models/zinc_properties"
SRVGAN = "duongtruongtrong+super_resolution_video_srvgan/flask_app/models"
ECG = "chen0040+keras-anomaly-detection/demo/ecg_demo/models"
MUSIC = "keunwoochoi+music-auto_tagging-keras/data/music_tagger_crnn_weights"
WHOLE = [
    f"{CHEMICAL}/zinc_encoder.h5",
    f"{CHEMICAL}/zinc_prop_pred.h5",
    pytest.param(f"{SRVGAN}/generator_upscale_2_times.h5", marks=pytest.mark.slow),
    pytest.param(f"{SRVGAN}/generator_upscale_4_times-FAST-GAN.h5", marks=pytest.mark.slow),
    pytest.param(
        "talmolab+sleap/tests/data/models/min_tracks_2node.UNet.topdown_multiclass/best_model.h5",
        marks=pytest.mark.slow,
    ),
    pytest.param("sleepecg+0.6.0/wrn-gru-mesa/classifier.keras", marks=pytest.mark.slow),
    pytest.param("sleepecg+0.6.0/ws-gru-mesa/classifier.keras", marks=pytest.mark.slow),
]

pytestmark = pytest.mark.filterwarnings("ignore:.*structure of `inputs`:UserWarning")


def opened(architecture: Path | str, weights: str | None = None) -> Source:
    """A file, or an architecture with its weights, about which there is nothing to warn of."""
    path = corpus.path(architecture) if isinstance(architecture, str) else architecture
    source = read_model(path, corpus.path(weights) if weights else None)
    assert [one.message for one in source.findings if one.severity != "info"] == []
    return source


def rebuilt(source: Source, tmp_path: Path, *edits: dict[str, Any]) -> Any:
    """The source applied with nothing left over and nothing made up, as plain Keras loads it."""
    engine = Engine()
    engine.set_source(source)
    recipe = from_json(json.dumps({"suture": 1, "edits": edits}))
    plan = engine.plan(recipe)
    assert plan.ok, [one.message for one in plan.findings if one.severity == "error"]
    assert not plan.dropped or edits
    assert {fate.fate for fate in plan.fates} <= {"copied", "transferred", "adapted"}
    written = engine.apply(recipe, tmp_path / "rebuilt.keras", True)
    assert written.verification is not None
    assert written.verification.ok, written.verification.message
    return keras.saving.load_model(tmp_path / "rebuilt.keras", compile=False)


def sample(model: Any, seed: int) -> list[Any]:
    """Seeded numbers in [0, 1) for every input; sizes that may be any are 7."""
    rng = np.random.default_rng(seed)
    shapes = [[2, *(7 if size is None else size for size in one.shape[1:])] for one in model.inputs]
    return [rng.random(shape, dtype=np.float32) for shape in shapes]


def assert_same(new: Any, old: Any, inputs: Any = None) -> None:
    """Every output is the same within 1e-5 of its largest value, on seeded inputs (`inputs(seed)` makes them)."""
    for seed in SEEDS:
        given = inputs(seed) if inputs is not None else sample(new, seed)
        given = given[0] if len(given) == 1 else given
        got, wanted = (keras.tree.flatten(one.predict(given, verbose=0)) for one in (new, old))
        assert len(got) == len(wanted)
        for mine, theirs in zip(got, wanted, strict=True):
            assert mine.shape == theirs.shape
            assert np.max(np.abs(mine - theirs)) <= 1e-5 * np.max(np.abs(theirs))
            assert np.std(theirs) > 0, "an output that never varies would prove nothing"


def arrays_of(name: str, *groups: str, root: str = "") -> list[Any]:
    """The arrays of some layers in the order of the file's own list."""
    found = []
    with h5py.File(corpus.path(name)) as file:
        for group in groups:
            at = file[f"{root}/{group}".lstrip("/")]
            found += [np.asarray(at[one.decode()]) for one in map(np.bytes_, at.attrs["weight_names"])]
    return found


def _architecture(tmp_path: Path, model: Any, **fields: Any) -> Path:
    """A model's description as a JSON file."""
    path = tmp_path / "architecture.json"
    path.write_text(json.dumps({**json.loads(model.to_json()), **fields}))
    return path


@pytest.mark.parametrize("name", WHOLE)
def test_that_a_whole_model_gives_what_its_own_library_gives(name: str, tmp_path: Path) -> None:
    source = opened(name)
    load = keras.saving.load_model if name.endswith(".keras") else K.models.load_model
    assert_same(rebuilt(source, tmp_path), load(corpus.path(name), compile=False))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cnn-lstm-auto-encoder", "bidirectional-lstm-auto-encoder"])
def test_that_an_architecture_takes_the_weights_beside_it(name: str, tmp_path: Path) -> None:
    oracle = K.models.model_from_json(corpus.path(f"{ECG}/{name}-architecture.json").read_text())
    oracle.load_weights(corpus.path(f"{ECG}/{name}-weights.h5"))
    assert_same(rebuilt(opened(f"{ECG}/{name}-architecture.json", f"{ECG}/{name}-weights.h5"), tmp_path), oracle)


def test_that_a_keras_1_model_at_a_path_with_other_letters_is_rebuilt(tmp_path: Path) -> None:
    name = "rlcode+reinforcement-learning/cartpole-dqn.h5"
    elsewhere = tmp_path / "Code 2. 카트폴" / "cartpole-dqn.h5"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(corpus.path(name).read_bytes())
    oracle = K.Sequential([L.Input((4,)), L.Dense(64, "relu"), L.Dense(2, "linear")])
    with h5py.File(elsewhere) as file:
        config = json.loads(file.attrs["model_config"])["config"]
    assert [one["config"]["activation"] for one in config] == ["relu", "linear"]
    oracle.set_weights(arrays_of(name, "dense_1", "dense_2", root="model_weights"))
    assert_same(rebuilt(opened(elsewhere), tmp_path), oracle)


def test_that_keras_1_weights_without_any_attribute_fill_a_model(tmp_path: Path) -> None:
    name = "rlcode+reinforcement-learning/snake.h5"
    widths = (128, 128, 128, 5)
    config = [
        {"class_name": "Dense", "config": {"name": f"dense_{number}", "output_dim": units, "activation": "relu"}}
        for number, units in enumerate(widths, 1)
    ]
    config[0]["config"]["batch_input_shape"] = [None, 5]  # type: ignore[index]
    path = tmp_path / "snake.json"
    path.write_text(json.dumps({"class_name": "Sequential", "config": config, "keras_version": "1.2.1"}))
    oracle = K.Sequential([L.Input((5,)), *(L.Dense(units, "relu") for units in widths)])
    oracle.set_weights(arrays_of(name, *(f"dense_{number}" for number in range(1, 5))))
    assert_same(rebuilt(opened(path, name), tmp_path), oracle)


def test_that_weights_of_a_fully_convolutional_net_with_shared_slopes_fill_it(tmp_path: Path) -> None:
    """The P-net of MTCNN as its authors drew it; names with dashes, slopes of shape (1, 1, c)."""
    name = "xiangrufan+keras-mtcnn/12net.h5"
    x = start = L.Input((None, None, 3), name="input_1")
    for number, (filters, pool) in enumerate(((10, True), (16, False), (32, False)), 1):
        x = L.Conv2D(filters, 3, name=f"conv{number}")(x)
        x = L.PReLU(shared_axes=[1, 2], name=f"PReLU{number}")(x)
        x = L.MaxPooling2D(name="max_pooling2d_1")(x) if pool else x
    oracle = K.Model(
        start, [L.Conv2D(2, 1, activation="softmax", name="conv4-1")(x), L.Conv2D(4, 1, name="conv4-2")(x)]
    )
    oracle.load_weights(corpus.path(name), by_name=True)
    source = opened(_architecture(tmp_path, oracle), name)
    rng = [np.random.default_rng(seed) for seed in range(4)]
    assert_same(rebuilt(source, tmp_path), oracle, lambda seed: [rng[seed].random((2, 24, 31, 3), dtype=np.float32)])


def test_that_weights_of_keras_3_with_an_optimizer_fill_a_model(tmp_path: Path) -> None:
    name = "Hugo-Persson+ML-for-iot-project-presence-detector/best.weights.h5"
    layers = keras.layers
    oracle = keras.Sequential(
        [
            *(keras.Input((3, 18, 1)), layers.Conv2D(16, (2, 4), activation="relu")),
            *(layers.Conv2D(8, (1, 4), activation="relu"), layers.Flatten()),
            *(layers.Dense(64, activation="relu"), layers.Dense(1, activation="sigmoid")),
        ]
    )
    oracle.load_weights(corpus.path(name))
    assert_same(rebuilt(opened(_architecture(tmp_path, oracle), name), tmp_path), oracle)


def _segmenter(first: int) -> Any:
    """DeepCut's network, whose 12 branches have kernels of 1 to 12; layers of a kind are numbered from `first`."""

    def called(kind: str, number: int) -> str:
        return f"{kind}_{number + first}" if number + first else kind

    letters, kinds = L.Input((21,), name=called("input", 1)), L.Input((21,), name=called("input", 2))
    a = L.SpatialDropout1D(0.15)(L.Embedding(178, 32, name=called("embedding", 0))(letters))
    a = L.BatchNormalization(name=called("batch_normalization", 0))(a)
    branches = []
    for number in range(12):
        filters = 200 if number < 8 else 150 if number < 11 else 100
        b = L.Conv1D(filters, number + 1, activation="relu", name=called("conv1d", number))(a)
        b = L.TimeDistributed(L.Dense(5), name=called("time_distributed", number))(b)
        branches.append(L.ZeroPadding1D((0, number))(b))
    c = L.SpatialDropout1D(0.15)(L.Embedding(12, 12, name=called("embedding", 1))(kinds))
    x = L.Concatenate()([a, L.Maximum()(branches), c])
    x = L.Flatten()(L.BatchNormalization(name=called("batch_normalization", 1))(x))
    x = L.Dense(100, "relu", name=called("dense", 12))(x)
    return K.Model([letters, kinds], L.Dense(1, "sigmoid", name=called("dense", 13))(x))


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 1], ids=["same names", "names that begin at 1"])
def test_that_branches_are_paired_by_order_where_names_are_one_apart(first: int, tmp_path: Path) -> None:
    name = "SEFR_CUT+1.1/weight/model_weight_ws1000.h5"
    K.backend.clear_session()
    oracle = _segmenter(first)
    for layer in oracle.layers:
        kind, _, number = layer.name.rpartition("_")
        if not layer.weights:
            continue
        at = int(number) - first if kind and number.isdigit() else 0 - first
        kind = kind if kind and number.isdigit() else layer.name
        layer.set_weights(arrays_of(name, f"{kind}_{at}" if at > 0 else kind))
    rng = [np.random.default_rng(seed) for seed in range(4)]

    def words(seed: int) -> list[Any]:
        return [rng[seed].integers(0, size, (3, 21)).astype("float32") for size in (178, 12)]

    source = opened(_architecture(tmp_path, oracle), name)
    assert_same(rebuilt(source, tmp_path), oracle, words)


def _tagger(backend: str) -> dict[str, Any]:
    """The tagger's description as Keras 1 would have written it, in Theano's order of axes."""

    def layer(kind: str, name: str, before: str, **config: Any) -> dict[str, Any]:
        fields = {"class_name": kind, "name": name, "config": {"name": name, **config}}
        return {**fields, "inbound_nodes": [[[before, 0, 0]]] if before else []}

    layers = [
        layer("InputLayer", "input_2", "", batch_input_shape=[None, 1, 96, 1366], input_dtype="float32"),
        layer("ZeroPadding2D", "zeropadding2d_1", "input_2", padding=[0, 37], dim_ordering="th"),
        layer("BatchNormalization", "bn_0_freq", "zeropadding2d_1", axis=3, mode=0, epsilon=1e-3),
    ]
    before = "bn_0_freq"
    for number, (filters, pool) in enumerate(((64, [2, 2]), (128, [3, 3]), (128, [4, 4]), (128, [4, 4])), 1):
        sizes = {"nb_filter": filters, "nb_row": 3, "nb_col": 3, "border_mode": "same", "dim_ordering": "th"}
        layers += [
            layer("Convolution2D", f"conv{number}", before, activation="linear", **sizes),
            layer("BatchNormalization", f"bn{number}", f"conv{number}", axis=1, mode=0, epsilon=1e-3),
            layer("ELU", f"elu_{number + 5}", f"bn{number}", alpha=1.0),
            layer(
                "MaxPooling2D", f"pool{number}", f"elu_{number + 5}", pool_size=pool, strides=pool, dim_ordering="th"
            ),
        ]
        before = f"pool{number}"
    gates = {"output_dim": 32, "inner_activation": "hard_sigmoid", "activation": "tanh", "inner_init": "orthogonal"}
    layers += [
        layer("Permute", "permute_1", before, dims=[3, 1, 2]),
        layer("Reshape", "reshape_1", "permute_1", target_shape=[15, 128]),
        layer("GRU", "gru1", "reshape_1", return_sequences=True, **gates),
        layer("GRU", "gru2", "gru1", return_sequences=False, **gates),
        layer("Dense", "output", "gru2", output_dim=50, activation="sigmoid"),
    ]
    ends = {"input_layers": [["input_2", 0, 0]], "output_layers": [["output", 0, 0]]}
    config = {"name": "model_1", "layers": layers, **ends}
    return {"class_name": "Model", "config": config, "keras_version": "1.0.6", "backend": backend}


def _tagger_by_hand() -> Any:
    """The same network from layers of today, channels last, its arrays turned by hand."""
    name = f"{MUSIC}_tensorflow.h5"
    x = start = L.Input((96, 1366, 1))
    x = L.BatchNormalization(axis=2, name="bn_0_freq")(L.ZeroPadding2D((0, 37))(x))
    for number, (filters, pool) in enumerate(((64, 2), (128, 3), (128, 4), (128, 4)), 1):
        x = L.Conv2D(filters, 3, padding="same", name=f"conv{number}")(x)
        x = L.MaxPooling2D(pool)(L.ELU()(L.BatchNormalization(name=f"bn{number}")(x)))
    x = L.Reshape((15, 128))(x)
    gates = {"recurrent_activation": "hard_sigmoid", "reset_after": False}
    x = L.GRU(32, name="gru2", **gates)(L.GRU(32, return_sequences=True, name="gru1", **gates)(x))
    model = K.Model(start, L.Dense(50, "sigmoid", name="output")(x))
    for layer in model.layers:
        if not layer.weights:
            continue
        found = arrays_of(name, layer.name)
        if layer.name.startswith("conv"):
            found[0] = found[0].transpose(2, 3, 1, 0)
        elif layer.name.startswith("gru"):
            found = [np.concatenate([found[part + 3 * gate] for gate in range(3)], axis=-1) for part in range(3)]
        layer.set_weights(found)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "theano"])
def test_that_the_twins_of_two_backends_give_the_network_of_their_authors(backend: str, tmp_path: Path) -> None:
    path = tmp_path / "tagger.json"
    path.write_text(json.dumps(_tagger(backend)))
    source = opened(path, f"{MUSIC}_{backend}.h5")
    oracle = _tagger_by_hand()
    images = [np.random.default_rng(seed).standard_normal((1, 96, 1366, 1)).astype("float32") for seed in SEEDS]
    new = rebuilt(source, tmp_path)
    for image in images:
        got, wanted = new.predict(image.transpose(0, 3, 1, 2), verbose=0), oracle.predict(image, verbose=0)
        assert np.max(np.abs(got - wanted)) <= 1e-5 * np.max(np.abs(wanted))


def test_that_the_twins_hold_kernels_turned_by_half(tmp_path: Path) -> None:
    """What the readers make of both files is the same array for array, which nothing else in them says."""
    found = {}
    for backend in ("tensorflow", "theano"):
        path = tmp_path / f"{backend}.json"
        path.write_text(json.dumps(_tagger(backend)))
        source = opened(path, f"{MUSIC}_{backend}.h5")
        with open_store(source) as store:
            found[backend] = {
                f"{name}/{weight.name}": store.read(weight.source.key)
                for name, layer in source.graph.walk()
                for weight in layer.weights
                if weight.source is not None
            }
    assert len(found["theano"]) == 36
    for name, array in found["tensorflow"].items():
        assert np.allclose(array, found["theano"][name], rtol=0, atol=1e-6), name


def test_that_two_classifiers_of_one_body_differ_in_their_heads_alone() -> None:
    from core.analysis.diff import compare

    first, second = (opened(f"sleepecg+0.6.0/{kind}-gru-mesa/classifier.keras") for kind in ("wrn", "ws"))
    found = compare(first, second, lambda *_: None)
    assert [(one.a, change.what, change.a, change.b) for one in found.layers for change in one.fields] == [
        ("dense_1", "units", 4, 3)
    ]


def test_that_a_layer_without_code_is_told_and_carried_into_its_own_format(tmp_path: Path) -> None:
    source = read_model(corpus.path("px4860+deepar/model.h5"))
    assert [one.layer for one in source.findings if one.code == "layer.unknown"] == ["main_output"]
    engine = Engine()
    engine.set_source(source)
    with pytest.raises(FileError, match="The code of main_output is not available"):
        engine.apply(Recipe(), tmp_path / "out.keras", True)
    engine.apply(Recipe(), tmp_path / "out.h5", False)
    stored: dict[str, dict[str, Any]] = {}
    for path in (corpus.path("px4860+deepar/model.h5"), tmp_path / "out.h5"):
        again = read_model(path)
        assert again.graph.num_params() == 135
        with open_store(again) as store:
            stored[path.name] = {
                f"{name}/{one.name}": store.read(one.source.key)
                for name, layer in again.graph.walk()
                for one in layer.weights
                if one.source is not None
            }
    assert all(np.array_equal(array, stored["out.h5"][name]) for name, array in stored["model.h5"].items())


def test_that_what_comes_before_a_layer_without_code_is_rebuilt(tmp_path: Path) -> None:
    """rnnmorph: a wrapped Embedding, two inputs of any length, weights saved years before the architecture."""
    folder = "rnnmorph+0.4.1/en"
    source = read_model(corpus.path(f"{folder}/eval_model.json"), corpus.path(f"{folder}/eval_model.h5"))
    assert [one.layer for one in source.findings if one.severity != "info"] == ["LSTM_1_backward"]
    assert all(layer.weights for layer in source.graph.layers if layer.class_name in ("Dense", "LSTM", "ReversedLSTM"))

    class ReversedLSTM(L.LSTM):  # type: ignore[name-defined]
        pass

    custom = {"ReversedLSTM": ReversedLSTM}
    whole = K.models.model_from_json(corpus.path(f"{folder}/eval_model.json").read_text(), custom)
    whole.load_weights(corpus.path(f"{folder}/eval_model.h5"))
    oracle = K.Model(whole.inputs, whole.get_layer("LSTM_1_forward").output)
    new = rebuilt(source, tmp_path, {"do": "cut_at", "layers": ["LSTM_1_forward"]})
    rng = [np.random.default_rng(seed) for seed in range(4)]

    def words(seed: int) -> list[Any]:
        made = []
        for one in oracle.inputs:
            shape = (2, 5, *(size for size in one.shape[2:]))
            chars = "char" in one.name
            made.append(
                rng[seed].integers(0, 153, shape).astype("float32") if chars else rng[seed].random(shape, "float32")
            )
        return made

    assert_same(new, oracle, words)
