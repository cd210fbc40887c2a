"""Why a change of channels is only nearly exact, in a sentence."""

import numpy as np

from core.edits.anatomy import Trace
from core.edits.channels import Change, covered, foldable
from core.findings import Finding, Fix
from core.rules.axes import leaf_class
from core.rules.fold import FoldChannels


def lossy(name: str, trace: Trace, change: Change, fixes: tuple[Fix, ...]) -> Finding:
    """The finding for a change of the input `name` whose contract is a measurement."""
    where, reason = _reason(trace, change)
    message = f"From {change.now} to {change.new} channels by {change.rule.name}: {reason}. Verify measures the drift."
    return Finding("info", "adapt.lossy", where or name, message, fixes)


def _reason(trace: Trace, change: Change) -> tuple[str, str]:
    """The layer at which something is lost, and what."""
    weighs = float(np.mean(np.sum(change.matrix, axis=0)))
    if change.contract == "gray" and not np.isclose(weighs, 1.0):
        where = next((site.path for site in trace.mixing()), "")
        answers = f"{where or 'the model'} answers {'weaker' if weighs < 1 else 'stronger'}"
        return where, f"all channels together weigh {weighs:.0%} of what they did, so {answers}"
    for site in trace.sites:
        class_name = leaf_class(site.layer)[0]
        if site.role == "blocked":
            return site.path, f"what {site.path} does to the channels is not known"
        if site.role == "depthwise" or class_name.startswith("SeparableConv"):
            return site.path, f"{site.path} filters every channel by itself, and filters can only be shared out"
        if class_name in ("LayerNormalization", "RMSNormalization"):
            return site.path, f"{site.path} normalizes over the channels, whose number is another now"
        differing = any(step.per_channel() for step in site.state.steps) or not site.state.linear
        if site.role == "mixing" and differing:
            if isinstance(change.rule, FoldChannels) and foldable(site):
                if covered(site):
                    continue
                return site.path, (
                    "exact inside the image; where the kernel reaches over its border it differs, because the zeros "
                    "that pad it stood for the mean of each channel, and the new channels have other means"
                )
            return site.path, f"channels are scaled differently ahead of {site.path}, which this rule does not consider"
    return "", "it is made from the source again, and the step before it had lost something"
