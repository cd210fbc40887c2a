"""A report of what a recipe does to a model: one HTML file that stands alone, or Markdown.

Names in a model come from strangers. In HTML every text goes through `escape`, and a policy in the page's head lets
nothing be loaded and nothing run; in Markdown what has a meaning there is escaped.
"""

import base64
import datetime
import hashlib
import platform
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from msgspec import Struct

from core import __version__
from core.errors import FileError
from core.model.plan import Fate, Plan, Verification, file_name
from core.phrases import shape_words
from core.readers.source import Source
from core.recipes.recipe import Recipe, to_json
from core.rules.words import rule_words
from core.writers.atomic import replacing
from core.writers.plain_picture import plain_svg

ENDINGS = (".html", ".htm", ".md")
_ORDER = ("mismatched", "initialized", "adapted", "dropped", "merged", "transferred", "copied")
_CHUNK = 1 << 20
PLAIN = "Drawn in a plain layout: one row for each layer, in the order of the model."


class Picture(Struct, frozen=True):
    """A drawing: `svg` as text, or `png` as bytes. `about` says how it was made."""

    title: str
    svg: str = ""
    png: bytes = b""
    width: int = 0
    about: str = ""


class HashedFile(Struct, frozen=True):
    """A file and what it was when the report was made; `sha256` is empty where it could not be read."""

    role: str
    path: str
    size: int
    sha256: str


class Facts(Struct, frozen=True):
    """Everything that a report tells."""

    source: Source
    recipe: Recipe
    plan: Plan
    pictures: tuple[Picture, ...] = ()
    files: tuple[HashedFile, ...] = ()
    verification: Verification | None = None
    versions: tuple[tuple[str, str], ...] = ()
    made: str = ""


def hashed(role: str, path: str | Path) -> HashedFile:
    """Size and SHA-256 of a file, or of all files of a folder by their names in order."""
    place = Path(path)
    digest = hashlib.sha256()
    size = 0
    try:
        listed = sorted(one for one in place.rglob("*") if one.is_file()) if place.is_dir() else [place]
        for one in listed:
            if place.is_dir():
                digest.update(f"{one.relative_to(place).as_posix()}\0".encode())
            with one.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    size += len(chunk)
                    digest.update(chunk)
    except OSError:
        return HashedFile(role, str(path), 0, "")
    return HashedFile(role, str(path), size, digest.hexdigest())


def plain_pictures(before: Plan, after: Plan) -> tuple[Picture, ...]:
    """Both graphs in the plain layout, marked with what happens to the weights of each layer."""
    there, was = after.graph.by_path(), before.graph.by_path()
    marks: dict[str, str] = {}
    for fate in after.fates:
        path = _layer(fate.weight, there)
        if path and (path not in marks or _rank(fate.fate) < _rank(marks[path])):
            marks[path] = fate.fate
    gone = {path: "dropped" for path in (_layer(name, was) for name in after.dropped) if path}
    return (
        Picture("Before", plain_svg(before.graph, gone, "The model before"), about=PLAIN),
        Picture("After", plain_svg(after.graph, marks, "The model after"), about=PLAIN),
    )


def _rank(fate: str) -> int:
    return _ORDER.index(fate) if fate in _ORDER else len(_ORDER)


def _layer(weight: str, layers: Mapping[str, object]) -> str:
    """The path of the layer that a weight belongs to; `""` for none."""
    path = weight.rpartition("/")[0]
    while path and path not in layers:
        path = path.rpartition("/")[0]
    return path


def now() -> str:
    """The time in words, to the minute."""
    return datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")


def versions(**libraries: str) -> tuple[tuple[str, str], ...]:
    """What the report was made with."""
    return (("Suture", __version__), *libraries.items(), ("Python", platform.python_version()))


def write_report(out: str | Path, facts: Facts) -> int:
    """Write a report, completely or not at all; returns its size in bytes. The ending decides. Raises `FileError`."""
    out = Path(out)
    ending = out.suffix.lower()
    if ending not in ENDINGS:
        raise FileError(f"{out.name} has no known extension for a report; use .html or .md.", path=str(out))
    if out.is_dir() or not out.parent.is_dir():
        raise FileError(f"{out} cannot be written; choose a file in a folder that exists.", path=str(out))
    text = markdown(facts) if ending == ".md" else html(facts)
    with replacing(out) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
    return out.stat().st_size


# what there is to say, whatever the format


def _summary(facts: Facts) -> Iterator[tuple[str, str]]:
    source, plan = facts.source, facts.plan
    version = f", written by Keras {source.keras_version}" if source.keras_version else ""
    yield "Source", Path(source.path).name
    yield "Format", f"{source.format}{version}"
    for title, ports in (("Inputs", plan.inputs), ("Outputs", plan.outputs)):
        yield title, "; ".join(f"{one.name}: {shape_words(one.shape)}, {one.dtype}" for one in ports)
    yield "Plan", "can be carried out" if plan.ok else "has errors, so it cannot be carried out"
    yield "Made", facts.made


def _steps(facts: Facts) -> list[str]:
    return [f"{edit.summary()}{'' if edit.enabled else ' (switched off)'}" for edit in facts.recipe.edits]


def _costs(plan: Plan) -> list[tuple[str, str, str, str]]:
    rows = (
        ("Parameters", plan.before.params, plan.after.params, 1),
        ("Trainable parameters", plan.before.trainable_params, plan.after.trainable_params, 1),
        ("Multiply-accumulates, one sample", plan.before.macs, plan.after.macs, 1),
        ("Activation memory, one sample in float32 (bytes)", plan.before.activations, plan.after.activations, 4),
    )
    return [(name, _number(was, by), _number(now, by), _change(was, now)) for name, was, now, by in rows]


def _number(count: int | None, by: int) -> str:
    return "unknown" if count is None else f"{count * by:,}"


def _change(was: int | None, now: int | None) -> str:
    if was is None or now is None or not was:
        return ""
    if was == now:
        return "unchanged"
    return f"{100 * (now - was) / was:+.1f} %"


def _counts(plan: Plan) -> list[tuple[str, int]]:
    counts: Counter[str] = Counter(fate.fate for fate in plan.fates)
    counts["merged"] += len(dict(plan.merged))
    counts["dropped"] += len(plan.dropped)
    names = [*_ORDER, *(name for name in counts if name not in _ORDER)]
    return [(name, counts[name]) for name in names if counts[name]]


_FATES = ("weight", "fate", "rule", "from", "source shape", "shape", "note")


def _fates(plan: Plan) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """The rows of what changes, then of what is copied."""
    changed = [_fate(fate) for fate in plan.fates if not fate.as_stored or fate.further]
    changed += [(name, "merged", "", name, "", "", f"goes into {into}") for name, into in plan.merged]
    changed += [(name, "dropped", "", name, "", "", "") for name in plan.dropped]
    return changed, [_fate(fate) for fate in plan.fates if fate.as_stored and not fate.further]


def _fate(fate: Fate) -> tuple[str, ...]:
    rule = rule_words(fate.rule) if fate.rule else ""
    was = shape_words(fate.source_shape) if fate.source_shape is not None else ""
    origin = f"{fate.source or ''} in {file_name(fate.file)}" if fate.file else fate.source or ""
    return fate.weight, fate.fate, rule, origin, was, shape_words(fate.shape), fate.note


def _checks(result: Verification) -> Iterator[tuple[bool, str]]:
    if not result.skipped:
        yield result.reloaded, "Keras loads the file"
        yield result.forward, "The model runs"
    if result.arrays or not result.copied_equal:
        yield result.copied_equal, f"{result.arrays:,} arrays match the plan bit for bit"
    if result.copied_equal:
        for words in result.proved:
            yield True, words
    for one in result.contracts:
        kind = "exact" if one.exact else f"at most; {one.mean:.2g} on average"
        yield one.holds, f"{one.name}: drift {one.drift:.2g}, {kind}"


def _verdict(result: Verification | None) -> str:
    if result is None:
        return "No file was verified for this report."
    if result.ok and result.skipped:
        return f"The file was compared, not run: {result.message}"
    return (
        f"The file was verified: {result.compared} compared." if result.ok else f"Verification failed: {result.reason}."
    )


# HTML

_STYLE = """
:root{color-scheme:light dark;--ground:#fff;--panel:#f6f7f9;--text:#1b2230;--muted:#5b6475;--line:#d9dee7;
--accent:#3d4fd1;--good:#1d6b45;--bad:#b3261e;--adapted:#1b5fa8;--initialized:#7a3fa0;--dropped:#9a5b00;--merged:#3a5f8f;--copied:#1d6b45;
--transferred:#a02c6d}
@media (prefers-color-scheme:dark){:root{--ground:#14171d;--panel:#1c212a;--text:#e8ebf1;--muted:#9aa4b5;--line:#343c4a;
--accent:#98a4ff;--good:#79cfa0;--bad:#ff8f85;--adapted:#82b8f5;--initialized:#d3a1f2;--dropped:#f0b968;--merged:#a8c4ec;
--copied:#79cfa0;--transferred:#f291c1}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1080px;padding:32px 24px 64px;background:var(--ground);color:var(--text);
font:15px/1.5 system-ui,"Segoe UI",Inter,"Helvetica Neue",Arial,sans-serif}
h1{font-size:26px;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:18px;margin:36px 0 10px;padding-top:14px;border-top:1px solid var(--line)}
p{margin:6px 0}.muted{color:var(--muted)}code,pre{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:13px}
pre{background:var(--panel);padding:12px;border-radius:8px;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;font-size:13.5px}
th{text-align:left;color:var(--muted);font-weight:600}th,td{padding:5px 10px 5px 0;border-bottom:1px solid var(--line);
vertical-align:top;overflow-wrap:anywhere}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.wide{overflow-x:auto}.facts th{width:130px;white-space:nowrap}
.fate{font-weight:600}.copied{color:var(--copied)}.adapted{color:var(--adapted)}.initialized{color:var(--initialized)}
.transferred{color:var(--transferred)}.mismatched{color:var(--bad)}.dropped{color:var(--dropped)}.merged{color:var(--merged)}
.good{color:var(--good)}.bad,.error{color:var(--bad)}.warning{color:var(--dropped)}.info{color:var(--accent)}
.pictures{display:flex;flex-wrap:wrap;gap:20px}figure{flex:1 1 420px;margin:0;min-width:0}
figcaption{margin-bottom:8px;font-weight:600}figure div{background:var(--panel);border:1px solid var(--line);
border-radius:8px;padding:12px;overflow:auto;max-height:900px}
figure img{display:block;max-width:100%;height:auto;margin:auto}
svg.plain{display:block;max-width:100%;height:auto;font:12px system-ui,sans-serif}
svg.plain text{fill:var(--text)}svg.plain .name,svg.plain .shape{fill:var(--muted)}
svg.plain rect{fill:var(--ground);stroke:var(--line)}svg.plain rect.adapted{stroke:var(--adapted)}
svg.plain rect.initialized{stroke:var(--initialized)}svg.plain rect.mismatched{stroke:var(--bad)}
svg.plain rect.dropped{stroke:var(--dropped)}svg.plain .edge{fill:none;stroke:var(--muted)}
svg.plain .fate.adapted{fill:var(--adapted)}svg.plain .fate.initialized{fill:var(--initialized)}
svg.plain .fate.mismatched{fill:var(--bad)}svg.plain .fate.dropped{fill:var(--dropped)}
svg.plain .fate.copied{fill:var(--copied)}svg.plain .fate.transferred{fill:var(--transferred)}
svg.plain .fate{font-weight:700}
summary{cursor:pointer;color:var(--accent);margin:10px 0}li{margin:3px 0;overflow-wrap:anywhere}
@media print{body{max-width:none;padding:0;font-size:11px}table{font-size:10px}h2{break-after:avoid}
tr,figure{break-inside:avoid}
figure div{max-height:none;overflow:visible;border:0}figure img,svg.plain{max-height:240mm}}
"""


def html(facts: Facts) -> str:
    """The report as one page that needs nothing else."""
    name = escape(Path(facts.source.path).name)
    body = [
        f"<h1>{name}</h1>",
        f'<p class="muted">What the recipe does to this model. {escape(_verdict(facts.verification))}</p>',
        _facts_table(_summary(facts)),
        "<h2>Recipe</h2>",
        *_recipe_html(facts),
        *_pictures_html(facts.pictures),
        "<h2>Costs</h2>",
        _table(("", "before", "after", "change"), _costs(facts.plan), numbers=(1, 2, 3)),
        "<h2>Weights</h2>",
        *_fates_html(facts.plan),
        "<h2>Findings</h2>",
        *_findings_html(facts.plan),
        "<h2>Verification</h2>",
        *_verification_html(facts.verification),
        "<h2>Versions and files</h2>",
        _facts_table(facts.versions),
        _table(("", "file", "bytes", "SHA-256"), _files(facts), numbers=(2,)),
    ]
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name} \u2013 Suture report</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _facts_table(rows: Iterable[tuple[str, str]]) -> str:
    made = "".join(f'<tr><th scope="row">{escape(title)}</th><td>{escape(text)}</td></tr>' for title, text in rows)
    return f'<table class="facts"><tbody>{made}</tbody></table>'


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: tuple[int, ...] = (), fate: int = -1) -> str:
    def cell(place: int, text: str) -> str:
        kind = ' class="number"' if place in numbers else f' class="fate {escape(text)}"' if place == fate else ""
        return f"<td{kind}>{escape(text)}</td>"

    head = "".join(
        f'<th scope="col"{" class=" + chr(34) + "number" + chr(34) if place in numbers else ""}>{escape(text)}</th>'
        for place, text in enumerate(heads)
    )
    body = "".join(f"<tr>{''.join(cell(*one) for one in enumerate(row))}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _recipe_html(facts: Facts) -> Iterator[str]:
    steps = _steps(facts)
    if not steps:
        yield "<p>The recipe has no steps: the model stays as it is.</p>"
        return
    yield f"<ol>{''.join(f'<li>{escape(step)}</li>' for step in steps)}</ol>"
    yield f"<details><summary>The recipe as JSON</summary><pre>{escape(to_json(facts.recipe))}</pre></details>"


def _pictures_html(pictures: tuple[Picture, ...]) -> Iterator[str]:
    if not pictures:
        return
    yield "<h2>Graph</h2>"
    yield '<div class="pictures">'
    for one in pictures:
        drawn = one.svg
        if one.png:
            data = base64.b64encode(one.png).decode()
            size = f' width="{one.width}"' if one.width else ""
            drawn = f'<img{size} alt="{escape(one.title)}" src="data:image/png;base64,{data}">'
        yield f"<figure><figcaption>{escape(one.title)}</figcaption><div>{drawn}</div></figure>"
    yield "</div>"
    for about in dict.fromkeys(one.about for one in pictures if one.about):
        yield f'<p class="muted">{escape(about)}</p>'


def _fates_html(plan: Plan) -> Iterator[str]:
    yield f"<p>{escape(_count_words(plan))}</p>"
    changed, copied = _fates(plan)
    if changed:
        yield _table(_FATES, changed, fate=1)
    if copied:
        yield f"<details><summary>{len(copied):,} weights that are copied unchanged</summary>"
        yield _table(_FATES, copied, fate=1)
        yield "</details>"


def _count_words(plan: Plan) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in _counts(plan)) or "The model has no weights."


def _findings_html(plan: Plan) -> Iterator[str]:
    if not plan.findings:
        yield "<p>Nothing to report.</p>"
        return
    rows = [(one.severity, one.layer, one.message) for one in plan.findings]
    body = "".join(
        f'<tr><td class="{severity}">{severity}</td><td>{escape(layer)}</td><td>{escape(text)}</td></tr>'
        for severity, layer, text in rows
    )
    heads = "".join(f'<th scope="col">{one}</th>' for one in ("severity", "layer", "finding"))
    yield f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def _verification_html(result: Verification | None) -> Iterator[str]:
    yield f"<p>{escape(_verdict(result))}</p>"
    if result is not None:
        lines = "".join(
            f'<li class="{"good" if good else "bad"}">{"yes" if good else "no"}: {escape(text)}</li>'
            for good, text in _checks(result)
        )
        yield f"<ul>{lines}</ul>" if lines else ""


def _files(facts: Facts) -> list[tuple[str, str, str, str]]:
    return [
        (one.role, Path(one.path).name, f"{one.size:,}" if one.sha256 else "", one.sha256 or "could not be read")
        for one in facts.files
    ]


# Markdown

_MARKS = re.compile(r"([\\`*_{}\[\]<>()#+\-!|~&:.])")


def plain(text: str) -> str:
    """A text that means nothing but itself in Markdown, on one line."""
    return _MARKS.sub(r"\\\1", " ".join(str(text).split()))


def markdown(facts: Facts) -> str:
    """The report as Markdown; pictures are left out, since they would need files of their own."""
    lines = [
        f"# {plain(Path(facts.source.path).name)}",
        "",
        f"What the recipe does to this model. {plain(_verdict(facts.verification))}",
        "",
        *_md_table(("", ""), list(_summary(facts))),
        "## Recipe",
        "",
    ]
    steps = _steps(facts)
    lines += [f"{number}. {plain(step)}" for number, step in enumerate(steps, 1)]
    lines += ["" if steps else "The recipe has no steps: the model stays as it is.", ""]
    if steps:
        lines += _fenced(to_json(facts.recipe))
    lines += ["## Costs", "", *_md_table(("", "before", "after", "change"), _costs(facts.plan))]
    changed, copied = _fates(facts.plan)
    lines += ["## Weights", "", plain(_count_words(facts.plan)), ""]
    lines += _md_table(_FATES, [*changed, *copied])
    lines += ["## Findings", ""]
    found = [(one.severity, one.layer, one.message) for one in facts.plan.findings]
    lines += _md_table(("severity", "layer", "finding"), found) if found else ["Nothing to report.", ""]
    lines += ["## Verification", "", plain(_verdict(facts.verification)), ""]
    if facts.verification is not None:
        lines += [f"- {'yes' if good else 'no'}: {plain(text)}" for good, text in _checks(facts.verification)]
        lines += [""]
    lines += ["## Versions and files", "", *_md_table(("", "version"), list(facts.versions))]
    lines += _md_table(("", "file", "bytes", "SHA-256"), _files(facts))
    return "\n".join(lines)


def _md_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    made = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    made += [f"| {' | '.join(plain(cell) for cell in row)} |" for row in rows]
    return [*made, ""]


def _fenced(text: str) -> list[str]:
    """A block of code, whose fence is longer than any row of backticks inside."""
    longest = max((len(found) for found in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}json", text.rstrip(), fence, ""]
