"""The rules of the engine (P1 to P11 in ``mesofhir/fhir/picture.py``), one test or more for each."""

from decimal import Decimal
from typing import ClassVar

import pytest

from mesofhir.fhir.coded import Coded, OneSystem
from mesofhir.fhir.elements import DECIMAL, TIME, Status, measured_in, note, quantity
from mesofhir.fhir.picture import (
    UNKNOWN,
    Along,
    Always,
    Codec,
    Each,
    Echo,
    Field,
    Mismatch,
    Object,
    Reading,
    Sole,
    Start,
    Writing,
    changes,
    picture,
    unaccounted,
)
from mesofhir.terminology import OURS


class World:
    language = "en"
    namespace = "urn:x"


def put(literal, row, old=None, **options):
    w = Writing(row, World(), **options)
    return picture(literal).put(w, old, "$"), w.doubts


def get(literal, x):
    r = Reading(World())
    picture(literal).get(x, r, "$")
    return r


DAR = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}


class TestP1:
    """A field that is not stated leaves what stands there; cleared, it is taken away."""

    def test_not_stated(self):
        assert put({"a": Field("a"), "b": Field("b")}, {"b": 2}, {"a": 1, "b": 1})[0] == {"a": 1, "b": 2}

    def test_cleared(self):
        assert put({"a": Field("a"), "b": Field("b")}, {"a": None}, {"a": 1, "b": 1})[0] == {"b": 1}

    def test_a_cleared_field_takes_its_constants_along(self):
        item = {"url": "u", "valueString": Field("a")}
        assert put(
            {"k": Field("k"), "extension": [item]},
            {"k": 1, "a": None},
            {"k": 1, "extension": [{"url": "u", "valueString": "x"}]},
        )[0] == {"k": 1}

    def test_a_cleared_code_takes_its_label_along(self):
        concept = {"c": Coded("c", OURS["therapies"], "c_text")}
        coded = put(concept, {"c": "laser-therapy"})[0]
        assert coded["c"]["text"] == OURS["therapies"].label("laser-therapy", "en")
        assert put(concept, {"c": None}, coded)[0] is None
        worded = put(concept, {"c": "laser-therapy", "c_text": "our laser"})[0]
        assert put(concept, {"c": None}, worded)[0] == {"c": {"text": "our laser"}}

    def test_what_they_added_to_a_cleared_object_stays(self):
        old = {
            "dosage": {
                "text": "theirs",
                "dose": {"value": 1, "unit": "mL", "system": "http://unitsofmeasure.org", "code": "mL"},
            }
        }
        new, _ = put({"dosage": {"dose": quantity("v", "mL")}}, {"v": None}, old)
        assert new == {"dosage": {"text": "theirs"}}


class TestP2:
    """What the picture does not show is never touched."""

    def test_foreign_members_and_items_stay(self):
        literal = {"extension": [{"url": "u", "valueString": Field("a")}]}
        old = {
            "theirs": [1],
            "extension": [{"url": "other", "valueString": "x"}, {"url": "u", "valueString": "1", "id": "e"}],
        }
        new, doubts = put(literal, {"a": "2"}, old)
        assert new == {
            "theirs": [1],
            "extension": [{"url": "other", "valueString": "x"}, {"url": "u", "valueString": "2", "id": "e"}],
        }
        assert doubts == []


class TestP3:
    """A constant is written only beside a value that it describes, and verified on reading."""

    def test_no_unit_without_a_number(self):
        assert put({"k": Field("k"), "q": quantity("v", "mm")}, {"k": 1})[0] == {"k": 1}

    def test_a_constant_that_is_another_refuses(self):
        with pytest.raises(Mismatch, match="not the expected constant"):
            get({"resourceType": "Procedure"}, {"resourceType": "Patient"})

    def test_a_constant_that_is_missing_refuses(self):
        with pytest.raises(Mismatch, match="missing"):
            get({"a": 1, "b": Field("b")}, {"b": 2})

    def test_along_stands_with_its_own_fields_only(self):
        literal = {"frequency": Along(("every",), 1), "period": Field("every"), "count": Field("n")}
        assert put(literal, {"n": 4})[0] == {"count": 4}
        assert put(literal, {"n": 4, "every": 2})[0] == {"frequency": 1, "period": 2, "count": 4}

    def test_always_stands_without_any(self):
        literal = {"key": Field("key"), "contained": [Always({"id": "m", "lot": Field("lot")})]}
        assert put(literal, {"key": "1"})[0] == {"key": "1", "contained": [{"id": "m"}]}


class TestP4:
    """What already says the same stays to the letter."""

    def test_decimals_by_value(self):
        old = {"v": Decimal("2.50")}
        assert str(put({"v": Field("v", DECIMAL)}, {"v": Decimal("2.5")}, old)[0]["v"]) == "2.50"

    def test_the_same_instant_in_another_zone(self):
        old = {"t": "2026-03-04T09:00:00Z"}
        assert put({"t": Field("t", TIME)}, {"t": "2026-03-04T10:00:00+01:00"}, old)[0] == old
        assert put({"t": Field("t", TIME)}, {"t": "2026-03-04T10:00:01+01:00"}, old)[0] != old
        assert put({"t": Field("t", TIME)}, {"t": "2026-03"}, {"t": "2026-03-01"})[0] == {"t": "2026-03"}

    def test_a_code_with_an_additional_coding(self):
        old = {"c": {"coding": [{"system": "theirs", "code": "9"}, {"system": "s", "code": "B"}], "text": "x"}}
        assert put({"c": Coded("c", OneSystem("s", {"b": "B"}))}, {"c": "b"}, old)[0] == old


class TestP5:
    """An item is found by its constants; several candidates are a doubt."""

    def test_found_wherever_it_stands(self):
        literal = {"identifier": [{"system": "ours", "value": Field("key")}]}
        old = {"identifier": [{"system": "theirs", "value": "1"}, {"system": "ours", "value": "k"}]}
        assert put(literal, {"key": "k"}, old)[0] == old
        assert get(literal, old).row == {"key": "k"}

    def test_two_candidates(self):
        literal = {"extension": [{"url": "u", "valueString": Field("a")}]}
        old = {"extension": [{"url": "u", "valueString": "1"}, {"url": "u", "valueString": "2"}]}
        new, doubts = put(literal, {"a": "3"}, old)
        assert new == old
        assert doubts[0][0] == "$.extension"
        assert get(literal, old).doubts

    def test_two_candidates_of_which_one_says_the_same(self):
        literal = {"extension": [{"url": "u", "valueString": Field("a")}]}
        old = {"extension": [{"url": "u", "valueString": "1"}, {"url": "u", "valueString": "2"}]}
        assert put(literal, {"a": "2"}, old) == (old, [])

    def test_an_element_id_of_ours_breaks_the_tie(self):
        literal = {"note": note("n")}
        old = {"note": [{"text": "theirs"}, {"id": "mesofhir-note", "text": "ours"}]}
        assert get(literal, old).row == {"n": "ours"}
        assert put(literal, {"n": "new"}, old)[0]["note"] == [
            {"text": "theirs"},
            {"id": "mesofhir-note", "text": "new"},
        ]

    def test_a_note_of_theirs_is_not_ours(self):
        assert get({"note": note("n")}, {"note": [{"text": "theirs"}]}).row == {}

    def test_an_item_that_nothing_tells_apart_is_refused_when_made(self):
        with pytest.raises(TypeError, match="no constant that tells it apart"):
            picture({"note": [{"text": Field("n")}]})

    def test_items_that_could_claim_the_same_are_refused_when_made(self):
        item = {"url": "u", "valueString": Field("a")}
        with pytest.raises(TypeError, match="could claim the same"):
            picture({"extension": [item, {"url": "u", "valueString": Field("b")}]})

    def test_the_sole_item(self):
        literal = {"name": [Sole({"use": Start("official"), "family": Field("f")})]}
        assert get(literal, {"name": [{"family": "A"}]}).row == {"f": "A"}
        assert get(literal, {"name": [{"use": "old", "family": "B"}, {"use": "official", "family": "A"}]}).row == {
            "f": "A"
        }
        assert get(literal, {"name": [{"family": "B"}, {"family": "A"}]}).doubts


class TestP6:
    """Values without a key are paired by content; ours go when they are no longer stated, theirs stay."""

    LITERAL: ClassVar = {"drugs": [Each("drugs", {"item": Field("what"), "n": Field("n")}, by="what")]}

    def test_reordered_and_added(self):
        old = {"drugs": [{"item": "theirs"}, {"item": "b", "n": 2}, {"item": "a", "n": 1}]}
        assert put(self.LITERAL, {"drugs": [{"what": "a", "n": 1}, {"what": "b", "n": 2}]}, old)[0] == old

    def test_changed_in_place(self):
        old = {"drugs": [{"item": "b", "n": 2}, {"item": "a", "n": 1, "extra": True}]}
        new, _ = put(self.LITERAL, {"drugs": [{"what": "a", "n": 5}]}, old)
        assert new == {"drugs": [{"item": "b", "n": 2}, {"item": "a", "n": 5, "extra": True}]}

    def test_what_we_made_goes_when_it_is_no_longer_stated(self):
        made, _ = put(self.LITERAL, {"drugs": [{"what": "a", "n": 1}, {"what": "b", "n": 2}]})
        assert [x["id"] for x in made["drugs"]] == ["mesofhir-drugs-1", "mesofhir-drugs-2"]
        theirs = {"item": "theirs", "n": 9}
        old = {"drugs": [theirs, *made["drugs"]]}
        new, _ = put(self.LITERAL, {"drugs": [{"what": "b", "n": 2}, {"what": "c"}]}, old)
        assert new["drugs"] == [theirs, made["drugs"][1], {"id": "mesofhir-drugs-1", "item": "c"}]
        assert unaccounted(made, get(self.LITERAL, made).seen) == []

    def test_the_order_is_the_clinics_where_something_comes_or_goes(self):
        old, _ = put(self.LITERAL, {"drugs": [{"what": "a"}, {"what": "b"}]})
        old["drugs"].insert(1, {"item": "theirs"})
        new, _ = put(self.LITERAL, {"drugs": [{"what": "c"}, {"what": "b"}]}, old)
        assert [x["item"] for x in new["drugs"]] == ["theirs", "c", "b"]
        swapped = {"drugs": [old["drugs"][2], old["drugs"][0]]}
        assert put(self.LITERAL, {"drugs": [{"what": "a"}, {"what": "b"}]}, swapped)[0] == swapped

    def test_two_without_what_tells_them_are_not_paired(self):
        old = {"drugs": [{"n": 5}]}
        assert put(self.LITERAL, {"drugs": [{"n": 6}]}, old)[0]["drugs"][0] == {"n": 5}

    def test_cleared(self):
        assert put(self.LITERAL | {"k": Field("k")}, {"k": 1, "drugs": []}, {"k": 1, "drugs": [{"item": "a"}]})[0] == {
            "k": 1
        }


class TestP7:
    """A quantity stands or falls as a whole."""

    LITERAL: ClassVar = {"q": quantity("v", "mm")}

    @pytest.mark.parametrize("change", [{"code": "cm", "unit": "cm"}, {"comparator": "<"}, {"system": "urn:other"}])
    def test_another_unit_or_a_comparator(self, change):
        old = {
            "q": {"value": Decimal("0.3"), "unit": "mm", "system": "http://unitsofmeasure.org", "code": "mm"} | change
        }
        r = get(self.LITERAL, old)
        assert r.row == {}
        assert [path for path, _ in r.doubts] == ["$.q"]
        new, doubts = put(self.LITERAL, {"v": Decimal(4)}, old)
        assert new == old
        assert doubts

    def test_a_unit_of_its_own(self):
        literal = {"q": measured_in("v", "u")}
        made, _ = put(literal, {"v": Decimal("1.50"), "u": "h"})
        assert made["q"]["code"] == "h"
        assert get(literal, made).row == {"v": Decimal("1.50"), "u": "h"}


class TestP8:
    """A value to begin with is theirs from then on."""

    def test_start(self):
        literal = {"intent": Start("plan"), "a": Field("a")}
        assert put(literal, {"a": 1})[0]["intent"] == "plan"
        assert put(literal, {"a": 1}, {"intent": "order", "a": 1})[0]["intent"] == "order"
        assert unaccounted({"intent": "order", "a": 1}, get(literal, {"intent": "order", "a": 1}).seen) == ["$.intent"]


class TestP9:
    """Said twice, differently; or unreadable: a doubt about that place."""

    def test_twice(self):
        literal = {"a": Field("a"), "b": Field("a")}
        assert get(literal, {"a": 1, "b": 1}).doubts == []
        assert get(literal, {"a": 1, "b": 2}).doubts[0][0] == "$.b"

    def test_unreadable(self):
        def back(x, _):
            return {"x": 1}[x]

        r = get({"a": Field("a", Codec(back=back)), "b": Field("b")}, {"a": "y", "b": 2})
        assert (r.row, [p for p, _ in r.doubts]) == ({"b": 2}, ["$.a"])

    def test_an_unknown_status_refuses_the_whole(self):
        literal = {"status": Status("status", {"done": "completed"}), "b": Field("b")}
        with pytest.raises(Mismatch):
            get(literal, {"status": "on-hold", "b": 2})

    def test_a_status_that_is_not_stated(self):
        literal = {"status": Status("status", {"gone": "entered-in-error"}, default="final"), "b": Field("b")}
        assert put(literal, {"b": 1})[0] == {"status": "final", "b": 1}
        assert get(literal, {"status": "final", "b": 1}).row == {"b": 1}
        assert get(literal, {"status": "entered-in-error", "b": 1}).row == {"status": "gone", "b": 1}

    def test_two_words_for_one_code_are_refused_when_made(self):
        with pytest.raises(TypeError):
            Status("s", {"a": "x", "b": "x"})

    def test_codes_that_contradict_each_other(self):
        literal = {"c": Coded("c", OneSystem("s", {"a": "A", "b": "B"}))}
        x = {"c": {"coding": [{"system": "s", "code": "A"}, {"system": "s", "code": "B"}]}}
        assert get(literal, x).doubts


class TestP10:
    """Unknown is a data-absent-reason on the element."""

    def test_primitive(self):
        literal = {"birthDate": Field("born"), "k": Field("k")}
        made, _ = put(literal, {"born": UNKNOWN, "k": 1})
        assert made == {"_birthDate": {"extension": [DAR]}, "k": 1}
        assert get(literal, made).row == {"born": UNKNOWN, "k": 1}

    def test_primitive_of_an_extension(self):
        literal = {"extension": [{"url": "u", "valueBoolean": Field("b")}]}
        made, _ = put(literal, {"b": UNKNOWN})
        assert made == {"extension": [{"url": "u", "extension": [DAR]}]}
        assert get(literal, made).row == {"b": UNKNOWN}
        assert put(literal, {"b": True}, made)[0] == {"extension": [{"url": "u", "valueBoolean": True}]}

    def test_coded_and_quantity(self):
        literal = {"c": Coded("c", OneSystem("s", {"a": "A"})), "q": quantity("v", "mm")}
        made, _ = put(literal, {"c": UNKNOWN, "v": UNKNOWN})
        assert made["c"] == {"extension": [DAR]}
        assert get(literal, made).row == {"c": UNKNOWN, "v": UNKNOWN}

    def test_code_of_a_closed_set_in_an_extension(self):
        closed = {"extension": [{"url": "u", "valueCodeableConcept": Coded("c", OneSystem("s", {"a": "A"}))}]}
        made, _ = put(closed, {"c": UNKNOWN})
        assert made == {"extension": [{"url": "u", "extension": [DAR]}]}
        assert get(closed, made).row == {"c": UNKNOWN}
        within = {"extension": [{"url": "u", "valueCodeableConcept": {"extension": [DAR]}}]}
        assert get(closed, within).row == {"c": UNKNOWN}, "as it was written before"
        assert put(closed, {"c": UNKNOWN}, within)[0] == made
        said = {"coding": [{"system": "s", "code": "A"}]}
        known = put(closed, {"c": "a"}, made)[0]
        assert known == {"extension": [{"url": "u", "valueCodeableConcept": said}]}
        assert put(closed, {"c": UNKNOWN}, known)[0] == made

    def test_code_of_an_open_set_in_an_extension(self):
        code = Coded("c", OneSystem("s", {"a": "A"}), open=True)
        made, _ = put({"extension": [{"url": "u", "valueCodeableConcept": code}]}, {"c": UNKNOWN})
        assert made == {"extension": [{"url": "u", "valueCodeableConcept": {"extension": [DAR]}}]}

    def test_known_again(self):
        literal = {"birthDate": Field("born")}
        assert put(literal, {"born": "1970"}, {"_birthDate": {"extension": [DAR], "id": "x"}})[0] == {
            "birthDate": "1970",
            "_birthDate": {"id": "x"},
        }


class TestP11:
    """Of one x[y] element only one choice stands."""

    def test_theirs_gives_way_and_is_reported(self):
        literal = {"performedPeriod": {"start": Field("start")}}
        new, doubts = put(literal, {"start": "2026"}, {"performedDateTime": "2025"})
        assert new == {"performedPeriod": {"start": "2026"}}
        assert doubts == [("$.performedDateTime", "replaced by performedPeriod")]

    def test_a_name_that_only_begins_alike_stays(self):
        new, doubts = put({"valueQuantity": Field("v")}, {"v": 1}, {"valued": "x"})
        assert new == {"valueQuantity": 1, "valued": "x"}
        assert doubts == []


class TestEcho:
    """A copy is written, and compared with its owner on reading."""

    def test_copy(self):
        echo = Echo("status", Codec(lambda v, _: {"stopped": "revoked", "not-done": "revoked"}[v]))
        literal = {"status": echo, "k": Field("k")}
        assert put(literal, {"status": "stopped", "k": 1})[0] == {"status": "revoked", "k": 1}
        r = get(literal, {"status": "revoked", "k": 1})
        assert r.row == {"k": 1}
        [(path, node, x)] = r.echoes
        assert path == "$.status"
        assert node.agrees(x, "not-done", World())
        assert not node.agrees("active", "stopped", World())


def test_unaccounted_leaves():
    x = {"a": {"b": [1, {"c": 2}]}, "d": 3}
    assert unaccounted(x, ["$.a.b[1]"]) == ["$.a.b[0]", "$.d"]


def test_changes_are_what_was_replaced_or_taken_away():
    old = {"a": 1, "b": {"c": 2, "d": 3}, "e": [1, 2]}
    new = {"a": 1, "b": {"c": 5}, "e": [1, 2, 3], "f": 1}
    assert list(changes(old, new)) == ["$.b.c", "$.b.d"]
    assert isinstance(picture({}), Object)
