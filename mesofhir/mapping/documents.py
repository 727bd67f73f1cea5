"""A summary of a cycle to be read, as a DocumentReference: for servers that take some of its resources in no other form
(interop.md, step 5). What stands in it: :mod:`mesofhir.mapping.summary`.

It repeats what the records state and adds nothing. No record is read from it again, so it is no shape of
:mod:`mesofhir.mapping.shapes`; it is only compared, so that an unchanged one is not sent twice.
"""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache
from typing import Any, Final

from mesofhir.fhir.picture import Codec, Computed, Field
from mesofhir.mapping.clinic import Clinic, Shape
from mesofhir.terminology import LOINC

KIND: Final = "DocumentReference"
TYPE: Final = {"system": LOINC, "code": "18776-5", "display": "Plan of care note"}
"""Read in R4's value set c80-doc-typecodes (terminology/sources/other.csv)."""
MEDIA: Final = "text/html; charset=utf-8"


def _encoded(text: Any, _: Any) -> str:
    return base64.b64encode(str(text).encode()).decode("ascii")


def _decoded(x: Any, _: Any) -> str:
    try:
        return base64.b64decode(x, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, TypeError):
        raise ValueError("not base64 of UTF-8 text") from None


@lru_cache(256)
def shape(c: Clinic, table: str) -> Shape:
    """The picture of the summary of a record of a table; the row holds it as ``document``, HTML."""
    title = Computed(lambda row, world: world.title(table, row["key"]), alone=True)
    attachment = {
        "contentType": MEDIA,
        "language": Computed(lambda row, world: world.language, alone=True),
        "data": Field("document", Codec(_encoded, _decoded)),
    }
    content = [{"attachment": attachment}]
    parts = {"status": "current", "type": {"coding": [TYPE]}, "description": title, "content": content}
    return c.shape(table, KIND, parts)
