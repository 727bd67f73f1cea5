"""Sync: histories to and from a server."""

from mesofhir.sync.increment import Increment
from mesofhir.sync.ledger import Ledger
from mesofhir.sync.pull import PatientNotFound, iter_pull
from mesofhir.sync.push import Options, iter_push, push
from mesofhir.sync.remembered import Remembered
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
