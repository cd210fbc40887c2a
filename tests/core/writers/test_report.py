"""The report: well-formed, alone, and deaf to what names in a model try."""

import hashlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from core.errors import FileError
from core.findings import Finding
from core.model.plan import ContractResult, Plan, Verification
from core.readers.source import Source
from core.recipes.gestures import make_edit
from core.recipes.recipe import Recipe
from core.writers.plain_picture import MOST, plain_svg
from core.writers.report import Facts, HashedFile, Picture, hashed, html, markdown, plain_pictures, write_report
from tests.gui.hand_made import plan_for, source

EVIL = '<script>alert("x")</script>&amp;\'"><img src=x onerror=y>|`*_[a](b)'
VOID = {"meta", "img", "rect", "path", "br"}


class Reader(HTMLParser):
    """Checks that every element is closed in order; collects elements, attributes and the text that is seen."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data


def read(text: str) -> Reader:
    found = Reader()
    found.feed(text)
    found.close()
    assert found.open == []
    return found


def gray() -> Recipe:
    return Recipe(edits=(make_edit("change_input", shape=[96, 96, 1], channels="sum"),))


def facts(opened: Source | None = None, recipe: Recipe | None = None, **more: Any) -> Facts:
    opened, recipe = opened or source(), recipe or gray()
    plan = plan_for(opened, recipe)
    return Facts(opened, recipe, plan, plain_pictures(plan_for(opened, Recipe()), plan), made="today", **more)


def hostile() -> Facts:
    """A model whose every name, and what is said of it, is an attack."""
    opened = source(f"/tmp/{EVIL.replace('/', '')}.keras")
    layers = tuple(
        replace(one, name=f"{EVIL}{number}") if not one.is_input and one.inner is None else one
        for number, one in enumerate(opened.graph.layers)
    )
    opened = replace(opened, format=EVIL, keras_version=EVIL, graph=replace(opened.graph, layers=layers))
    made = plan_for(source(), gray())
    fates = tuple(replace(one, weight=EVIL + one.weight, note=EVIL, rule=None, source=EVIL) for one in made.fates)
    ports = tuple(replace(one, name=EVIL) for one in made.inputs)
    plan = replace(
        made, graph=opened.graph, fates=fates, inputs=ports, dropped=(EVIL,), merged=((EVIL, EVIL),),
        findings=(Finding("error", "weight.mismatch", EVIL, EVIL),),
    )  # fmt: skip
    check = Verification(True, True, True, (ContractResult(EVIL, 0.0),), message=EVIL, arrays=2)
    pictures = plain_pictures(Plan(True, opened.graph), plan)
    recipe = Recipe(edits=(make_edit("rename_layer", layer=EVIL, name=EVIL.replace("/", "")),))
    files = (HashedFile("source", EVIL, 3, "abc"),)
    return Facts(opened, recipe, plan, pictures, files, check, ((EVIL, EVIL),), EVIL)


def test_that_the_page_is_whole_and_needs_nothing_else() -> None:
    found = read(html(facts(versions=(("Suture", "1"),))))
    names = [tag for tag, _ in found.elements]
    assert names.count("svg") == 2
    assert not {"script", "link", "iframe", "object"} & set(names)
    assert [one for _, one in found.elements for key in ("src", "href", "xlink:href") if key in one] == []
    for words in ("Recipe", "Costs", "Weights", "Findings", "Verification", "Versions and files", "stem_conv/kernel"):
        assert words in found.text
    assert "Input becomes 96\u00d796\u00d71 (channels: sum)" in found.text
    assert "1 adapted" in found.text
    assert "No file was verified for this report." in found.text


def test_that_names_in_a_model_are_text_and_nothing_else() -> None:
    page = html(hostile())
    found = read(page)
    assert not [tag for tag, _ in found.elements if tag in ("script", "img")]
    assert not [key for _, one in found.elements for key in one if key.startswith("on")]
    assert EVIL in found.text
    assert "default-src 'none'" in page
    for _, one in found.elements:
        assert set((one.get("class") or "").split()) <= {
            "muted", "facts", "wide", "number", "fate", "copied", "adapted", "initialized", "mismatched", "merged",
            "dropped", "plain", "layer", "class", "name", "shape", "edge", "pictures", "error", "warning", "info",
            "good", "bad",
        }  # fmt: skip


def test_that_markdown_tables_keep_their_columns_whatever_the_names_are() -> None:
    from markdown_it import MarkdownIt

    text = markdown(hostile())
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    found = read(rendered)
    tags = [tag for tag, _ in found.elements]
    assert not {"script", "img", "a"} & set(tags)
    assert tags.count("table") >= 6
    assert EVIL in found.text


def test_that_a_picture_is_held_by_the_page() -> None:
    page = html(replace(facts(), pictures=(Picture("After", png=b"\x89PNG", width=10, about="How."),)))
    (image,) = [one for tag, one in read(page).elements if tag == "img"]
    assert image == {"width": "10", "alt": "After", "src": "data:image/png;base64,iVBORw=="}
    assert "How." in page


def test_that_every_layer_of_a_nested_model_has_a_row_and_every_edge_a_line() -> None:
    graph = source().graph
    svg = plain_svg(graph, {"backbone/stem_conv": "adapted"}, "now")
    found = read(svg)
    classes = [one.get("class") for _, one in found.elements]
    assert len([one for one in classes if one and one.startswith("layer")]) == sum(1 for _ in graph.walk())
    edges = sum(len(call.inputs()) for _, layer in graph.walk() for call in layer.calls)
    assert classes.count("edge") == edges
    assert classes.count("fate adapted") == 1


def test_that_a_drawing_of_very_many_layers_says_how_many_are_left_out() -> None:
    graph = source().graph
    many = tuple(replace(graph.layers[0], name=f"input{number}") for number in range(MOST + 30))
    svg = plain_svg(replace(graph, layers=many), {}, "many")
    assert "and 30 more layers" in svg
    assert svg.count("<rect") == MOST


def test_that_verification_and_hashes_are_told(tmp_path: Path) -> None:
    (tmp_path / "out.keras").write_bytes(b"abc")
    one = hashed("result", tmp_path / "out.keras")
    assert (one.size, one.sha256) == (3, hashlib.sha256(b"abc").hexdigest())
    assert hashed("result", tmp_path / "gone").sha256 == ""
    check = Verification(True, True, False, message="2 arrays differ", arrays=4)
    text = read(html(facts(files=(one,), verification=check))).text
    assert "Verification failed: 2 arrays differ." in text
    assert one.sha256 in text
    assert "no: 4 arrays match the plan bit for bit" in text


def test_that_a_folder_has_a_hash_of_all_that_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "m.savedmodel"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"a")
    first = hashed("result", folder).sha256
    (folder / "variables" / "data").write_bytes(b"b")
    assert len({first, hashed("result", folder).sha256}) == 2


@pytest.mark.parametrize("name", ["report.pdf", "none/report.html"])
def test_that_a_place_for_no_report_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileError):
        write_report(tmp_path / name, facts())
    assert list(tmp_path.iterdir()) == []
