"""The clinic's side: the model of a treatment history, its rows, and what makes one valid."""

from mesofhir.records.checks import Fault, faults
from mesofhir.records.contradictions import Contradiction, Fact, Strengths, contradictions
from mesofhir.records.decoding import admissible, decode
from mesofhir.records.model import TreatmentHistory
from mesofhir.records.rows import flatten, nest, paths, plain, sorted_by_key
from mesofhir.records.tables import TABLES, Table

__all__ = [
    "TABLES",
    "Contradiction",
    "Fact",
    "Fault",
    "Strengths",
    "Table",
    "TreatmentHistory",
    "admissible",
    "contradictions",
    "decode",
    "faults",
    "flatten",
    "nest",
    "paths",
    "plain",
    "sorted_by_key",
]
