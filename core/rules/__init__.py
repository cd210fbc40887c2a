"""How one weight array becomes another of a new shape: pure NumPy, one family of rules a file."""

from typing import Any

import msgspec

from core.errors import RuleError
from core.layers.axes import Axes, axes_of
from core.phrases import did_you_mean
from core.rules.base import Rule, sibling_name
from core.rules.chain import acts, adapt, chain_name, refusal, rules_that_fit
from core.rules.channels import (
    MapChannels,
    MeanChannels,
    RegroupChannels,
    RepeatChannels,
    SumChannels,
    ZeroExtraChannels,
)
from core.rules.filters import ProjectFilters, SliceFilters, WidenFilters
from core.rules.fold import FoldChannels
from core.rules.initialize import Initialize
from core.rules.kernels import CenterKernel, PiResizeKernel, ResizeKernel
from core.rules.positions import ResamplePositions
from core.rules.rows import KeepRows
from core.rules.spatial import PoolFlat, SpatialMean, SpatialResize

AnyRule = (
    SumChannels
    | MeanChannels
    | RepeatChannels
    | MapChannels
    | ZeroExtraChannels
    | FoldChannels
    | RegroupChannels
    | CenterKernel
    | ResizeKernel
    | PiResizeKernel
    | ProjectFilters
    | WidenFilters
    | SliceFilters
    | SpatialResize
    | SpatialMean
    | PoolFlat
    | ResamplePositions
    | KeepRows
    | Initialize
)
RULES: dict[str, type[Rule]] = {str(kind.__struct_config__.tag): kind for kind in AnyRule.__args__}


def parse_rule(given: str | dict[str, Any] | Rule) -> AnyRule:
    """A rule from its name (`"sum"`) or its object (`{"rule": "map", "take": [0, 1, 2, 0]}`).

    Raises `RuleError` with one sentence: unknown rule (and the nearest name), unknown field, a value out of range.
    """
    if isinstance(given, Rule):
        return given  # type: ignore[return-value]
    fields = {"rule": given} if isinstance(given, str) else given
    name = fields.get("rule")
    if name not in RULES:
        hint = did_you_mean(name, RULES, f"; the rules are {', '.join(sorted(RULES))}.")
        raise RuleError(f"There is no rule {name!r}{hint}")
    try:
        rule: AnyRule = msgspec.convert(fields, AnyRule)
    except msgspec.ValidationError as error:
        raise RuleError(f"The rule {name!r} is not valid: {error}.") from None
    return rule


__all__ = [
    "RULES",
    "AnyRule",
    "Axes",
    "CenterKernel",
    "FoldChannels",
    "Initialize",
    "KeepRows",
    "MapChannels",
    "MeanChannels",
    "PiResizeKernel",
    "PoolFlat",
    "ProjectFilters",
    "RegroupChannels",
    "RepeatChannels",
    "ResamplePositions",
    "ResizeKernel",
    "Rule",
    "SliceFilters",
    "SpatialMean",
    "SpatialResize",
    "SumChannels",
    "WidenFilters",
    "ZeroExtraChannels",
    "acts",
    "adapt",
    "axes_of",
    "chain_name",
    "parse_rule",
    "refusal",
    "rules_that_fit",
    "sibling_name",
]
