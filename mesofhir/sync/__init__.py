"""Sync: histories to and from a server."""

from mesofhir.sync.ledger.ledger import Ledger
from mesofhir.sync.pulling.increment import Increment
from mesofhir.sync.pulling.pull import PatientNotFound, iter_pull
from mesofhir.sync.pulling.remembered import Remembered
from mesofhir.sync.pushing.push import Options, iter_push, push
from mesofhir.sync.report import Remark, Result, Summary

__all__ = [
    "Increment",
    "Ledger",
    "Options",
    "PatientNotFound",
    "Remark",
    "Remembered",
    "Result",
    "Summary",
    "iter_pull",
    "iter_push",
    "push",
]
