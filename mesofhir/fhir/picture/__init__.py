"""Pictures: a resource declared by a literal of itself, read and written by the same declaration.

A picture is a FHIR literal with *holes*. ``put`` fills it from a row, over what the server already holds;
``get`` reads the row back and says which places it accounts for. The rules, each of which has a test of its
own in ``tests/unit/test_picture.py``:

======  ==================================================================================================
 P1     A field that the row does not state leaves what stands there. ``None`` (cleared) takes it away.
 P2     What the picture does not show is never touched.
 P3     A constant is written only beside a value that it describes, and verified on reading.
 P4     What already says the same stays as it is, to the letter: ``2.50`` over ``2.5``, an instant in
        another zone, a code with an additional coding.
 P5     An item of a list is found again by its constants. Several candidates: nothing is touched and the
        place is a *doubt*. A picture whose list items cannot be told apart is refused when it is made.
 P6     Values without a key (``Each``) are paired with theirs by content, never by position. Those that we made
        and that are no longer stated go, by the element id that we gave them; what an EHR added stays.
 P7     A ``Whole`` (a quantity) stands or falls as one: in a unit or with a comparator that the picture does
        not know it is neither read nor overwritten, but a doubt.
 P8     ``Start`` is a value to begin with: what stands afterwards is theirs.
 P9     A field said twice, differently, is a doubt; so is a place that cannot be read.
 P10    A value that the clinic does not know (``UNKNOWN``) is a data-absent-reason on the element; in place of
        the value of an extension where that is a primitive or has to be a code of a closed set, since a
        validator wants a code wherever one has to be.
 P11    Of the choices of one ``x[y]`` element only one stands: writing ours takes theirs away, reported.
======  ==================================================================================================

Rows are plain dicts that hold the stated fields only.
"""

from mesofhir.fhir.picture.core import (
    ABSENT_REASON,
    UNKNOWN,
    Codec,
    Mismatch,
    Node,
    Reading,
    Row,
    Writing,
    absent,
    known,
    not_known,
    picture,
    read,
)
from mesofhir.fhir.picture.holes import Absent, Along, Computed, Constant, Decoration, Echo, Field, Start
from mesofhir.fhir.picture.lists import Array, Each
from mesofhir.fhir.picture.objects import Always, Both, Object, Sole, Whole
from mesofhir.fhir.picture.report import changes, leaves, unaccounted

__all__ = [
    "ABSENT_REASON",
    "UNKNOWN",
    "Absent",
    "Along",
    "Always",
    "Array",
    "Both",
    "Codec",
    "Computed",
    "Constant",
    "Decoration",
    "Each",
    "Echo",
    "Field",
    "Mismatch",
    "Node",
    "Object",
    "Reading",
    "Row",
    "Sole",
    "Start",
    "Whole",
    "Writing",
    "absent",
    "changes",
    "known",
    "leaves",
    "not_known",
    "picture",
    "read",
    "unaccounted",
]
