from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.layers.axes import axes_of
from core.model.graph import Layer
from core.rules import adapt, refusal
from core.rules.interpolation import resize_matrix
from core.rules.spatial import PoolFlat, SpatialMean, SpatialResize

maps = st.tuples(st.integers(1, 6), st.integers(1, 6))
DENSE = Layer("d", "Dense")
layouts = st.sampled_from(["channels_last", "channels_first"])


def flat(view: Any, layout: Any) -> Any:
    return (np.moveaxis(view, -1, 0) if layout == "channels_first" else view).reshape(-1)


@given(maps, maps, layouts)
def test_that_spatial_resize_answers_as_the_old_head_on_the_resized_map(old: Any, new: Any, layout: Any) -> None:
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((old[0] * old[1] * 2, 3))
    rule = SpatialResize(old=(*old, 2), new=(*new, 2), layout=layout)
    axes = axes_of(DENSE, "kernel", weights.shape)
    result = adapt(weights, (new[0] * new[1] * 2, 3), axes, (rule,))
    image = rng.standard_normal((*new, 2))
    small = np.einsum("ih,jw,hwc->ijc", resize_matrix(new[0], old[0]), resize_matrix(new[1], old[1]), image)
    assert np.allclose(flat(image, layout) @ result, flat(small, layout) @ weights)


@given(maps, maps, layouts)
def test_that_spatial_mean_keeps_the_answer_to_constant_maps(old: Any, new: Any, layout: Any) -> None:
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((old[0] * old[1] * 2, 3))
    rule = SpatialMean(old=(*old, 2), new=(*new, 2), layout=layout)
    result = adapt(weights, (new[0] * new[1] * 2, 3), axes_of(DENSE, "kernel", weights.shape), (rule,))
    colour = rng.standard_normal(2)
    large, small = np.broadcast_to(colour, (*new, 2)), np.broadcast_to(colour, (*old, 2))
    assert np.allclose(flat(large, layout) @ result, flat(small, layout) @ weights)


@given(maps, layouts)
def test_that_pooling_first_keeps_the_answer_to_constant_maps(old: Any, layout: Any) -> None:
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((old[0] * old[1] * 2, 3))
    result = adapt(weights, (2, 3), axes_of(DENSE, "kernel", weights.shape), (PoolFlat(old=(*old, 2), layout=layout),))
    colour = rng.standard_normal(2)
    assert np.allclose(colour @ result, flat(np.broadcast_to(colour, (*old, 2)), layout) @ weights)


def test_that_maps_that_do_not_match_the_weight_are_refused() -> None:
    rule = SpatialResize(old=(2, 2, 3), new=(4, 4, 3))
    reason = refusal((13, 5), (48, 5), axes_of(DENSE, "kernel", (13, 5)), (rule,))
    assert reason is not None
    assert "13 rows" in reason
