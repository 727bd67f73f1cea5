"""The code tables: that each says only what was verified, and reads back what it writes."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from itertools import permutations
from pathlib import Path

import pytest

import mesofhir.terminology as terminology
from mesofhir.errors import MesofhirError
from mesofhir.mapping import Clinic, graph, understand
from mesofhir.records import decode
from mesofhir.terminology import (
    ATC,
    CNP,
    ICD9,
    ICD10,
    LOCAL,
    ROUTE,
    SCT,
    CodeSet,
    Coding,
    code_set,
    code_sets,
    issue_codes,
    systems,
)
from mesofhir.terminology.systems import _ALIASES
from mesofhir.terminology.tables import read_code_set, read_issue_codes

ROOM = Path(terminology.__file__).parent
HEADING = "code,it,en,system,value,display,relation,source"

EXPECTED_TOKENS = {
    "no_known": "any-allergy drug-allergy",
    "kinds": (
        "mesotherapy-plan mesotherapy-cycle mesotherapy-session aftercare preparation "
        "contraindication-excluded skin-reaction reaction-duration reaction-severity informed-consent"
    ),
    "protocols": (
        "antalgic-outpatient district-intradermal aesthetic-and-antalgic analgesic-outpatient pain-micro-injection"
    ),
    "approaches": "allopathic homeopathic",
    "assessment_points": "baseline pre-session post-session end-cycle follow-up",
    "clinical_phases": "acute chronic",
    "severities": "mild moderate severe",
    "conditions": (
        "low-back-pain acute-low-back-pain chronic-low-back-pain neck-pain tension-type-headache "
        "episodic-tension-type-headache chronic-tension-type-headache tendinopathy tendinitis "
        "achilles-tendinitis patellar-tendinitis lateral-epicondylitis medial-epicondylitis "
        "muscle-contracture myofascial-pain osteoarthritis knee-osteoarthritis hip-osteoarthritis "
        "shoulder-osteoarthritis hand-osteoarthritis shoulder-pain whiplash ankle-sprain "
        "post-traumatic-pain chronic-post-traumatic-pain post-operative-pain venous-insufficiency "
        "cellulite-pefs oedema localised-fat-deposits gastritis-nsaid dialysis"
    ),
    "contraindications": (
        "drug-allergy pregnancy breastfeeding skin-not-intact skin-infection dermatitis "
        "coagulation-disorder thrombocytopenia anticoagulant uncompensated-systemic-disease"
    ),
    "instructions": (
        "resume-normal-activity avoid-intense-sport no-massage no-scratching keep-dry contact-physician "
        "clean-skin-no-cosmetics declare-medicines inform-allergies avoid-sun"
    ),
    "outcomes": "resolved improved unchanged worse",
    "phases": "attack maintenance repeat",
    "professions": "physician nurse physiotherapist",
    "purposes": "antalgic aesthetic",
    "reactions": (
        "erythema injection-site-bruising haematoma injection-site-pain injection-site-burning "
        "injection-site-oedema wheal injection-site-infection injection-site-necrosis "
        "injection-site-granuloma allergic-reaction urticaria anaphylaxis drug-anaphylaxis "
        "vasovagal-syncope dizziness fever"
    ),
    "red_flags": "fever intense-pain signs-of-infection",
    "routes": "intradermal subcutaneous topical",
    "scopes": "any substance site",
    "sides": "left right both",
    "sites": (
        "neck cervical-spine lumbar lumbar-spine shoulder knee hip hand elbow ankle foot thigh buttock "
        "trapezius occipital-scalp achilles-tendon"
    ),
    "skin_sites": "neck lumbar buttock occipital-scalp",
    "status_reasons": (
        "contraindicated refused lost-to-follow-up non-compliance no-response adverse-effect "
        "symptoms-resolved organisational patient-absent"
    ),
    "strengths": "absolute relative precaution",
    "substances": (
        "lidocaine lidocaine-hydrochloride mepivacaine procaine diclofenac ketoprofen ketorolac piroxicam "
        "thiocolchicoside betamethasone dexamethasone methylprednisolone deoxycholic-acid phospholipids "
        "sodium-bicarbonate sodium-chloride aminophylline caffeine pentoxifylline rutoside levocarnitine "
        "hyaluronidase warfarin rivaroxaban apixaban dabigatran local-anaesthetics nsaids muscle-relaxants "
        "corticosteroids antithrombotics phosphatidylcholine homeopathic-preparation "
        "lysine-acetylsalicylate tenoxicam calcitonin"
    ),
    "techniques": "multiple-micro-injections point-by-point trigger-points topical-anaesthesia",
    "therapies": (
        "physiotherapy therapeutic-exercise rehabilitation lymph-drainage hyperthermia laser-therapy tens "
        "shock-wave intra-articular-injection acupuncture oral-medication"
    ),
}
"""What records are promised to be able to say; a table may hold more."""

# Seen while the codes were looked up, and outside the Global Patient Set.
FORBIDDEN_SCT = frozenset(
    {
        "183932001",  # procedure contraindicated
        "416237000",  # not done
        "734163000",  # care plan
        "385669000",  # outcome successful
        "385671000",  # outcome unsuccessful
        "385670004",  # outcome partial
        "7034005",  # diclofenac
        "372501008",  # ketorolac
        "387153005",  # piroxicam
        "59560006",  # mepivacaine
        "116571008",  # betamethasone
        "386832008",  # ketoprofen
        "387319002",  # sodium bicarbonate
        "61352006",  # Achilles tendon
    }
)


def lines(name: str) -> list[dict[str, str]]:
    """The raw lines of a table, read without the code under test."""
    with (ROOM / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def all_lines() -> list[tuple[str, dict[str, str]]]:
    return [(name, row) for name in code_sets() for row in lines(name)]


def all_concepts() -> list[tuple[CodeSet, terminology.Concept]]:
    return [(code_set(name), code_set(name)[token]) for name in code_sets() for token in code_set(name)]


@pytest.fixture(scope="module")
def verified() -> dict[tuple[str, str], dict[str, str]]:
    """Every code that somebody looked up, by system and code."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for name in ("codes", "other"):
        for row in lines(f"sources/{name}"):
            assert (row["system"], row["code"]) not in rows
            rows[row["system"], row["code"]] = row
    return rows


# --- what the tables hold -----------------------------------------------------------------------------------


def test_the_sets_are_the_ones_that_are_promised():
    assert list(code_sets()) == sorted(EXPECTED_TOKENS)


@pytest.mark.parametrize("name", sorted(EXPECTED_TOKENS))
def test_a_set_has_every_promised_token(name):
    assert set(EXPECTED_TOKENS[name].split()) <= set(code_set(name))


def test_nothing_of_a_table_is_lost_or_reordered_on_reading():
    words = systems.SYSTEMS
    for name in code_sets():
        read = [
            (concept.code, *coding)
            for concept in (code_set(name)[token] for token in code_set(name))
            for coding in concept.codings
        ]
        raw = [(row["code"], words[row["system"]], row["value"], row["display"]) for row in lines(name)]
        assert read == raw
        assert len(code_set(name)) == len({row["code"] for row in lines(name)})


def test_every_coding_was_verified_with_its_display_and_source(verified):
    standard = 0
    for name, row in all_lines():
        if row["system"] == "local":
            assert row["source"] == "local CodeSystem"
            continue
        standard += 1
        system = systems.SYSTEMS[row["system"]]
        source = verified.get((system, row["value"]))
        assert source is not None, f"{name}: {row['system']} {row['value']} was never verified"
        assert row["source"] == source["source"], (name, row)
        display = source["display_in_source"]
        if system == SCT:
            stripped = re.fullmatch(r"(.+) \([^()]+\)", display)
            assert stripped, f"{display!r} has no semantic tag"
            display = stripped[1]
        if system == CNP or "@" in display:
            display = ""
        assert row["display"] == display, (name, row)
    assert standard > 100


def test_the_lists_of_verified_codes_are_whole(verified):
    for (system, code), row in verified.items():
        assert None not in row, row
        assert system.startswith("http://"), row
        assert code, row
        assert row["source"], row
        if system not in systems.SYSTEMS.values():
            assert row["group"] in ("missing date", "consent scope", "unit"), row


def test_no_semantic_tag_is_shown():
    for _, concept in all_concepts():
        for coding in concept.codings:
            if coding.system == SCT:
                assert "(" not in coding.display, coding


def test_labels_are_for_people():
    for _, concept in all_concepts():
        assert set(concept.labels) == {"it", "en"}
        for label in concept.labels.values():
            assert label[0].isupper(), label
            assert not label.isupper(), label
            assert "  " not in label
            assert not label.endswith("."), label


def test_two_tokens_of_a_set_never_share_a_label():
    for name in code_sets():
        for language in terminology.LANGUAGES:
            labels = [code_set(name).label(token, language) for token in code_set(name)]
            assert len(labels) == len(set(labels)), (name, language)


def test_a_token_means_one_thing_in_all_sets():
    """There is one local CodeSystem, so a token has the same labels in every set.

    The skin of a site and a negated allergy are the exceptions: tokens with labels of their own, never local.
    """
    meanings: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for code_set_, concept in all_concepts():
        if code_set_.name in ("skin_sites", "no_known"):
            assert all(coding.system != LOCAL for coding in concept.codings)
        else:
            meanings[concept.code].add((concept.labels["it"], concept.labels["en"]))
    assert {token: labels for token, labels in meanings.items() if len(labels) > 1} == {}


def test_skin_sites_are_sites():
    assert set(code_set("skin_sites")) <= set(code_set("sites"))


def test_side_of_a_thigh_is_not_invented():
    """The verified skin codes are of one surface each: a plain thigh must not become its anterior surface."""
    assert "thigh" not in code_set("skin_sites")
    assert code_set("skin_sites").token_of(SCT, "61248009") == "anterior-thigh"
    assert code_set("skin_sites").token_of(SCT, "4578000") == "posterior-thigh"


# --- reading and writing ------------------------------------------------------------------------------------


def test_the_first_coding_of_a_token_reads_back_as_the_token():
    for code_set_, concept in all_concepts():
        first = concept.codings[0]
        assert code_set_.token_of(first.system, first.code) == concept.code


def test_only_equivalent_codings_are_read():
    for name, row in all_lines():
        token = code_set(name).token_of(systems.SYSTEMS[row["system"]], row["value"])
        if row["relation"] == "equivalent":
            assert token == row["code"]
        else:
            assert token != row["code"], f"{name}: {row['value']} is only {row['relation']}"


def test_a_whole_concept_reads_back_in_any_order():
    several = 0
    for code_set_, concept in all_concepts():
        pairs = [(coding.system, coding.code) for coding in concept.codings]
        several += len({code_set_.token_of(*pair) for pair in pairs} - {None}) > 1
        for order in permutations(pairs):
            assert code_set_.token_in(order) == concept.code, (code_set_.name, concept.code)
    assert several >= 5, "nothing here tests codes that belong to another token"


def test_a_concept_of_two_meanings_is_never_guessed():
    sites = code_set("sites")
    assert sites.token_in([(SCT, "72696002"), (SCT, "29836001")]) is None
    assert sites.token_in([]) is None
    assert sites.token_in([("urn:ehr", "1"), (SCT, "72696002")]) == "knee"
    assert sites.token_in([(SCT, "70258002")]) == "ankle"


def test_an_example_of_each_direction():
    conditions = code_set("conditions")
    assert conditions.token_of(SCT, "279039007") == "low-back-pain"
    assert conditions["low-back-pain"].codings == (
        Coding(SCT, "279039007", "Low back pain"),
        Coding(ICD10, "M54.5", "Low back pain"),
        Coding(ICD9, "724.2", "LOMBALGIA"),
    )
    assert conditions.label("low-back-pain", "it") == "Lombalgia"
    assert conditions.label("low-back-pain", "en") == "Low back pain"


def test_a_broader_or_related_code_is_not_read_as_ours():
    conditions = code_set("conditions")
    assert conditions.token_of(ICD10, "M54.5") is None
    assert conditions.token_of(ICD9, "724.2") is None
    assert conditions.token_of(ICD10, "E65") is None
    assert conditions.token_of(ICD9, "278.1") is None


def test_intradermal_is_the_licence_free_code_first():
    assert [coding[:2] for coding in code_set("routes")["intradermal"].codings] == [
        (ROUTE, "IDINJ"),
        (SCT, "372464004"),
    ]
    assert code_set("routes").token_of(ROUTE, "IDINJ") == "intradermal"


@pytest.mark.parametrize(
    "system",
    [ATC, "urn:oid:2.16.840.1.113883.6.73", "https://www.hl7.it/fhir/terminology/CodeSystem/aifa-atc"],
)
def test_atc_is_understood_under_its_other_names(system):
    substances = code_set("substances")
    assert substances.token_of(system, "N01BB02") == "lidocaine"
    assert substances.token_in([(system, "N01BB02"), (SCT, "61773008")]) == "lidocaine-hydrochloride"
    assert substances.token_of(system, "N01BB99") is None


def test_atc_is_written_under_one_name():
    systems = {coding.system for _, concept in all_concepts() for coding in concept.codings}
    assert ATC in systems
    assert systems.isdisjoint(_ALIASES)


def test_a_system_is_part_of_a_code():
    assert code_set("therapies").token_of(ICD9, "27813003") is None
    assert code_set("conditions").token_of(SCT, "cellulite-pefs") is None
    assert code_set("conditions").token_of(LOCAL, "cellulite-pefs") == "cellulite-pefs"


def test_a_drug_can_be_matched_to_an_allergy_by_its_atc_class():
    """Rule G3 compares ATC codes and their prefixes; a drug without any would never match."""

    def atc(token: str) -> list[str]:
        return [coding.code for coding in code_set("substances")[token].codings if coding.system == ATC]

    for drug, drug_class in {
        "lidocaine": "local-anaesthetics",
        "lidocaine-hydrochloride": "local-anaesthetics",
        "procaine": "local-anaesthetics",
        "ketoprofen": "nsaids",
        "tenoxicam": "nsaids",
        "thiocolchicoside": "muscle-relaxants",
        "dexamethasone": "corticosteroids",
        "warfarin": "antithrombotics",
        "apixaban": "antithrombotics",
    }.items():
        prefixes = tuple(atc(drug_class))
        assert prefixes
        assert any(code.startswith(prefixes) for code in atc(drug)), drug


# --- traps --------------------------------------------------------------------------------------------------


def everything_shipped() -> list[str]:
    return [f"{name} {' '.join(row.values())}".lower() for name, row in all_lines()]


def test_cellulite_is_never_cellulitis():
    assert not [text for text in everything_shipped() if "cellulitis" in text]
    cellulite = code_set("conditions")["cellulite-pefs"]
    assert [coding[:2] for coding in cellulite.codings] == [
        (LOCAL, "cellulite-pefs"),
        (ICD10, "E65"),
        (ICD9, "278.1"),
    ]
    assert cellulite.codings[2].display == "", "the source misprints ADIPOSIT@ LOCALIZZATA"


@pytest.mark.parametrize(("drug", "code", "shifted"), [
    ("diclofenac", "M01AB05", "Diltiazem"), ("ketoprofen", "M01AE03", "Ketorolac"),
])  # fmt: skip
def test_a_list_of_atc_that_is_shifted_by_a_row_renames_no_drug(drug, code, shifted):
    """hl7-it/terminology CS_ATC: its displays stand one row too low."""
    assert [c.display.lower() for c in code_set("substances")[drug].codings if c.code == code] == [drug]
    clinic = Clinic("https://clinic.example/m")
    [made] = [m for m in graph(decode({"key": "P", "medicines": [{"key": "M", "status": "active", "medicine": drug}]}),
                               clinic).made if m.link.kind == "MedicationStatement"]  # fmt: skip
    theirs = {**made.resource, "id": "1"}
    for alias in (ATC, "urn:oid:2.16.840.1.113883.6.73"):
        theirs["medicationCodeableConcept"] = {"coding": [{"system": alias, "code": code, "display": shifted}]}
        [history] = understand([theirs], clinic).histories
        assert history.medicines[0].medicine == drug


def test_a_mistranslation_of_arthrosis_is_never_an_arthroscopy():
    assert not [text for text in everything_shipped() if re.search("arthroscop|artroscop", text)]


def test_a_contracture_has_the_italian_meaning_of_its_code():
    """728.85 is *spasm of muscle* in the American edition."""
    displays = {c.code: c.display for c in code_set("conditions")["muscle-contracture"].codings}
    assert displays["728.85"] == "CONTRATTURA MUSCOLARE"
    assert not [text for text in everything_shipped() if "spasm" in text]


def test_the_achilles_tendon_is_ours_and_beside_it_the_ankle():
    assert [coding[:2] for coding in code_set("sites")["achilles-tendon"].codings] == [
        (LOCAL, "achilles-tendon"),
        (SCT, "70258002"),
    ]


def test_no_code_outside_the_global_patient_set_is_shipped(verified):
    shipped = {row["value"] for _, row in all_lines() if row["system"] == "sct"}
    assert shipped.isdisjoint(FORBIDDEN_SCT)
    for code in shipped:
        assert "snomed-intl-gps" in verified[SCT, code]["source"]


def test_no_service_of_the_catalogue_passes_for_mesotherapy():
    """83.98 excludes 99.25-99.29.9, and 99.29.9 is botulinum toxin."""
    shipped = {row["value"] for _, row in all_lines() if row["system"] in ("cnp", "icd9")}
    assert shipped.isdisjoint({"83.98", "99.29", "99.29.9", "99.21"})


# --- issues -------------------------------------------------------------------------------------------------


def test_every_contraindication_has_an_issue_code(verified):
    issues = issue_codes()
    assert list(issues) == [row["code"] for row in lines("issues")]
    assert set(issues) == set(code_set("contraindications"))
    assert {(terminology.ACT_CODE, code) for code in issues.values()} <= set(verified)
    assert issues["drug-allergy"] == "ALGY"
    assert issues["pregnancy"] == "PREG"
    assert issues["breastfeeding"] == "LACT"
    assert issues["anticoagulant"] == "DACT"
    assert issues["skin-infection"] == "COND"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("code,value\nwart,COND\n", "issues.csv, line 2: unknown contraindication"),
        ("code,value\npregnancy,PREG\npregnancy,COND\n", "issues.csv, line 3: 'pregnancy' occurs twice"),
        ("code,value\npregnancy,PREGNANT\n", "issues.csv, line 2: unknown issue code"),
        ("code,value\npregnancy,PREG\n", "issues.csv: no issue code for .*drug-allergy"),
        ("token,value\n", "issues.csv, line 1: the heading"),
    ],
)
def test_a_broken_table_of_issues_is_refused(text, where):
    with pytest.raises(MesofhirError, match=where):
        read_issue_codes(text, code_set("contraindications"))


# --- broken tables ------------------------------------------------------------------------------------------

KNEE = "knee,Ginocchio,Knee,sct,72696002,Knee region structure,equivalent,GPS"


def table(*rows: str) -> CodeSet:
    return read_code_set("t", "\n".join([HEADING, *rows]) + "\n")


def test_a_good_table_is_read():
    read = table(
        KNEE, "knee,,,icd9,1,,broader,x", "hock,Garretto,Hock,local,hock,Hock,equivalent,local CodeSystem"
    )
    assert list(read) == ["knee", "hock"]
    assert read.token_of(SCT, "72696002") == "knee"
    assert read.token_of(ICD9, "1") is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "t.csv: the table is empty"),
        (
            [KNEE, "hip,Anca,Hip,sct,72696002,,equivalent,GPS"],
            "line 3: 72696002 is already equivalent to 'knee'",
        ),
        ([KNEE, "knee,,,sct,72696002,,related,GPS"], "line 3: 72696002 stands here twice"),
        (
            [KNEE, "hip,Anca,Hip,sct,29836001,,equivalent,GPS", "knee,,,icd9,1,,broader,x"],
            "line 4: the lines of 'knee' are not together",
        ),
        (
            [KNEE, "knee,Ginocchio,Knee,icd9,1,,broader,x"],
            "line 3: labels of 'knee' belong on its first line",
        ),
        ([KNEE.replace("sct", "snomed")], "line 2: unknown system 'snomed'"),
        ([KNEE, "knee,,,icd9,1,,narrower,x"], "line 3: unknown relation 'narrower'"),
        ([KNEE.replace("equivalent", "broader")], "line 2: the first coding of 'knee' must be equivalent"),
        ([KNEE.replace("Ginocchio", "")], "line 2: 'knee' lacks a label"),
        ([KNEE.replace(",Knee,", ",,")], "line 2: 'knee' lacks a label"),
        ([KNEE.replace("knee", "Left Knee")], "line 2: the token 'Left Knee' is not in kebab-case"),
        ([KNEE.replace("72696002", "")], "line 2: no value"),
        ([KNEE.replace("GPS", "")], "line 2: no source"),
        ([KNEE.replace("72696002", " 72696002")], "line 2: blanks around a cell"),
        ([KNEE + ",surplus"], "line 2: 9 cells, expected 8"),
        ([KNEE, ""], "line 3: 0 cells, expected 8"),
        ([KNEE.replace("Ginocchio", '"Ginocchio')], "line 2: unexpected end of data"),
        (["hock,Garretto,Hock,local,hok,Hock,equivalent,x"], "line 2: a local coding is the token"),
        (["hock,Garretto,Hock,local,hock,Garretto,equivalent,x"], "line 2: a local coding is the token"),
        ([KNEE, "knee,,,local,knee,Knee,related,x"], "line 3: a local coding is the token"),
    ],
)
def test_a_broken_table_is_refused_with_file_and_line(rows, message):
    with pytest.raises(MesofhirError, match=message) as error:
        table(*rows)
    assert str(error.value).startswith("t.csv")
    assert error.value.exit_code == 1


def test_a_wrong_heading_is_refused():
    with pytest.raises(MesofhirError, match=r"t\.csv, line 1: the heading must be code,it,en"):
        read_code_set("t", KNEE)


def test_unknown_names_are_refused():
    with pytest.raises(KeyError):
        code_set("sitez")
    with pytest.raises(KeyError):
        code_set("issues")
    with pytest.raises(KeyError):
        code_set("../terminology/sites")
    with pytest.raises(KeyError):
        code_set("sites")["knees"]
    with pytest.raises(KeyError):
        code_set("sites").label("knee", "de")
    assert "knees" not in code_set("sites")
    assert "knee" in code_set("sites")


def test_a_table_is_read_once_and_cannot_be_changed():
    assert code_set("sites") is code_set("sites")
    with pytest.raises(TypeError):
        code_set("sites")["knee"].labels["it"] = "x"  # type: ignore[index]
    with pytest.raises(TypeError):
        issue_codes()["pregnancy"] = "COND"  # type: ignore[index]
