"""What there is to draw: nodes, blocks, edges, words on cards."""

from typing import Any

import pytest

from core.model.graph import Layer, TensorSpec
from gui.canvas import flow
from gui.canvas.describe import detail_text, outputs_text
from tests.gui.canvas import graphs


def built(graph: Any, *, unfolded: bool = False) -> flow.Level:
    return flow.build(graph, lambda path, layer: unfolded)


def names(level: flow.Level) -> list[list[str]]:
    return [[node.path for node in block] for block in level.blocks]


def test_that_a_convolution_takes_its_normalization_and_activation_into_one_block() -> None:
    assert names(built(graphs.residual(1))) == [["input"], ["b0_a", "b0_a_bn", "b0_a_relu"], ["b0_b"], ["b0_add"]]


def test_that_a_layer_with_two_users_ends_its_block() -> None:
    steps: list[graphs.Step] = [
        ("a", "Conv2D", ()), ("bn", "BatchNormalization", ("a",)), ("relu", "Activation", ("bn",)),
        ("other", "Dense", ("bn",)),
    ]  # fmt: skip
    assert names(built(graphs.of(steps))) == [["a", "bn"], ["relu"], ["other"]]


def test_that_a_merge_starts_a_block() -> None:
    steps: list[graphs.Step] = [
        ("a", "Dense", ()), ("b", "Dense", ()), ("sum", "Add", ("a", "b")), ("relu", "ReLU", ("sum",)),
    ]  # fmt: skip
    assert names(built(graphs.of(steps))) == [["a"], ["b"], ["sum", "relu"]]


def test_that_each_call_of_a_shared_layer_is_a_node() -> None:
    level = built(graphs.shared(), unfolded=True)
    calls = [(node.path, node.call) for node in level.nodes if node.shared]
    assert calls == [("encoder", 0), ("encoder", 1), ("project", 0), ("project", 1)]
    wired = {(edge.source.key, edge.target.key) for edge in level.edges}
    assert ("left", "encoder") in wired
    assert ("right", "encoder\n1") in wired
    assert ("encoder\n1", "project\n1") in wired


def test_that_keys_are_unique_over_all_levels() -> None:
    nodes = built(graphs.shared(), unfolded=True).walk()
    assert len({node.key for node in nodes}) == len(nodes)
    assert sum(node.path == "encoder/conv" for node in nodes) == 2


def test_that_a_folded_model_is_one_node_with_its_size() -> None:
    level = built(graphs.nested())
    node = next(node for node in level.nodes if node.path == "backbone")
    assert node.inner is None
    assert node.foldable
    assert node.detail.startswith("4 layers")
    assert len(level.walk()) == 4


def test_that_a_tensor_used_twice_by_one_layer_is_one_edge() -> None:
    assert len(built(graphs.of([("a", "Dense", ()), ("twice", "Add", ("a", "a"))])).edges) == 1


def test_that_edges_carry_the_shape_of_their_tensor() -> None:
    assert [edge.text for edge in built(graphs.chain(1)).edges] == ["8\u00d78\u00d74"]


def test_that_ghosts_carry_their_path_in_the_source() -> None:
    level = flow.build(graphs.chain(2), lambda path, layer: True, {"l0": "was/l0"})
    ghost = next(node for node in level.nodes if node.ghost)
    assert ghost.path == "was/l0"
    assert [edge.ghost for edge in level.edges] == [True, True]


@pytest.mark.parametrize(
    ("class_name", "config", "text"),
    [
        ("Conv2D", {"filters": 64, "kernel_size": [7, 7], "strides": [2, 2]}, "64|7\u00d77 /2"),
        ("Conv2D", {"filters": 8, "kernel_size": [1, 7], "strides": [1, 1], "dilation_rate": 2}, "8|1\u00d77 d2"),
        ("DepthwiseConv2D", {"kernel_size": [3, 3], "strides": [1, 1]}, "3\u00d73"),
        ("Conv2D", {"filters": 4, "kernel_size": [3, 3], "activation": "relu"}, "4|3\u00d73|relu"),
        ("Dense", {"units": 10, "activation": "softmax"}, "10|softmax"),
        ("Dense", {"units": 10, "activation": "linear"}, "10"),
        ("Dense", {"units": 10, "activation": {"class_name": "function", "config": "gelu"}}, "10|gelu"),
        ("Activation", {"activation": "relu"}, "relu"),
        ("MaxPooling2D", {"pool_size": [3, 3], "strides": [2, 2]}, "3\u00d73 /2"),
        ("GlobalAveragePooling2D", {"keepdims": False}, ""),
        ("ZeroPadding2D", {"padding": [[3, 3], [3, 3]]}, "3"),
        ("ZeroPadding2D", {"padding": [[0, 1], [0, 1]]}, "0:1"),
        ("Rescaling", {"scale": 1 / 127.5}, "0.007843"),
        ("Rescaling", {"scale": [0.5, 0.25]}, "0.5, 0.25"),
        ("Dropout", {"rate": 0.5}, "0.5"),
        ("ReLU", {"max_value": 6.0}, "max 6"),
        ("ReLU", {"max_value": None}, ""),
        ("LSTM", {"units": 32, "activation": "tanh"}, "32|tanh"),
        ("Embedding", {"input_dim": 1000, "output_dim": 64}, "1000 \u2192 64"),
        ("MultiHeadAttention", {"num_heads": 8, "key_dim": 64}, "8 heads|64"),
        ("Reshape", {"target_shape": [7, 7, 3]}, "7\u00d77\u00d73"),
        ("Unheard", {}, ""),
    ],
)
def test_that_a_card_names_the_most_telling_arguments(class_name: str, config: dict[str, Any], text: str) -> None:
    assert detail_text(Layer("l", class_name, config=config)).replace("\u2009\u00b7\u2009", "|") == text


def test_that_odd_configs_are_no_obstacle() -> None:
    odd: tuple[Any, ...] = (None, "x", {}, [], [[1], 2], 3.5)
    for class_name in ("Conv2D", "ZeroPadding2D", "Dense", "Embedding", "Reshape", "UpSampling2D", "MaxPooling2D"):
        for value in odd:
            config = dict.fromkeys(("kernel_size", "padding", "units", "target_shape", "size", "pool_size"), value)
            detail_text(Layer("l", class_name, config=config))


def test_that_several_outputs_are_counted() -> None:
    assert outputs_text((TensorSpec((None, 4)), TensorSpec((None, 2)))) == "4  +1"
    assert outputs_text(None) == ""
