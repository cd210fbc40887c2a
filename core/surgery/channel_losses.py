"""Why a change of channels is only nearly exact, in a sentence."""

import numpy as np

from core.findings import Finding, Fix
from core.layers.axes import leaf_class
from core.layers.table import row
from core.rules.fold import FoldChannels
from core.rules.words import rule_words
from core.surgery.anatomy import Site, Trace
from core.surgery.channels import ACROSS, Change, covered, foldable, kept, missing


def lossy(name: str, trace: Trace, change: Change, fixes: tuple[Fix, ...]) -> Finding:
    """The finding for a change of the input `name` whose contract is a measurement."""
    where, reason = _reason(trace, change)
    rule = rule_words(change.rule.name)
    message = f"From {change.now} to {change.new} channels with {rule}: {reason}. Verify measures the drift."
    return Finding("info", "adapt.lossy", where or name, message, fixes)


def unfollowed(name: str, trace: Trace, change: Change, fixes: tuple[Fix, ...]) -> list[Finding]:
    """Where channels could not be followed, and where they leave the model as they are."""
    found = []
    for site in trace.sites:
        if site.role == "blocked":
            text = (
                f"The channels of {name!r} were followed as far as {site.path} ({site.layer.class_name}); this step "
                "does not adapt anything after it."
            )
            found.append(Finding("warning", "graph.opaque", site.path, text, fixes))
        elif missing(site, change):
            text = (
                f"{site.path} selects channels of {name!r} by index, and some of these indices do not exist with "
                f"{change.new} channels."
            )
            found.append(Finding("error", "shape.incompatible", site.path, text, fixes))
    if trace.outputs:
        text = (
            f"The output {', '.join(trace.outputs)} contains the channels of {name!r}, so it now has {change.new} "
            f"instead of {change.now}."
        )
        found.append(Finding("warning", "adapt.lossy", trace.outputs[0], text, fixes))
    return found


def _reason(trace: Trace, change: Change) -> tuple[str, str]:
    """The layer at which something is lost, and what."""
    weighs = float(np.mean(np.sum(change.matrix, axis=0)))
    if change.contract == "gray" and not np.isclose(weighs, 1.0):
        where = next((site.path for site in trace.mixing()), "")
        answers = f"{where or 'the model'} responds more {'weakly' if weighs < 1 else 'strongly'}"
        return where, f"all channels together have {weighs:.0%} of their old weight, so {answers}"
    for site in trace.sites:
        if not kept(site, change):
            return site.path, _lost(site, change, _filtering(trace))
    if trace.outputs:
        return "", "the model outputs the channels themselves"
    return "", "it starts from the source again, and the previous step was not exact"


def _filtering(trace: Trace) -> str | None:
    return next((site.path for site in trace.sites if site.role == "depthwise"), None)


def _lost(site: Site, change: Change, depthwise: str | None) -> str:
    class_name, path = leaf_class(site.layer)[0], site.path
    if site.role == "blocked":
        return f"it is not known what {path} does to the channels"
    if site.role == "picked":
        return f"{path} selects channels by index, and the indices now mean different channels"
    if site.role == "reduced":
        return f"{path} combines all channels, and the number of channels has changed"
    if class_name in ACROSS:
        return f"{path} normalizes over the channels, and the number of channels has changed"
    if row(class_name).kind == "separable":
        return f"{path} filters each channel separately, so filters can only be distributed among the new channels"
    if site.state.filtered and depthwise is not None:
        return f"{depthwise} filters each channel separately, so filters can only be distributed among the new channels"
    if site.state.alike:
        return f"operations on individual channels before {path} do not commute with this channel mapping"
    if isinstance(change.rule, FoldChannels) and foldable(site) and not covered(site):
        return (
            "exact inside the image, but not where the kernel overlaps the border: the padding zeros stood for the "
            "mean of each channel, and the new channels have different means"
        )
    return f"channels are scaled differently before {path}, which this rule does not take into account"
