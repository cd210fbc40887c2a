"""What a recipe may bring: Keras's own layers and the person's classes; neither stored code nor files, trust or not."""

import base64
import inspect
import json
import marshal
from pathlib import Path
from typing import Any

import keras
import pytest

from core.analysis.opening import read_model
from core.engine.api import Engine
from core.engine.gate import UnknownCode, make_layer, make_model
from core.errors import RecipeError
from core.layers.foreign import foreign_code
from core.layers.known import CODE_LAYERS, FILE_FIELDS
from core.model.graph import Graph, Layer
from core.recipes.recipe import Recipe, from_json

CODE = """
import keras

class Twice(keras.layers.Layer):
    def call(self, x):
        return x * 2.0

def thrice(x):
    return x * 3.0
"""


def recipe_of(*edits: Any) -> Recipe:
    return from_json(json.dumps({"edits": edits}))


def _stored(source: str = "lambda x: x * 5.0") -> dict[str, Any]:
    code = base64.b64encode(marshal.dumps(compile(source, "m.py", "eval").co_consts[0])).decode()
    return {"class_name": "__lambda__", "config": {"code": code, "defaults": None, "closure": None}}


def _insert(class_name: str, config: dict[str, Any], **further: Any) -> dict[str, Any]:
    return {"do": "insert_layer", "layer": "act", "config": {"class_name": class_name, "config": config, **further}}


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a Lambda that no repair recognises, flat and inside a nested model."""
    image = keras.Input((4,), name="in")
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x if x.shape else -x, name="deep")])
    x = keras.layers.Lambda(lambda x: x if x.shape else x * 2.0, name="act")(image)
    model = keras.Model(image, keras.layers.Dense(2, name="top")(inner(x)))
    path = tmp_path_factory.mktemp("trusted") / "trusted.keras"
    model.save(path)
    return path


@pytest.fixture
def engine(trusted: Path) -> Engine:
    engine = Engine()
    engine.set_source(read_model(trusted), (), True)
    return engine


@pytest.mark.parametrize(
    "edit",
    [
        _insert("Lambda", {"function": _stored()}),
        _insert("Lambda", {"function": _stored()}, module="keras.src.layers.core.lambda_layer"),
        _insert("TimeDistributed", {"layer": _insert("Lambda", {"function": _stored()})["config"]}),
        _insert("Dense", {"units": 2, "activation": _stored()}),
        _insert("StringLookup", {"vocabulary": "/etc/hostname"}),
        _insert("IndexLookup", {"vocabulary": "/etc/hostname"}, module="keras.src.layers.preprocessing.index_lookup"),
        _insert("TFSMLayer", {"filepath": "/somewhere"}),
        _insert("Thing", {}, module="harm_by_import", registered_name="Dense"),
        {"do": "replace_layer", "layer": "act", "config": {"function": _stored()}},
        {"do": "replace_layer", "layer": "act", "config": {"arguments": {"times": 7.0}}},
    ],
)
def test_that_trust_in_a_file_covers_nothing_that_a_recipe_brings(engine: Engine, edit: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match="edit 1"):
        engine.plan(recipe_of(edit))


def test_that_code_of_the_trusted_file_moves_to_no_other_layer(engine: Engine) -> None:
    graph = engine.plan(Recipe()).graph
    act, deep = graph.find("act"), next(layer for path, layer in graph.walk() if path.endswith("/deep"))
    moved = graph.with_layer("act", Layer("act", "Lambda", config={**deep.config, "name": "act"}, calls=act.calls))
    with pytest.raises(UnknownCode, match="stored Python code"):
        make_model(moved)
    assert make_model(graph) is not None
    with pytest.raises(UnknownCode):
        make_layer(Layer("act", "Lambda", config=act.config))


def test_that_a_trusted_layer_stays_so_under_edits_that_leave_its_code_alone(engine: Engine, tmp_path: Path) -> None:
    edits = [
        {"do": "rename_layer", "layer": "act", "name": "other"},
        {"do": "replace_layer", "layer": "other", "config": {"trainable": False}},
    ]
    written = engine.apply(recipe_of(*edits), tmp_path / "out.keras")
    assert written.verification is not None
    assert written.verification.ok


def test_that_classes_and_functions_out_of_named_code_may_be_brought(trusted: Path, tmp_path: Path) -> None:
    code = tmp_path / "code.py"
    code.write_text(CODE)
    engine = Engine()
    try:
        engine.set_source(read_model(trusted), [str(code)])
        thrice = {"class_name": "function", "config": "thrice", "registered_name": "thrice", "module": "builtins"}
        plan = engine.plan(recipe_of(_insert("Lambda", {"function": thrice, "output_shape": [4]})))
        assert not plan.graph.find("lambda").opaque
    finally:
        for name in ("Twice", "thrice"):
            keras.saving.get_custom_objects().pop(name)


def test_that_a_known_name_lets_no_other_module_in() -> None:
    def known(name: str) -> bool:
        return name == "Thing"

    for item in (
        {"class_name": "Thing", "module": "harm_by_import", "config": {}, "registered_name": "other>Thing"},
        {"class_name": "function", "module": "os", "config": "system", "registered_name": "Thing"},
        {"class_name": "python_utils", "module": "keras.src.layers.core.lambda_layer", "config": {}},
        {"class_name": "load_model", "module": "keras.models", "config": {}},
    ):
        assert list(foreign_code(item, known)), item
    assert not list(
        foreign_code({"class_name": "Thing", "module": "x", "config": {}, "registered_name": "Thing"}, known)
    )


def test_that_words_as_a_list_are_welcome(engine: Engine) -> None:
    recipe = from_json('{"edits": [{"do": "insert_layer", "layer": "act", "config": {"class_name": "IntegerLookup", '
                       '"config": {"vocabulary": [1, 2, 3]}}}]}')  # fmt: skip
    assert isinstance(engine.plan(recipe).graph, Graph)


_TELLING = ("file", "path", "vocab", "url", "dataset", "tokenizer", "idf_weights", "uri", "module", "fn", "function")
_VALUES = {"vocabulary_dtype", "vocabulary_size", "profile", "safe_pathways"}


def test_that_every_keras_class_whose_config_can_name_a_file_is_in_the_table() -> None:
    from keras.src.saving.keras_saveable import KerasSaveable

    rooms = (keras.layers, keras.initializers, keras.regularizers, keras.constraints, keras.quantizers,
             keras.dtype_policies, keras.models)  # fmt: skip
    classes = {thing for room in rooms for thing in vars(room).values() if inspect.isclass(thing)}
    found: dict[str, set[str]] = {}
    for thing in classes | _below(KerasSaveable):
        if not thing.__module__.startswith(("keras.src.layers", "keras.src.quantizers", "keras.src.initializers")):
            continue
        for name in inspect.signature(thing).parameters:
            if any(word in name for word in _TELLING) and name not in _VALUES:
                found.setdefault(thing.__name__, set()).add(name)
    assert found
    missing = {
        name: fields - set(FILE_FIELDS.get(name, ()))
        for name, fields in found.items()
        if name not in CODE_LAYERS and fields - set(FILE_FIELDS.get(name, ()))
    }
    assert missing == {}
    assert set(FILE_FIELDS) <= set(found)


def _below(kind: Any) -> set[Any]:
    found: set[Any] = {kind}
    for part in kind.__subclasses__():
        found |= _below(part)
    return found
