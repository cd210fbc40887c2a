"""Why a change of channels is only nearly exact, in a sentence."""

import numpy as np

from core.edits.anatomy import Site, Trace
from core.edits.channels import Change, covered, foldable, kept, missing
from core.findings import Finding, Fix
from core.rules.axes import leaf_class
from core.rules.fold import FoldChannels


def lossy(name: str, trace: Trace, change: Change, fixes: tuple[Fix, ...]) -> Finding:
    """The finding for a change of the input `name` whose contract is a measurement."""
    where, reason = _reason(trace, change)
    message = f"From {change.now} to {change.new} channels by {change.rule.name}: {reason}. Verify measures the drift."
    return Finding("info", "adapt.lossy", where or name, message, fixes)


def unfollowed(name: str, trace: Trace, change: Change, fixes: tuple[Fix, ...]) -> list[Finding]:
    """Where channels could not be followed, and where they leave the model as they are."""
    found = []
    for site in trace.sites:
        if site.role == "blocked":
            text = (
                f"The channels of {name!r} were followed up to {site.path} ({site.layer.class_name}); what comes after "
                "it is not adapted by this step."
            )
            found.append(Finding("warning", "graph.opaque", site.path, text, fixes))
        elif missing(site, change):
            text = (
                f"{site.path} takes channels of {name!r} by their numbers, of which {change.new} channels do not have "
                "all."
            )
            found.append(Finding("error", "shape.incompatible", site.path, text, fixes))
    if trace.outputs:
        text = (
            f"The output {', '.join(trace.outputs)} holds the channels of {name!r} themselves, so it has "
            f"{change.new} instead of {change.now} of them."
        )
        found.append(Finding("warning", "adapt.lossy", trace.outputs[0], text, fixes))
    return found


def _reason(trace: Trace, change: Change) -> tuple[str, str]:
    """The layer at which something is lost, and what."""
    weighs = float(np.mean(np.sum(change.matrix, axis=0)))
    if change.contract == "gray" and not np.isclose(weighs, 1.0):
        where = next((site.path for site in trace.mixing()), "")
        answers = f"{where or 'the model'} answers {'weaker' if weighs < 1 else 'stronger'}"
        return where, f"all channels together weigh {weighs:.0%} of what they did, so {answers}"
    for site in trace.sites:
        if not kept(site, change):
            return site.path, _lost(site, change, _filtering(trace))
    if trace.outputs:
        return "", "the model gives out the channels themselves"
    return "", "it is made from the source again, and the step before it had lost something"


def _filtering(trace: Trace) -> str | None:
    return next((site.path for site in trace.sites if site.role == "depthwise"), None)


def _lost(site: Site, change: Change, depthwise: str | None) -> str:
    class_name, path = leaf_class(site.layer)[0], site.path
    if site.role == "blocked":
        return f"what {path} does to the channels is not known"
    if site.role == "picked":
        return f"{path} takes channels by their numbers, which are other ones now"
    if site.role == "reduced":
        return f"{path} takes all channels together, and their number has changed"
    if class_name in ("LayerNormalization", "RMSNormalization"):
        return f"{path} normalizes over the channels, and their number has changed"
    if class_name.startswith("SeparableConv"):
        return f"{path} filters every channel by itself, and filters can only be shared out"
    if site.state.filtered and depthwise is not None:
        return f"{depthwise} filters every channel by itself, and filters can only be shared out"
    if site.state.alike:
        return f"what is done to single channels ahead of {path} does not commute with this mapping of the channels"
    if isinstance(change.rule, FoldChannels) and foldable(site) and not covered(site):
        return (
            "exact inside the image; where the kernel reaches over its border it differs, because the zeros that pad "
            "it stood for the mean of each channel, and the new channels have other means"
        )
    return f"channels are scaled differently ahead of {path}, which this rule does not consider"
