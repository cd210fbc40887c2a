"""What the views show of one plan, worked out once: the layer tree and the canvas ask the same digest."""

from functools import cached_property
from math import prod

from core.caches import IdentityCache
from core.model.graph import Graph
from core.model.plan import Plan
from gui.canvas.badges import Marks, marks
from gui.canvas.difference import Difference, difference
from gui.models.digest import Badge, above, badges, layer_of


class PlanDigest:
    """A plan beside the graph `before` it. Each part is made when a view first asks for it."""

    def __init__(self, plan: Plan, before: Graph) -> None:
        self.plan = plan
        self.before = before

    @cached_property
    def above(self) -> dict[str, str]:
        """Every path of the planned graph, with the path of the model around it."""
        return above(self.plan.graph)

    @cached_property
    def owners(self) -> tuple[str, ...]:
        """For each fate the path of its layer."""
        return tuple(layer_of(fate.weight, self.above) for fate in self.plan.fates)

    @cached_property
    def badges(self) -> dict[str, Badge]:
        """What happens to the weights at or below each path."""
        return badges(zip(self.owners, self.plan.fates, strict=True), self.above)

    @cached_property
    def marks(self) -> dict[str, Marks]:
        """What the canvas marks on each layer of the planned graph."""
        fates = {path: badge.fate for path, badge in self.badges.items()}
        files = {path: badge.files for path, badge in self.badges.items() if badge.files}
        return marks(self.plan.graph, fates, self.plan.findings, files)

    @cached_property
    def main_shapes(self) -> dict[str, tuple[int, ...]]:
        """The planned shape of each layer's largest weight."""
        found: dict[str, tuple[int, tuple[int, ...]]] = {}
        for path, fate in zip(self.owners, self.plan.fates, strict=True):
            size = prod(fate.shape)
            if path not in found or (size, len(fate.shape)) > (found[path][0], len(found[path][1])):
                found[path] = (size, fate.shape)
        return {path: shape for path, (_, shape) in found.items()}

    @cached_property
    def difference(self) -> Difference:
        """Before and after in one graph."""
        return difference(self.before, self.plan.graph)

    @cached_property
    def difference_marks(self) -> dict[str, Marks]:
        """What the canvas marks on each layer of both graphs in one."""
        return self.difference.badges(self.marks, self.plan)


_LATEST: IdentityCache[PlanDigest] = IdentityCache(2)


def digest_of(plan: Plan, before: Graph) -> PlanDigest:
    """The digest of a plan: the same one for whoever asks for the same plan."""
    return _LATEST.get((plan, before), lambda: PlanDigest(plan, before))
