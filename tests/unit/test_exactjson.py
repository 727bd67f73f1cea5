"""JSON with exact decimals: what is read is what was written, and what is wrong is named with its place."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesofhir.errors import InvalidInput, Problem
from mesofhir.fhir import jsonscan
from mesofhir.fhir.exactjson import decode, encode, encode_pretty, lines

CANARY = "Zanzara7"  # stands for a patient's data: it must never show up in a message


def problem(data: bytes, where: str = "clinic.json") -> Problem:
    with pytest.raises(InvalidInput) as caught:
        decode(data, where)
    assert caught.value.exit_code == 3
    (only,) = caught.value.problems
    return only


# --- exactness


@pytest.mark.parametrize("text", ["0.50", "0.5", "-0.00", "100", "1.000", "12345678901234567890.10", "1E+2"])
def test_numbers_keep_their_digits(text: str) -> None:
    assert encode(decode(text.encode())) == text.encode()


def test_whole_numbers_are_int_and_the_others_decimal() -> None:
    whole, exact, scientific = decode(b"[7, 7.0, 7e0]")
    assert (type(whole), type(exact), type(scientific)) == (int, Decimal, Decimal)
    assert str(exact) == "7.0"


def test_keys_keep_their_order_and_decode_takes_a_bom() -> None:
    assert encode(decode(b'\xef\xbb\xbf{"b": 1, "a": {"d": 2, "c": 3}}')) == b'{"b":1,"a":{"d":2,"c":3}}'


def test_pretty_is_indented_by_two_and_exact() -> None:
    assert encode_pretty({"dose": Decimal("0.50"), "none": []}) == b'{\n  "dose": 0.50,\n  "none": []\n}\n'


@pytest.mark.parametrize(
    "number", [Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity"), float("nan"), float("inf")]
)
def test_numbers_that_are_not_finite_are_not_written(number: Any) -> None:
    for write in (encode, encode_pretty):
        with pytest.raises(ValueError, match="not finite"):
            write({"list": [{"value": number}]})


def test_words_that_look_like_numbers_that_are_not_finite_are_written() -> None:
    assert encode({"a": "NaN", "b": None}) == b'{"a":"NaN","b":null}'


# --- what is refused, with its place


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ('{"status":1,"status":2}', "line 1, column 13, $", 'the key "status" stands twice'),
        ('{"status":1,"st\\u0061tus":2}', "line 1, column 13, $", 'the key "status" stands twice'),
        ('[{"a":{"b":0}},\n {"a":{"b":1,"b":1}}]', "line 2, column 14, $[1].a", 'the key "b" stands twice'),
        ('{"a\\u003a":1,"b":":","b":2}', "line 1, column 22, $", "stands twice"),
        ('{"Anna Bianchi":1,"Anna Bianchi":2}', "line 1, column 19, $", "a key stands twice"),
        ('{"Bianchi":1,"Bianchi":2}', "line 1, column 14, $", "a key stands twice"),
        ('{"Bianchi":{"a":NaN}}', "line 1, column 17, $.?.a", "NaN and Infinity are not JSON"),
        ('{"a":[1,NaN]}', "line 1, column 9, $.a[1]", "NaN and Infinity are not JSON"),
        ("-Infinity", "line 1, column 1", "NaN and Infinity are not JSON"),
        ('{"a":"\\ud800"}', "line 1, column 7, $.a", "half of a surrogate pair"),
        ('{"a":"\\ud800\\u0041"}', "line 1, column 7, $.a", "half of a surrogate pair"),
        ('["\\udc00"]', "line 1, column 3, $[0]", "half of a surrogate pair"),
        ('["a\x00"]', "line 1, column 4, $[0]", "a bare control character (U+0000)"),
        ('["a\nb"]', "line 1, column 4, $[0]", "a bare control character (U+000A)"),
        ('["\\x"]', "line 1, column 3, $[0]", "an escape that JSON does not have"),
        ('["\\u00e"]', "line 1, column 3, $[0]", "an escape that JSON does not have"),
        ('{"a":"b', "line 1, column 6, $.a", "a text that is not closed"),
        ("", "line 1, column 1", "the input is empty"),
        (" \n ", "line 2, column 2", "the input is empty"),
        ('{"a":[1', "line 1, column 8, $.a[0]", "the input ends too early"),
        ("{} x", "line 1, column 4", "something that is not JSON"),
        ("{}{}", "line 1, column 3", "something follows the JSON value"),
        ("[1,]", "line 1, column 4, $[1]", "a comma stands before ]"),
        ('{"a":1,}', "line 1, column 8, $", "a comma stands before }"),
        ('{"a" 1}', "line 1, column 6, $.a", "found a number"),
        ("{1:2}", "line 1, column 2, $", "found a number"),
        ("[1}", "line 1, column 3, $[0]", "found }"),
        ("[01]", "line 1, column 2, $[0]", "not a JSON number"),
        ("[+1]", "line 1, column 2, $[0]", "not a JSON number"),
        ("[.5]", "line 1, column 2, $[0]", "not a JSON number"),
        ("[1.]", "line 1, column 2, $[0]", "not a JSON number"),
        ("[1,5]x", "line 1, column 6", "something that is not JSON"),
        ("[1e401]", "line 1, column 2, $[0]", "an exponent out of bounds"),
        ("[1e999999999]", "line 1, column 2, $[0]", "an exponent out of bounds"),
        (f"[1e{'9' * 5000}]", "line 1, column 2, $[0]", "an exponent out of bounds"),
        (f"[{'1' * 101}]", "line 1, column 2, $[0]", "too many digits"),
        (f"[{'1' * 5000}]", "line 1, column 2, $[0]", "too many digits"),
        (f"[0.{'1' * 100}]", "line 1, column 2, $[0]", "too many digits"),
        ("[1] // note", "line 1, column 5", "a comment"),
        ("['a']", "line 1, column 2, $[0]", "a single quote"),
        ("\ufeff\ufeff1", "line 1, column 1", "a byte order mark inside the input"),
        ('{\x00"\x00a', "line 1, column 2, $", "a NUL character"),
    ],
)  # fmt: skip
def test_what_is_not_strict_json_is_refused_with_its_place(text: str, place: str, what: str) -> None:
    found = problem(text.encode())
    assert found.where == f"clinic.json: {place}"
    assert what in found.what


@pytest.mark.parametrize(
    ("data", "where", "what"),
    [
        ('{"a":1}'.encode("utf-16"), "clinic.json: line 1", "UTF-16"),
        ('{"a":1}'.encode("utf-32"), "clinic.json: line 1", "UTF-32"),
        (b'{\n"a":"Zo\xeb"}', "clinic.json: line 2, byte offset 9", "a byte that is not UTF-8"),
        (b'\xef\xbb\xbf{"a":"Zo\xeb"}', "clinic.json: line 1, byte offset 11", "a byte that is not UTF-8"),
        (b'"\xed\xa0\x80"', "clinic.json: line 1, byte offset 1", "a byte that is not UTF-8"),
    ],
)
def test_another_encoding_is_named_with_its_place_and_the_option(data: bytes, where: str, what: str) -> None:
    found = problem(data)
    assert found.where == where
    assert what in found.what
    assert "--encoding" in found.hint


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [202, 1_000, 1_000_000])
def test_nesting_that_is_too_deep_is_refused_and_not_a_crash(opening: str, depth: int) -> None:
    assert "nested too deeply" in problem(opening.encode() * depth).what


def test_two_hundred_levels_are_read_and_one_more_is_refused() -> None:
    assert decode(b"[" * 200 + b"1" + b"]" * 200)
    assert "nested too deeply" in problem(b"[" * 201 + b"1" + b"]" * 201).what
    wide = b"[" + b"[]," * 300 + b"[]]"  # many brackets are not many levels
    assert len(decode(wide)) == 301


@pytest.mark.parametrize("text", ["1" * 100, "1e400", "1e-400", "0." + "1" * 99])
def test_numbers_up_to_the_limits_are_read(text: str) -> None:
    assert decode(text.encode()) == Decimal(text)


def test_digits_and_escapes_inside_texts_are_no_reason_to_refuse() -> None:
    for text in ("1" * 500, "1e999999999", "NaN", '{"a":1,"a":2}', "::", "😀", "\\ud800", "[" * 300):
        assert decode(json.dumps({"t": text, "u:": text}).encode()) == {"t": text, "u:": text}
    assert decode(b'{"a\\u003A":":","b":1}') == {"a:": ":", "b": 1}


@pytest.mark.parametrize(
    "template",
    [
        '{"a":"%s" "b"}', '{"a":"%s","a":1}', '{"a":"%s\x01"}', '{"a":"%s', '["%s\\ud800"]', "[%s]",
        '{"%s x":1,}', '{"%s x":1,"%s x":2}', '{"a":["%s",NaN]}', '"%s" "%s"', "['%s']",
        '{"%s x":{"a":1,"a":2}}',
    ],
)  # fmt: skip
def test_a_message_shows_no_value(template: str) -> None:
    assert CANARY not in str(problem(template.replace("%s", CANARY).encode()))


def test_a_message_shows_no_byte_of_another_encoding() -> None:
    assert CANARY not in str(problem(f'"{CANARY}à"'.encode("cp1252")))


# --- NDJSON


def test_lines_are_numbered_and_blank_ones_skipped() -> None:
    stream = io.BytesIO(b'\xef\xbb\xbf{"a":0.50}\n\n \t\r\n{"b":1}\r\n[]')
    assert list(lines(stream, "x.ndjson")) == [(1, {"a": Decimal("0.50")}), (4, {"b": 1}), (5, [])]


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b'{}\n\n{"a":1,"a":2}\n', "x.ndjson: line 3, column 8, $"),
        (b"{}\n[1,\n", "x.ndjson: line 2, column 4, $[1]"),
        (b"{}\n\xff\n", "x.ndjson: line 2, byte offset 3"),
        (b"\xef\xbb\xbf{}\n\r\n{}\n[\xff]\n", "x.ndjson: line 4, byte offset 12"),
        (b"{}\n{}\xef\xbb\xbf{}", "x.ndjson: line 2, column 3"),
        (b"{}\n{\n}\n", "x.ndjson: line 2, column 2, $"),
        ("{}\n".encode("utf-16"), "x.ndjson: line 1"),
    ],
)
def test_a_bad_line_is_named_by_its_number(data: bytes, where: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        list(lines(io.BytesIO(data), "x.ndjson"))
    assert caught.value.problems[0].where == where


class Endless(io.RawIOBase):
    """A line that never ends, and a count of what was asked of it."""

    read_so_far = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size > 0
        self.read_so_far += size
        return b"x" * size


def test_a_line_that_never_ends_is_refused_after_the_limit() -> None:
    stream = Endless()
    with pytest.raises(InvalidInput, match="line 1: a line that is too long; expected at most 1000 bytes"):
        next(lines(stream, "x.ndjson", limit=1000))  # type: ignore[arg-type]
    assert stream.read_so_far <= 1001
    assert list(lines(io.BytesIO(b'"' + b"x" * 997 + b'"\n'), limit=1000)) == [(1, "x" * 997)]


# --- properties

texts = st.text(st.characters(exclude_categories=["Cs"]))
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=None).filter(
    lambda d: len(d.as_tuple().digits) <= 60 and abs(d.adjusted()) <= 300 and str(d) != "-0"
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**60), 10**60) | decimals | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=30,
)


def lexical(value: Any) -> Any:
    """The value with its numbers as texts, so that 0.50 and 0.5 differ."""
    if isinstance(value, dict):
        return {key: lexical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [lexical(item) for item in value]
    return str(value) if isinstance(value, Decimal | int) and not isinstance(value, bool) else value


@given(values)
def test_what_is_written_is_read_again(value: Any) -> None:
    for written in (encode(value), encode_pretty(value), json.dumps(lexical(value)).encode()):
        assert lexical(decode(written)) == lexical(value)


json_like = st.lists(
    st.sampled_from(
        ["{", "}", "[", "]", ",", ":", '"a"', '"b"', '"a":', '"\\u0061":', '"\\u003a":', '":":', "1", "0.50",
         "-", "1e5", "1e500", "9" * 101, "true", "null", "NaN", " ", "\n", '"', "\\", '"\\ud800"', "\x00",
         "\ufeff", "è", "[" * 201]
    )
).map("".join)  # fmt: skip


@settings(max_examples=600)
@given(st.binary() | json_like.map(str.encode) | values.map(encode).flatmap(
    lambda data: st.tuples(st.just(data), st.integers(0, len(data)), st.binary(max_size=3)).map(
        lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] :]
    )
))  # fmt: skip
def test_any_bytes_are_read_as_the_standard_library_reads_them_or_refused(data: bytes) -> None:
    try:
        value = decode(data)
    except InvalidInput as error:
        assert error.problems[0].where.startswith("input: line ")  # noqa: PT017 - either outcome is right
        return
    assert lexical(value) == lexical(json.loads(data, parse_float=Decimal))


@settings(max_examples=600)
@given(json_like | values.map(lambda value: encode(value).decode()))
def test_the_fast_path_and_the_scanner_agree(text: str) -> None:
    text = text.lstrip("\ufeff")  # decode takes one away
    try:
        jsonscan.scan(text)
        accepted = True
    except jsonscan.Fault:
        accepted = False
    if accepted:
        decode(text.encode())
    else:
        with pytest.raises(InvalidInput):
            decode(text.encode())
