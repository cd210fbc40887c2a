"""A lookup that reads its words from a file by its path: it is told and kept, and no Python file is asked for."""

from core.analysis.opaque import opaque_findings
from core.findings import NameCode
from core.model.graph import Graph
from core.readers.config_graph import build_graph


def _graph(class_name: str, **config: object) -> Graph:
    layer = {
        "class_name": class_name,
        "module": "keras.layers",
        "registered_name": None,
        "config": {"name": "one", **config},
    }
    return build_graph({"class_name": "Sequential", "config": {"name": "m", "layers": [layer]}})


def test_that_a_vocabulary_read_by_its_path_is_told_without_asking_for_code() -> None:
    (told,) = opaque_findings(_graph("StringLookup", vocabulary="/somewhere/words.txt"))
    assert "reads a file by its path, which is not opened" in told.message
    assert told.actions == ()


def test_that_a_function_of_the_persons_own_is_asked_for() -> None:
    (told,) = opaque_findings(_graph("Dense", units=2, activation="wonder"))
    assert "'wonder', which is not part of Keras" in told.message
    assert told.actions == (NameCode("one"),)
