"""Stored Python code is read without being run: against the running Python's own code objects, and code of others."""

import base64
import contextlib
import dis
import json
import marshal
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.bytecode import BytecodeError, Code, read_code
from core.bytecode.expressions import expression_of
from core.bytecode.instructions import disassemble, instructions, version_of
from core.bytecode.stored import code_bytes, formula, stored_function
from core.bytecode.symbols import text
from tests.core.bytecode import functions

RECORDED: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("recorded.json").read_text())
"""`base64(marshal.dumps(function.__code__))` of the same functions, written by the Python each key names."""
TEXTS = {
    "absdiff": "K.abs(x[0] - x[1])",
    "array": "(x - np.array([1.0, 2.0, 3.0])) / 58.0",
    "closure": "x - 3.0",
    "default": "x * 0.17",
    "distance": "K.sqrt(K.maximum(K.sum(K.square(vects[0] - vects[1]), axis=1, keepdims=True), K.epsilon()))",
    "ellipsis": "x[..., 0]",
    "mean": "K.mean(x, axis=[1, 2], keepdims=True)",
    "norm": "K.l2_normalize(x, axis=1)",
    "reduce": "tf.math.reduce_sum(tf.square(x), axis=-1)",
    "rescale": "x / 127.5 - 1.0",
    "scaling": "x * 0.17",
    "slice": "x[:, 1:3]",
    "squeeze": "tf.squeeze(x, axis=1)",
    "branch": None,
    "evil": None,
    "inner": None,
}
RAW = 'ã\x01\0\0\0\0\0\0\0\x01\0\0\0\x02\0\0\0S\0\0\0s\f\0\0\0|\0\0d\x01\0\x1bd\x02\0\x18S)\x03Nç\0\0\0\0\0à_@ç\0\0\0\0\0\0ð?©\0)\x01Ú\x01xr\x03\0\0\0r\x03\0\0\0ú\bmodel.pyÚ\b<lambda>"\0\0\0s\0\0\0\0'  # noqa: E501
"""`x/127.5 - 1.` as Keras 1.2 on Python 3.5 wrote it into a file: bytes as text, without base64."""
SCALING = (
    "4wIAAAAAAAAAAgAAAAIAAABDAAAAcwgAAAB8AAB8AQAUUykBTqkAKQLaAXjaBXNjYWxlcgEAAABy\nAQAAAPovQzpcVXNlcnNcSVM5NjI3M1x"
    "EZXNrdG9wXGluY2VwdGlvbl9yZXNuZXRfdjEucHnaB3Nj\nYWxpbmcZAAAAcwIAAAAAAQ==\n"
)
"""`scaling(x, scale)` of a FaceNet architecture, Keras 2.0 on Python 3.5."""


def recorded(version: str, name: str) -> Code:
    return read_code(base64.b64decode(RECORDED[version][name]))


def own(function: Callable[..., Any]) -> tuple[types.CodeType, Code]:
    return function.__code__, read_code(marshal.dumps(function.__code__))


@pytest.mark.parametrize("function", functions.ALL, ids=lambda one: one.__name__)
def test_that_code_reads_as_the_code_object_it_was(function: Callable[..., Any]) -> None:
    real, found = own(function)
    assert found.args == real.co_varnames[: real.co_argcount]
    assert (found.name, found.filename, found.first_line) == (real.co_name, real.co_filename, real.co_firstlineno)
    assert (found.flags, found.names, found.free) == (real.co_flags, real.co_names, real.co_freevars)
    assert found.code == real.co_code
    plain = [value for value in real.co_consts if not isinstance(value, (types.CodeType, frozenset))]
    assert [value for value in found.consts if value in plain] == plain


@pytest.mark.parametrize("function", functions.ALL, ids=lambda one: one.__name__)
def test_that_instructions_are_those_of_the_dis_module(function: Callable[..., Any]) -> None:
    real, found = own(function)
    expected = [(one.offset, one.opcode) for one in dis.get_instructions(real) if one.opname != "EXTENDED_ARG"]
    mine = instructions(found, version_of(found))
    assert [(one.offset, one.number) for one in mine if one.name != "CACHE"] == expected
    named = {one.offset: one.opname for one in dis.get_instructions(real)}
    assert all(one.name in ("", named.get(one.offset), "CACHE") for one in mine)


@pytest.mark.parametrize("version", RECORDED)
def test_that_every_python_s_code_is_known_as_its_own(version: str) -> None:
    family = {"3.6": "3.7", "3.8": "3.10"}.get(version, version)
    assert version_of(recorded(version, "mean")) == family
    listing = disassemble(recorded(version, "distance"))
    assert "instruction" not in listing
    assert "maximum" in listing
    assert "RETURN_VALUE" in listing


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("version", RECORDED)
def test_that_a_function_means_the_same_whichever_python_wrote_it(version: str, name: str) -> None:
    bound = {"scale": 0.17} if name in ("scaling", "default") else {}
    found = expression_of(recorded(version, name), bound, (3.0,) if name == "closure" else ())
    assert (found and text(found)) == TEXTS[name]


def test_that_keras_1_text_and_keras_2_lists_and_keras_3_dicts_hold_the_same_code() -> None:
    code, _ = own(lambda x: x / 2.0)
    written = marshal.dumps(code)
    base = base64.b64encode(written).decode()
    forms: list[Any] = [
        [written.decode("raw_unicode_escape"), None, None],
        [base64.encodebytes(written).decode(), None, None],
        {"class_name": "__lambda__", "config": {"code": base, "defaults": None, "closure": None}},
    ]
    for form in forms:
        stored = stored_function({"function": form})
        assert stored.size == len(written)
        assert (stored.name, stored.problem) == ("<lambda>", "")


def test_that_code_in_published_files_is_understood() -> None:
    old = stored_function({"function": [RAW, None, None]})
    assert formula(old, 0).line == (1 / 127.5, -1.0)  # type: ignore[union-attr]
    assert "BINARY_TRUE_DIVIDE" in old.listing()
    scaled = stored_function({"function": [SCALING, None, None], "arguments": {"scale": 0.17}})
    assert formula(scaled, 0).line == (0.17, 0.0)  # type: ignore[union-attr]
    assert formula(stored_function({"function": [SCALING, None, None]}), 0) is None


def test_that_python_2_whole_number_division_is_not_taken_for_another() -> None:
    code, _ = own(lambda x: x * (a / b))  # type: ignore[name-defined] # noqa: F821
    assert expression_of(read_code(marshal.dumps(code)), {}) is not None
    # x * (1 / 255) in Python 2 is x * 0
    source = base64.b64decode(RECORDED["2.7"]["rescale"])
    whole = source.replace(b"g\x00\x00\x00\x00\x00\xe0_@", b"i\xff\x00\x00\x00").replace(
        b"g\x00\x00\x00\x00\x00\x00\xf0?", b"i\x01\x00\x00\x00"
    )
    # load_const 255, load_const 1, divide, load x, multiply
    program = bytes([100, 1, 0, 100, 2, 0, 21, 124, 0, 0, 20, 83])
    changed = whole.replace(read_code(whole).code, program)
    assert len(program) == len(read_code(whole).code)
    assert expression_of(read_code(changed), {}) is None


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=400))
def test_that_any_bytes_are_code_or_one_clear_error(data: bytes) -> None:
    for candidate in (data, b"\xe3" + data, b"c" + data):
        with contextlib.suppress(BytecodeError):
            disassemble(read_code(candidate))


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from([(version, name) for version in RECORDED for name in RECORDED[version]]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 7)), min_size=1, max_size=4),
)
def test_that_flipped_bits_never_crash_the_reader(which: tuple[str, str], flips: list[tuple[int, int]]) -> None:
    data = bytearray(base64.b64decode(RECORDED[which[0]][which[1]]))
    for place, bit in flips:
        data[place % len(data)] ^= 1 << bit
    stored = stored_function({"function": [base64.b64encode(bytes(data)).decode(), None, None]})
    assert stored.listing()
    for inputs in (0, 2):
        formula(stored, inputs)


@pytest.mark.parametrize(
    "data",
    [
        b"\xe3" + b"\xa9\xff" * 10,
        b"\xe3" + b"\x00" * 20 + b"\xf3\xff\xff\xff\x7f",
        b"\xe3" + b"\x00" * 20 + b"(\xff\xff\xff\x7f",
        b"\xe3" + b")\x01" * 5000,
        b"\xe3" + b"\x00" * 20 + b"\xec\xff\xff\xff\x7f" + b"\xff" * 400,
        b"c" * 3000,
    ],
    ids=["items", "text", "tuple", "deep", "number", "nested code"],
)
def test_that_declared_sizes_and_depths_are_not_believed(data: bytes) -> None:
    with pytest.raises(BytecodeError):
        read_code(data)


def test_that_values_shared_a_thousand_times_do_not_grow() -> None:
    shared: Any = (1.5, 2.5)
    for _ in range(30):
        shared = (shared, shared)
    written = marshal.dumps((lambda x: x).__code__.replace(co_consts=(shared,)))
    assert len(written) < 1000
    with pytest.raises(BytecodeError, match="too many values"):
        read_code(written)


def test_that_text_which_is_no_code_has_a_problem_and_no_formula() -> None:
    for text_ in ("", "hello", "!!!", "é" * 10, "\ud800"[:0] + "A" * 8):
        stored = stored_function({"function": [text_, None, None]})
        assert stored.code is None
        assert stored.problem
        assert formula(stored, 0) is None
    assert code_bytes("QUJD") == b"ABC"


def test_that_a_listing_stays_on_its_lines() -> None:
    code = (lambda x: x).__code__.replace(co_name="a\nb\x1b[31m", co_filename="c\r\nd" * 100)
    lines = disassemble(read_code(marshal.dumps(code))).splitlines()
    assert len(lines) == 4
    assert all(line.isprintable() and len(line) < 400 for line in lines)
