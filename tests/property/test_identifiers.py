"""Codici fiscali of nobody: every one is taken, a slip of the pen is found, and each goes out and comes back."""

import string
from typing import Any

import pytest
from codicefiscale.codicefiscale import encode_cin
from hypothesis import given
from hypothesis import strategies as st

from mesofhir.mapping import Clinic, understand
from mesofhir.records import decode, plain
from mesofhir.records.identifiers import wrong
from tests.unit.test_identifiers import CLINIC, OID, URL, pairs, patient, tree

LETTER = st.sampled_from(string.ascii_uppercase)
NUMBER = st.sampled_from("0123456789LMNPQRSTUV")  # with omocodia


@st.composite
def fiscal_codes(draw: Any) -> str:
    """Of nobody: the letters and digits are drawn one by one."""
    name, month, place = ("".join(draw(LETTER) for _ in range(6))), draw(st.sampled_from("ABCDEHLMPRST")), draw(LETTER)
    year, day, number = ("".join(draw(NUMBER) for _ in range(n)) for n in (2, 2, 3))
    code = f"{name}{year}{month}{day}{place}{number}"
    return code + encode_cin(code)


@given(fiscal_codes())
def test_a_codice_fiscale_with_its_check_character(code: str) -> None:
    assert wrong(URL, code) is wrong(OID, code) is wrong(URL, code.lower()) is None


@given(fiscal_codes(), st.integers(0, 14), LETTER)
def test_a_slip_of_the_pen_is_found(code: str, at: int, letter: str) -> None:
    """One wrong letter is always found: the check character is made for that."""
    if code[at] in string.digits or letter in (code[at], *"LMNPQRSTUV"):
        return
    assert wrong(URL, code[:at] + letter + code[at + 1 :]) is not None


@given(st.lists(st.tuples(st.sampled_from([URL, OID]), fiscal_codes()), min_size=1, max_size=3, unique=True))
def test_where_nothing_is_chosen_each_goes_as_it_is_stated(stated: list[tuple[str, str]]) -> None:
    back = understand([{**patient(tree(*stated)), "id": "1"}], CLINIC)
    assert [plain(h) for h in back.histories] == [plain(decode(tree(*stated)))]


@pytest.mark.parametrize("chosen", [URL, OID])
@given(stated=st.lists(st.tuples(st.sampled_from([URL, OID]), fiscal_codes()), min_size=1, max_size=3, unique=True))
def test_the_chosen_name_goes_out_and_is_stable(chosen: str, stated: list[tuple[str, str]]) -> None:
    clinic = Clinic(CLINIC.namespace, systems=(chosen,))
    made = patient(tree(*stated), clinic)
    assert {v for _, v in pairs(made)} == {v for _, v in stated}
    both = {v for _, v in stated if {(URL, v), (OID, v)} <= set(stated)}
    assert {s for s, v in pairs(made) if v not in both} <= {chosen}
    assert sorted(pairs(made)) == sorted(set(pairs(made)))
    [history] = understand([{**made, "id": "1"}], clinic).histories
    assert patient(plain(history), clinic) == made  # from now on nothing changes
