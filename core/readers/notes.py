"""Findings that several readers share."""

from collections.abc import Sequence

from core.findings import Finding


def weights_findings(missing: Sequence[str], unused: Sequence[str]) -> tuple[Finding, ...]:
    """What to say of layers without arrays, and of arrays that no layer took."""
    found: list[Finding] = []
    if missing:
        found.append(
            Finding(
                "warning",
                "weight.unmatched",
                missing[0].rsplit("/", 1)[0],
                f"{_count(missing, 'weight')} of the model {_has(missing)} no array in this file; "
                "Keras would leave such weights at their initial values.",
                detail="\n".join(missing),
            )
        )
    if unused:
        stay = "stays" if len(unused) == 1 else "stay"
        text = f"{_count(unused, 'array')} of the file {_has(unused)} no place in the model and {stay} unused."
        found.append(Finding("warning", "weight.unmatched", "", text, detail="\n".join(unused)))
    return tuple(found)


def training_findings(training: bool) -> tuple[Finding, ...]:
    """The note that a file's optimizer, loss and metrics are not carried on."""
    if not training:
        return ()
    text = "The file also contains the training setup (optimizer, loss, metrics), which is not copied to the result."
    return (Finding("info", "training.dropped", "", text),)


def _count(items: Sequence[str], noun: str) -> str:
    return f"1 {noun}" if len(items) == 1 else f"{len(items)} {noun}s"


def _has(items: Sequence[str]) -> str:
    return "has" if len(items) == 1 else "have"
