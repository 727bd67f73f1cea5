"""The treatment history, as a clinic keeps it.

Everything else about a field is generated from here: the JSON Schema, the headings of CSV files, the
published mapping table. A struct with a ``key`` is a *record*: a row of a table, and one or more FHIR
resources. A struct without one is a *value* inside its record.

Every field has four states (architecture, rule 1):

==============  =======================  ================  ===============================================
 state           JSON                     CSV cell          what a push does
==============  =======================  ================  ===============================================
 stated          a value                  a value           writes it
 not stated      the property is absent   empty             leaves what the server has
 cleared         ``null`` (list: ``[]``)  ``\\N``            removes it; exists in input only
 unknown         named in ``unknown``     same              writes data-absent-reason ``unknown``
==============  =======================  ================  ===============================================

Dates are FHIR dates: partial where the clinic knows no more (``2026``, ``2026-03``, ``2026-03-04``), a time
always with its zone (``2026-03-04T10:30:00+01:00``). Numbers keep the digits they came with (``0.50``).
Facts and their numbers are those of the clinical model, §1.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType


def doc(
    description: str,
    *,
    codes: str = "",
    open: bool = False,
    to: str = "",
    needs: str = "",
    unit: str = "",
    must: bool = False,
    known: bool = False,
    most: int = 0,
    examples: list[Any] | None = None,
) -> Meta:
    """What a field means.

    :param codes: the code set (``terminology``) that its words come from
    :param open: may it also be ``system|code``, for a code that is in no table of ours?
    :param to: the table whose key it names
    :param needs: another field without which it says nothing
    :param unit: UCUM code
    :param must: it has to be stated, or else be named in ``unknown``
    :param known: it cannot be named in ``unknown``, since FHIR asks for a code there, or none at all
    :param most: the highest number that it may be
    """
    extra = {
        "codes": codes, "open": open, "to": to, "needs": needs, "unit": unit, "must": must, "known": known,
        "most": most,
    }  # fmt: skip
    return Meta(description=description, extra={k: v for k, v in extra.items() if v}, examples=examples)


# Python's `$` also stands before a newline at the end, so these end in `\Z`; a JSON Schema says `$` for it.
KEY_PATTERN = r"^[^\s,|$\\\x00-\x1f\x7f]([^,|$\\\x00-\x1f\x7f]{0,98}[^\s,|$\\\x00-\x1f\x7f])?\Z"
"""No ``, | $ \\`` or control characters, since they break conditional URLs (clinical model, decision 12)."""
TEXT_PATTERN = r"^(?=[\s\S]*\S)[^\x00-\x08\x0b\x0c\x0e-\x1f]*\Z"
"""Not blank, and of control characters only tab and newlines (R4, string)."""
CODE_PATTERN = r"^\S(.*\S)?\Z"
URI_PATTERN = r"^\S+\Z"
_YEAR, _MONTH, _DAY = r"[0-9]{4}", r"(0[1-9]|1[0-2])", r"(0[1-9]|[12][0-9]|3[01])"
DATE_PATTERN = rf"^{_YEAR}(-{_MONTH}(-{_DAY})?)?\Z"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
_ZONE = r"(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)"
TIME_PATTERN = rf"^{_YEAR}(-{_MONTH}(-{_DAY}(T{_CLOCK}{_ZONE})?)?)?\Z"

Key = Annotated[
    str,
    Meta(
        description="The clinic's own identifier of this record: unique in its table across the whole "
        "namespace, never made from a name, a date of birth or a codice fiscale; not `, | $ \\`.",
        pattern=KEY_PATTERN,
        max_length=100,
    ),
]
Words = Annotated[str, Meta(pattern=TEXT_PATTERN)]
Token = Annotated[str, Meta(pattern=CODE_PATTERN)]
Moment = Annotated[str, Meta(pattern=TIME_PATTERN)]
Text = Words | None | UnsetType
Code = Token | None | UnsetType
Ref = Key | None | UnsetType
Refs = list[Key] | UnsetType
Date = Annotated[str, Meta(pattern=DATE_PATTERN)] | None | UnsetType
Time = Moment | None | UnsetType
Number = Annotated[Decimal, Meta(extra_json_schema={"type": "number", "minimum": 0})]
Amount = Number | None | UnsetType
Positive = Annotated[int, Meta(ge=1, le=2_147_483_647)] | None | UnsetType
Count = Annotated[int, Meta(ge=0, le=2_147_483_647)] | None | UnsetType
YesNo = bool | None | UnsetType

SITE = doc("The region of the body (the painful or treated area).", codes="sites", open=True)
SITE_TEXT = doc("The area in the clinic's own words.")
SIDE = doc("Which side of the site.", codes="sides", needs="site")
NOTE = doc("A free note of the clinic.")
WITHDRAWN = doc("`entered-in-error` withdraws the record; left out, it stands as it is.")


class Value(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of a record, without a life of its own: what it does not state, it does not have."""


class Record(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A row of a table."""

    key: Key
    unknown: Annotated[
        list[str] | UnsetType, Meta(description="Names of fields of this record whose value is not known.")
    ] = UNSET


class Identifier(Value):
    """An identifier that somebody else gave (codice fiscale, hospital record number)."""

    system: Annotated[str, Meta(description="URI of the system that issued it.", pattern=URI_PATTERN)]
    value: Annotated[
        Words, Meta(description="The identifier itself. A codice fiscale is checked, also by its last character.")
    ]


class Practitioner(Record):
    """Somebody of the clinic who performs, records or plans. Belongs to the EHR: matched there, not made."""

    family: Annotated[Text, doc("Family name.")] = UNSET
    given: Annotated[list[Words] | UnsetType, doc("Given names, in order.")] = UNSET
    identifiers: Annotated[list[Identifier] | UnsetType, doc("By which the EHR knows the person.")] = UNSET
    profession: Annotated[Code, doc("Profession (fact 37).", codes="professions", open=True)] = UNSET
    profession_text: Annotated[Text, doc("The profession in the clinic's own words.")] = UNSET


class Condition(Record):
    """A diagnosis: the indication of a cycle, or a background that matters to it (facts 13 to 16)."""

    condition: Annotated[Code, doc("What it is.", codes="conditions", open=True)] = UNSET
    condition_text: Annotated[Text, doc("The diagnosis in the clinic's own words.")] = UNSET
    status: Annotated[
        Literal["active", "recurrence", "relapse", "inactive", "remission", "resolved", "entered-in-error"]
        | None
        | UnsetType,
        doc("Clinical status; `entered-in-error` withdraws the record."),
    ] = UNSET
    certainty: Annotated[
        Literal["unconfirmed", "provisional", "differential", "confirmed", "refuted"] | None | UnsetType,
        doc("How sure the diagnosis is.", known=True),
    ] = UNSET
    clinical_phase: Annotated[Code, doc("Acute or chronic (fact 5).", codes="clinical_phases")] = UNSET
    site: Annotated[Code, SITE] = UNSET
    site_text: Annotated[Text, SITE_TEXT] = UNSET
    side: Annotated[Code, SIDE] = UNSET
    onset: Annotated[Time, doc("When it began.")] = UNSET
    resolved: Annotated[Time, doc("When it ended; its status is then resolved, remission or inactive.")] = UNSET
    note: Annotated[Text, NOTE] = UNSET


class Reaction(Value):
    """What happened when the patient met the substance."""

    manifestation: Annotated[Token | UnsetType, doc("What was seen.", codes="reactions", open=True, must=True)] = UNSET
    manifestation_text: Annotated[Words | UnsetType, doc("The reaction in the clinic's own words.")] = UNSET
    severity: Annotated[Literal["mild", "moderate", "severe"] | UnsetType, doc("How severe it was.")] = UNSET
    onset: Annotated[Moment | UnsetType, doc("When it appeared.")] = UNSET


class Allergy(Record):
    """An allergy or intolerance to a drug (fact 21)."""

    status: Annotated[
        Literal["active", "inactive", "resolved", "entered-in-error"],
        doc("Clinical status; `entered-in-error` withdraws the record."),
    ]
    substance: Annotated[Code, doc("The drug or class of drugs.", codes="substances", open=True)] = UNSET
    substance_text: Annotated[Text, doc("The substance in the clinic's own words.")] = UNSET
    certainty: Annotated[
        Literal["unconfirmed", "confirmed", "refuted"] | None | UnsetType, doc("How sure it is.", known=True)
    ] = UNSET
    kind: Annotated[Literal["allergy", "intolerance"] | None | UnsetType, doc("Mechanism.", known=True)] = UNSET
    criticality: Annotated[
        Literal["low", "high", "unable-to-assess"] | None | UnsetType,
        doc("Low stands for a relative, high for an absolute contraindication.", known=True),
    ] = UNSET
    onset: Annotated[Time, doc("When it first appeared.")] = UNSET
    recorded: Annotated[Time, doc("When it was recorded.")] = UNSET
    recorder: Annotated[Ref, doc("Who recorded it.", to="practitioners")] = UNSET
    reactions: Annotated[list[Reaction] | UnsetType, doc("Known reactions.")] = UNSET
    note: Annotated[Text, NOTE] = UNSET


class Exclusion(Record):
    """Asked or examined, and none found: a statement of its own, never the absence of one (fact 25)."""

    kind: Annotated[
        Literal[
            "any-allergy",
            "drug-allergy",
            "pregnancy",
            "breastfeeding",
            "skin-not-intact",
            "open-wound",
            "skin-infection",
            "dermatitis",
            "contact-dermatitis",
            "eczema",
            "coagulation-disorder",
            "thrombocytopenia",
            "anticoagulant",
            "uncompensated-systemic-disease",
        ],
        doc("What was asked about and not found."),
    ]
    status: Annotated[Literal["entered-in-error"] | None | UnsetType, WITHDRAWN] = UNSET
    asked: Annotated[Time, doc("When it was asked or examined.")] = UNSET
    recorder: Annotated[Ref, doc("Who asked.", to="practitioners")] = UNSET
    note: Annotated[Text, NOTE] = UNSET


class Finding(Record):
    """A contraindication that was found (facts 19 to 24)."""

    kind: Annotated[
        Literal[
            "drug-allergy",
            "pregnancy",
            "breastfeeding",
            "skin-not-intact",
            "open-wound",
            "skin-infection",
            "dermatitis",
            "contact-dermatitis",
            "eczema",
            "coagulation-disorder",
            "thrombocytopenia",
            "anticoagulant",
            "uncompensated-systemic-disease",
        ],
        doc("What was found."),
    ]
    status: Annotated[Literal["entered-in-error"] | None | UnsetType, WITHDRAWN] = UNSET
    strength: Annotated[Code, doc("How strongly it stands against treatment.", codes="strengths", known=True)] = UNSET
    scope: Annotated[Code, doc("Against any drug, one substance, or one site.", codes="scopes")] = UNSET
    substance: Annotated[
        Code, doc("The drug it stands against (scope `substance`).", codes="substances", open=True)
    ] = UNSET
    substance_text: Annotated[Text, doc("That drug in the clinic's own words.")] = UNSET
    site: Annotated[Code, doc("The site it stands against.", codes="sites", open=True)] = UNSET
    site_text: Annotated[Text, SITE_TEXT] = UNSET
    side: Annotated[Code, SIDE] = UNSET
    finding_text: Annotated[
        Text, doc("The disease, lesion or state in the clinic's own words; not for a drug allergy.")
    ] = UNSET
    medicine: Annotated[Code, doc("The anticoagulant that is taken; only for it.", codes="substances", open=True)] = (
        UNSET
    )
    medicine_text: Annotated[Text, doc("That medicine in the clinic's own words.")] = UNSET
    controlled: Annotated[YesNo, doc("Is the condition or the therapy under control?")] = UNSET
    allergy: Annotated[Ref, doc("The allergy that it rests on; only for `drug-allergy`.", to="allergies")] = UNSET
    found: Annotated[Time, doc("When the finding was made.")] = UNSET
    since: Annotated[Time, doc("From when it held.")] = UNSET
    until: Annotated[Time, doc("Until when it held.")] = UNSET
    author: Annotated[Ref, doc("Who found it.", to="practitioners")] = UNSET
    cycle: Annotated[Ref, doc("The cycle that it stands against.", to="cycles")] = UNSET
    session: Annotated[Ref, doc("The session that it stands against.", to="sessions")] = UNSET
    mitigation: Annotated[Text, doc("What removed or eased it (the wound healed).")] = UNSET
    mitigated: Annotated[Time, doc("When that was.", needs="mitigation")] = UNSET
    detail: Annotated[Text, doc("A description for people.")] = UNSET


class Medicine(Record):
    """A medicine that the patient takes as usual (fact 33)."""

    status: Annotated[
        Literal["active", "completed", "stopped", "on-hold", "intended", "entered-in-error"],
        doc("Whether it is being taken; `entered-in-error` withdraws the record."),
    ]
    medicine: Annotated[Code, doc("Which one.", codes="substances", open=True, must=True)] = UNSET
    medicine_text: Annotated[Text, doc("The medicine in the clinic's own words.")] = UNSET
    since: Annotated[Time, doc("From when.")] = UNSET
    until: Annotated[Time, doc("Until when.")] = UNSET
    dose: Annotated[Text, doc("How it is taken, in words.")] = UNSET
    note: Annotated[Text, NOTE] = UNSET


class Consent(Record):
    """The informed consent to treatment."""

    status: Annotated[
        Literal["active", "rejected", "inactive", "entered-in-error"],
        doc("In force, refused, or no longer in force (revoked or expired)."),
    ]
    decision: Annotated[Literal["permit", "deny"] | None | UnsetType, doc("What the patient decided.", known=True)] = (
        UNSET
    )
    signed: Annotated[Time, doc("When it was given or refused.")] = UNSET
    recorder: Annotated[Ref, doc("Who obtained it.", to="practitioners")] = UNSET


class Drug(Value):
    """One drug of a mixture (fact 12)."""

    substance: Annotated[Token | UnsetType, doc("Which one.", codes="substances", open=True, must=True)] = UNSET
    substance_text: Annotated[Words | UnsetType, doc("The drug in the clinic's own words.")] = UNSET
    active: Annotated[bool | UnsetType, doc("Does it act, or only dilute?")] = UNSET
    amount: Annotated[
        Number | UnsetType,
        doc("How much of it the whole mixture holds.", needs="amount_unit"),
    ] = UNSET
    amount_unit: Annotated[
        Literal["mg", "g", "ug", "mL", "mmol", "[iU]", "%"] | UnsetType,
        doc("UCUM unit of the amount.", needs="amount"),
    ] = UNSET
    volume: Annotated[Number | UnsetType, doc("Volume that it brings.", unit="mL")] = UNSET
    lot: Annotated[Words | UnsetType, doc("Lot number of the ampoule.")] = UNSET


class Mixture(Record):
    """What was injected in a session, or spread before it (a topical anaesthetic) (facts 8, 12, 27)."""

    route: Annotated[Literal["intradermal", "subcutaneous", "topical"], doc("How it was given.")]
    status: Annotated[
        Literal["stopped", "entered-in-error"] | None | UnsetType,
        doc("Left out, it was given; `stopped`: only a part; `entered-in-error` withdraws the record."),
    ] = UNSET
    name: Annotated[Text, doc("What the clinic calls the mixture.")] = UNSET
    drugs: Annotated[list[Drug] | UnsetType, doc("What it was made of.")] = UNSET
    prepared: Annotated[Amount, doc("Volume that was prepared.", unit="mL")] = UNSET
    volume: Annotated[Amount, doc("Volume that was given.", unit="mL", must=True)] = UNSET
    lot: Annotated[Text, doc("Lot number of the mixture.")] = UNSET
    expires: Annotated[Time, doc("When the lot expires.")] = UNSET
    note: Annotated[Text, NOTE] = UNSET


class Effect(Record):
    """Something that the session caused: a weal within minutes, a bruise, an infection weeks later
    (facts 29 to 31)."""

    effect: Annotated[Code, doc("What it was.", codes="reactions", open=True)] = UNSET
    effect_text: Annotated[Text, doc("The effect in the clinic's own words.")] = UNSET
    status: Annotated[Literal["entered-in-error"] | None | UnsetType, WITHDRAWN] = UNSET
    onset: Annotated[Time, doc("When it appeared.")] = UNSET
    duration: Annotated[Amount, doc("How long it lasted.", needs="duration_unit")] = UNSET
    duration_unit: Annotated[
        Literal["min", "h", "d", "wk"] | None | UnsetType, doc("UCUM unit of the duration.", needs="duration")
    ] = UNSET
    severity: Annotated[Literal["mild", "moderate", "severe"] | None | UnsetType, doc("How severe.")] = UNSET
    note: Annotated[Text, NOTE] = UNSET


class Session(Record):
    """One appointment of a cycle: planned, moved, done, or not done and why (facts 6 to 9, 17, 27, 37)."""

    status: Annotated[
        Literal["planned", "running", "done", "stopped", "not-done", "entered-in-error"],
        doc("What became of it; `entered-in-error` withdraws the record."),
    ]
    reason: Annotated[Code, doc("Why it was stopped or not done.", codes="status_reasons", open=True)] = UNSET
    reason_text: Annotated[Text, doc("That reason in the clinic's own words.")] = UNSET
    number: Annotated[Positive, doc("Its number in the cycle, from 1.")] = UNSET
    planned_start: Annotated[Time, doc("For when it is or was booked.")] = UNSET
    planned_end: Annotated[Time, doc("Until when it is or was booked.")] = UNSET
    moved_from: Annotated[
        list[Moment] | UnsetType,
        doc("Earlier dates for which it was booked, before it was moved."),
    ] = UNSET
    start: Annotated[Time, doc("When it began.")] = UNSET
    end: Annotated[Time, doc("When it ended.")] = UNSET
    site: Annotated[Code, SITE] = UNSET
    site_text: Annotated[Text, SITE_TEXT] = UNSET
    side: Annotated[Code, SIDE] = UNSET
    technique: Annotated[Code, doc("How the injections were made.", codes="techniques", open=True)] = UNSET
    technique_text: Annotated[Text, doc("The technique in the clinic's own words.")] = UNSET
    needle_length: Annotated[Amount, doc("Length of the needle.", unit="mm")] = UNSET
    needle_gauge: Annotated[Positive, doc("Gauge of the needle (27 for 27 G).")] = UNSET
    depth: Annotated[Amount, doc("Depth of the injections.", unit="mm")] = UNSET
    points: Annotated[Positive, doc("Number of injections.")] = UNSET
    performer: Annotated[Ref, doc("Who performs it.", to="practitioners")] = UNSET
    place: Annotated[Text, doc("Where, in words.")] = UNSET
    follow_up: Annotated[Text, doc("What is to be done afterwards, in words.")] = UNSET
    note: Annotated[Text, NOTE] = UNSET
    mixtures: Annotated[list[Mixture], doc("What was given.")] = []
    effects: Annotated[list[Effect], doc("What it caused, also weeks later.")] = []


class Score(Record):
    """A pain score (facts 34, 35; clinical model §4.2)."""

    scale: Annotated[Literal["nrs", "vas"], doc("Numeric rating scale 0–10, or visual analogue scale.")]
    value: Annotated[
        Number | None | UnsetType,
        doc("The score, from 0 to 10.", unit="{score}", must=True, most=10),
    ] = UNSET
    status: Annotated[Literal["entered-in-error"] | None | UnsetType, WITHDRAWN] = UNSET
    taken: Annotated[Time, doc("When it was taken.")] = UNSET
    point: Annotated[Code, doc("At which point of the treatment.", codes="assessment_points")] = UNSET
    session: Annotated[Ref, doc("The session that it belongs to.", to="sessions")] = UNSET
    note: Annotated[Text, NOTE] = UNSET


class Instruction(Record):
    """One instruction of the aftercare, or of the preparation (facts 26, 28, 32)."""

    instruction: Annotated[Code, doc("What it is about.", codes="instructions", open=True)] = UNSET
    instruction_text: Annotated[Text, doc("A short name in the clinic's own words.")] = UNSET
    status: Annotated[
        Literal["completed", "revoked", "entered-in-error"] | None | UnsetType,
        doc("Left out, it is in force; `entered-in-error` withdraws the record."),
    ] = UNSET
    avoid: Annotated[YesNo, doc("True: not to be done.")] = UNSET
    window: Annotated[Literal["before", "after"] | None | UnsetType, doc("Before or after each session.")] = UNSET
    lasts: Annotated[Amount, doc("For how long before or after.", needs="lasts_unit")] = UNSET
    lasts_unit: Annotated[
        Literal["min", "h", "d", "wk"] | None | UnsetType, doc("UCUM unit of that time.", needs="lasts")
    ] = UNSET
    red_flag: Annotated[
        Code, doc("The sign on which to act (contact the physician).", codes="red_flags", open=True)
    ] = UNSET
    red_flag_text: Annotated[Text, doc("That sign in the clinic's own words.")] = UNSET
    text: Annotated[Text, doc("What the patient is told, in the language of the record.")] = UNSET
    translation: Annotated[Text, doc("The same in the other language (Italian or English).", known=True)] = UNSET


class Aftercare(Record):
    """The instructions around the sessions of a cycle; one for the cycle, or for one session."""

    status: Annotated[
        Literal["completed", "revoked", "entered-in-error"] | None | UnsetType,
        doc("Left out, it is in force; `entered-in-error` withdraws the record."),
    ] = UNSET
    session: Annotated[Ref, doc("The one session that it is for.", to="sessions")] = UNSET
    start: Annotated[Time, doc("From when it applies.")] = UNSET
    end: Annotated[Time, doc("Until when it applies.")] = UNSET
    author: Annotated[Ref, doc("Who gave it.", to="practitioners")] = UNSET
    note: Annotated[Text, NOTE] = UNSET
    instructions: Annotated[list[Instruction], doc("The instructions.")] = []


class Continuation(Record):
    """What is planned after the cycle: maintenance sessions, or the cycle again (facts 3, 4)."""

    phase: Annotated[Literal["maintenance", "repeat"], doc("Maintenance sessions, or a repeated cycle.")]
    status: Annotated[
        Literal["completed", "revoked", "on-hold", "entered-in-error"] | None | UnsetType,
        doc("Left out, it is planned; `entered-in-error` withdraws the record."),
    ] = UNSET
    sessions_min: Annotated[Positive, doc("Number of sessions, or the least of a range.")] = UNSET
    sessions_max: Annotated[Positive, doc("The most of that range.", needs="sessions_min")] = UNSET
    interval: Annotated[Amount, doc("One session every so many units.", needs="interval_unit", known=True)] = UNSET
    interval_max: Annotated[Amount, doc("The most of that range.", needs="interval", known=True)] = UNSET
    interval_unit: Annotated[
        Literal["d", "wk", "mo"] | None | UnsetType, doc("UCUM unit of the interval.", needs="interval")
    ] = UNSET
    start: Annotated[Time, doc("From when.")] = UNSET
    end: Annotated[Time, doc("Until when.")] = UNSET
    note: Annotated[Text, NOTE] = UNSET


class Therapy(Record):
    """A therapy combined with the cycle, or an alternative to it (facts 18, 36)."""

    role: Annotated[Literal["combined", "alternative"], doc("Beside the cycle, or instead of it.")]
    therapy: Annotated[Code, doc("Which one.", codes="therapies", open=True)] = UNSET
    therapy_text: Annotated[Text, doc("The therapy in the clinic's own words.")] = UNSET
    status: Annotated[
        Literal["completed", "revoked", "on-hold", "entered-in-error"] | None | UnsetType,
        doc("Left out, it is planned or proposed; `entered-in-error` withdraws the record."),
    ] = UNSET
    start: Annotated[Time, doc("From when.")] = UNSET
    end: Annotated[Time, doc("Until when.")] = UNSET
    note: Annotated[Text, NOTE] = UNSET


class Goal(Record):
    """What the cycle is to reach (facts 34, 35)."""

    status: Annotated[
        Literal[
            "proposed", "planned", "accepted", "active", "on-hold", "completed", "cancelled", "rejected",
            "entered-in-error",
        ],
        doc("Where it stands in its life; `entered-in-error` withdraws the record."),
    ]  # fmt: skip
    text: Annotated[Text, doc("The goal in words.", must=True)] = UNSET
    achievement: Annotated[
        Literal[
            "in-progress", "improving", "worsening", "no-change", "achieved", "sustaining", "not-achieved",
            "no-progress", "not-attainable",
        ]
        | None
        | UnsetType,
        doc("How far it was reached."),
    ] = UNSET  # fmt: skip
    start: Annotated[Date, doc("From when it is pursued.")] = UNSET
    target: Annotated[
        Number | None | UnsetType,
        doc("The pain score (NRS) to reach.", unit="{score}"),
    ] = UNSET
    due: Annotated[Date, doc("By when.", needs="target")] = UNSET
    note: Annotated[Text, NOTE] = UNSET


class Cycle(Record):
    """A cycle of sessions: its plan and what became of it (facts 1 to 11, 17, 18)."""

    status: Annotated[
        Literal["planned", "running", "on-hold", "stopped", "done", "not-done", "entered-in-error"],
        doc("Where it stands; `entered-in-error` withdraws the record."),
    ]
    reason: Annotated[Code, doc("Why it was stopped, held or not done.", codes="status_reasons", open=True)] = UNSET
    reason_text: Annotated[Text, doc("That reason in the clinic's own words.")] = UNSET
    protocol: Annotated[
        Code, doc("The protocol that it follows: a name of ours, or a canonical URL.", codes="protocols")
    ] = UNSET
    purpose: Annotated[Code, doc("Antalgic or aesthetic (fact 10).", codes="purposes")] = UNSET
    approach: Annotated[Code, doc("Allopathic or homeopathic (fact 11).", codes="approaches")] = UNSET
    phase: Annotated[Code, doc("Attack, maintenance or repeat (facts 3, 4).", codes="phases")] = UNSET
    indications: Annotated[Refs, doc("What it is given for.", to="conditions")] = UNSET
    background: Annotated[Refs, doc("Conditions that matter to it.", to="conditions")] = UNSET
    medicines: Annotated[Refs, doc("Usual medicines that matter to it.", to="medicines")] = UNSET
    consents: Annotated[Refs, doc("The consents that it rests on.", to="consents")] = UNSET
    site: Annotated[Code, SITE] = UNSET
    site_text: Annotated[Text, SITE_TEXT] = UNSET
    side: Annotated[Code, SIDE] = UNSET
    sessions_min: Annotated[Positive, doc("Planned number of sessions, or the least of a range.")] = UNSET
    sessions_max: Annotated[Positive, doc("The most of that range.", needs="sessions_min")] = UNSET
    interval: Annotated[
        Amount, doc("One session every so many units (1 wk: weekly).", needs="interval_unit", known=True)
    ] = UNSET
    interval_max: Annotated[Amount, doc("The most of that range.", needs="interval", known=True)] = UNSET
    interval_unit: Annotated[
        Literal["d", "wk", "mo"] | None | UnsetType, doc("UCUM unit of the interval.", needs="interval")
    ] = UNSET
    minutes_min: Annotated[Amount, doc("Planned length of a session, or the least.", unit="min", known=True)] = UNSET
    minutes_max: Annotated[Amount, doc("The most of that range.", unit="min", needs="minutes_min", known=True)] = UNSET
    sessions_done: Annotated[Count, doc("How many sessions were delivered, as the clinic counts.")] = UNSET
    start: Annotated[Time, doc("When it began, or is to begin.")] = UNSET
    end: Annotated[Time, doc("When it ended, or is to end.")] = UNSET
    physician: Annotated[Ref, doc("Who planned it.", to="practitioners")] = UNSET
    outcome: Annotated[Code, doc("What it came to.", codes="outcomes", open=True)] = UNSET
    outcome_text: Annotated[Text, doc("The outcome in the clinic's own words.")] = UNSET
    note: Annotated[Text, NOTE] = UNSET
    sessions: Annotated[list[Session], doc("Its sessions.")] = []
    scores: Annotated[list[Score], doc("Pain scores before, during and after.")] = []
    aftercares: Annotated[list[Aftercare], doc("Preparation and aftercare.")] = []
    continuations: Annotated[list[Continuation], doc("Maintenance and repetition.")] = []
    therapies: Annotated[list[Therapy], doc("Combined therapies and alternatives.")] = []
    goals: Annotated[list[Goal], doc("What it is to reach.")] = []


class TreatmentHistory(Record):
    """One patient's mesotherapy treatment history. The patient belongs to the EHR: matched, not made."""

    language: Annotated[
        Literal["it", "en"] | UnsetType, doc("The language of the record (default: Italian narrative).")
    ] = UNSET
    synthetic: Annotated[
        bool | UnsetType,
        Meta(
            description="True: invented data, of no real person. Left out otherwise.",
            extra_json_schema={"const": True},
        ),
    ] = UNSET
    family: Annotated[Text, doc("Family name.")] = UNSET
    given: Annotated[list[Words] | UnsetType, doc("Given names, in order.")] = UNSET
    birth_date: Annotated[Date, doc("Date of birth.")] = UNSET
    gender: Annotated[
        Literal["male", "female", "other", "unknown"] | None | UnsetType, doc("Administrative gender.", known=True)
    ] = UNSET
    identifiers: Annotated[
        list[Identifier] | UnsetType, doc("By which the EHR knows the patient (codice fiscale, MRN).")
    ] = UNSET
    practitioners: Annotated[list[Practitioner], doc("The people that this history names.")] = []
    conditions: Annotated[list[Condition], doc("Indications and background conditions.")] = []
    allergies: Annotated[list[Allergy], doc("Drug allergies and intolerances.")] = []
    exclusions: Annotated[list[Exclusion], doc("What was asked about and not found.")] = []
    findings: Annotated[list[Finding], doc("Contraindications that were found.")] = []
    medicines: Annotated[list[Medicine], doc("Usual medicines.")] = []
    consents: Annotated[list[Consent], doc("Informed consents.")] = []
    cycles: Annotated[list[Cycle], doc("Cycles of treatment.")] = []
