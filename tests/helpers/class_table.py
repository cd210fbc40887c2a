"""`resources/help/classes.md`: what works, class by class, from the results of the class matrix."""

from collections.abc import Mapping, Sequence

from tests.helpers.class_matrix import FORMATS, Result

HEAD = """# Layer classes of Keras 2

Every built-in layer class of Keras 2, in small models that tf-keras saved as HDF5 (`.h5`), as `.keras` and as
SavedModel, opened by Suture, rebuilt as Keras 3 models without any change, and run beside tf-keras on the same inputs.
*Equal* means equal within 1e-5 of the largest output (half precision: within what half precision allows). The numbers
are configurations tried. The tests write this table.

| class | `.h5` | `.keras` | SavedModel | remarks |
|---|---|---|---|---|
"""


def table(results: Sequence[Result], no_model: Mapping[str, str], expected: Mapping[str, tuple[str, str]]) -> str:
    """The whole page."""
    classes: dict[str, list[Result]] = {}
    for one in results:
        classes.setdefault(one.case.split("/", 1)[0], []).append(one)
    rows = {name: _row(name, found, expected) for name, found in classes.items()}
    rows.update(
        {name: f"| {name} | - | - | - | in no model by itself: {reason} |" for name, reason in no_model.items()}
    )
    total = [sum(one.status == status for one in results) for status in ("equal", "differs", "cannot", "unwritten")]
    foot = (
        f"\nIn all: {total[0]} equal, {total[1]} different, {total[2]} not rebuilt, "
        f"{total[3]} that tf-keras itself cannot write.\n"
    )
    return HEAD + "".join(rows[name] + "\n" for name in sorted(rows)) + foot


def _row(name: str, found: Sequence[Result], expected: Mapping[str, tuple[str, str]]) -> str:
    cells = [_cell([one for one in found if one.format == kind]) for kind in FORMATS]
    return f"| {name} | {' | '.join(cells)} | {'; '.join(dict.fromkeys(_remarks(found, expected)))} |"


def _cell(found: Sequence[Result]) -> str:
    words = {"equal": "equal", "differs": "differs", "cannot": "not rebuilt", "unwritten": "tf-keras cannot write it"}
    counts = {word: sum(one.status == status for one in found) for status, word in words.items()}
    said = [f"{word} ({count})" for word, count in counts.items() if count]
    return ", ".join(said) or "-"


def _remarks(found: Sequence[Result], expected: Mapping[str, tuple[str, str]]) -> list[str]:
    said = []
    for one in found:
        if one.status in ("equal", "unwritten"):
            continue
        what = "" if REASONS.get(one.case) == _GONE else one.case.partition("/")[2]
        reason = REASONS.get(one.case) or expected.get(one.case, ("", ""))[1] or one.text
        said.append(f"{what}: {reason}" if what else reason)
    return [text.replace("|", "/").replace("\n", " ") for text in said]


_GONE = "Keras 3 has no such class; the layer is shown and carried through, its arrays untouched"
REASONS: dict[str, str] = {
    "Concatenate/masks": "Keras 2 keeps a step that all joined masks have, Keras 3 one that any has; a warning says so",
    "TFOpLambda/tf.einsum": "tf-keras leaves the tensors out of its file",
    **{
        f"TFOpLambda/{name}": "no operation of Keras 3 does this"
        for name in (
            "tf.broadcast_to by shape",
            "tf.image.per_image_standardization",
            "tf.math.lgamma",
            "tf.math.digamma",
        )
    },
    **dict.fromkeys(
        (
            "LocallyConnected1D",
            "LocallyConnected1D/implementation 2",
            "LocallyConnected2D",
            "LocallyConnected2D/implementation 3",
            "RandomFourierFeatures",
            "DenseFeatures",
            "DynamicLookup",
            "DynamicEmbedding",
            "DeviceWrapper",
            "DropoutWrapper",
            "ResidualWrapper",
        ),
        _GONE,
    ),
}
"""Reasons in words for people, where the sentence of the program is about one model."""


def classes_in(text: str) -> list[str]:
    """The classes that a written table lists."""
    lines = text.splitlines()
    start = lines.index("|---|---|---|---|---|") + 1
    return [line.split("|")[1].strip() for line in lines[start:] if line.startswith("|")]
