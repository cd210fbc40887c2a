"""What a step of a recipe is good for: two plans side by side, with the step and without it, in a few lines."""

from collections import Counter
from collections.abc import Iterable, Iterator

from core.model.plan import Plan, Port
from core.phrases import sample_words

MOST = 7
"""Lines that are told; more would hide what they lie over."""
_FATES = ("copied", "adapted", "initialized", "mismatched")


def effect_lines(now: Plan, then: Plan) -> tuple[str, ...]:
    """What would be different then: the ends of the model, its size, its weights, and what there is to know."""
    lines = [*_lines(now, then)]
    more = len(lines) - MOST
    return (*lines[:MOST], f"and {more} more") if more > 0 else tuple(lines) or ("Nothing would change.",)


def _lines(now: Plan, then: Plan) -> Iterator[str]:
    yield from _ports("Input", now.inputs, then.inputs)
    yield from _ports("Output", now.outputs, then.outputs)
    yield from _new_findings(now, then)
    for word, old, new in (
        ("Parameters", now.after.params, then.after.params),
        ("Trained parameters", now.after.trainable_params, then.after.trainable_params),
        ("Multiply-accumulates", now.after.macs, then.after.macs),
    ):
        if old != new:
            yield f"{word}: {_count(old)} \u2192 {_count(new)}"
    old_fates, new_fates = (Counter[str](fate.fate for fate in plan.fates) for plan in (now, then))
    for fate in _FATES:
        if old_fates[fate] != new_fates[fate]:
            yield f"Weights {fate}: {old_fates[fate]:,} \u2192 {new_fates[fate]:,}"
    if len(now.dropped) != len(then.dropped):
        yield f"Arrays dropped: {len(now.dropped):,} \u2192 {len(then.dropped):,}"
    old_names, new_names = (set(plan.graph.by_path()) for plan in (now, then))
    yield from _names("without", old_names - new_names)
    yield from _names("with", new_names - old_names)
    if _rules(now) != _rules(then) and old_fates == new_fates:
        yield "Some weights would be adapted by other rules."


def _ports(word: str, now: Iterable[Port], then: Iterable[Port]) -> Iterator[str]:
    old, new = ({port.name: port for port in ports} for ports in (now, then))
    for name in dict.fromkeys((*old, *new)):
        if name not in new:
            yield f"{word} {name} would be gone"
        elif name not in old:
            yield f"{word} {name} would be there: {sample_words(new[name].shape)}"
        elif old[name].shape != new[name].shape:
            yield f"{word} {name}: {sample_words(old[name].shape)} \u2192 {sample_words(new[name].shape)}"


def _new_findings(now: Plan, then: Plan) -> Iterator[str]:
    """Errors and warnings that would come, and how many would go."""
    old, new = (
        {finding.message: finding for finding in plan.findings if finding.severity != "info"} for plan in (now, then)
    )
    come = [finding for message, finding in new.items() if message not in old]
    gone = sum(message not in new for message in old)
    for finding in come[:2]:
        yield f"New {finding.severity}: {finding.message}"
    if len(come) > 2:
        yield f"{len(come) - 2} more new errors and warnings"
    if gone:
        yield f"{gone} error{'s' * (gone > 1)} or warning{'s' * (gone > 1)} would be settled"


def _names(word: str, names: set[str]) -> Iterator[str]:
    if names:
        first = sorted(names)
        more = f" and {len(first) - 2} more" if len(first) > 2 else ""
        yield f"Model {word} {', '.join(first[:2])}{more}"


def _rules(plan: Plan) -> dict[str, str | None]:
    return {fate.weight: fate.rule for fate in plan.fates if fate.fate == "adapted"}


def _count(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"
