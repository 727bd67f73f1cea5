"""The clinic's side: the model of a treatment history, its rows, and what makes one valid."""

from mesofhir.records.checks import Fault, faults
from mesofhir.records.model import TreatmentHistory
from mesofhir.records.rows import TABLES, Table, decode, flatten, nest, plain, sorted_by_key

__all__ = [
    "TABLES",
    "Fault",
    "Table",
    "TreatmentHistory",
    "decode",
    "faults",
    "flatten",
    "nest",
    "plain",
    "sorted_by_key",
]
