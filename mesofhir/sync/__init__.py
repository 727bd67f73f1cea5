"""Sync: histories to and from a server."""

from mesofhir.sync.pull import PatientNotFound, iter_pull
from mesofhir.sync.push import Options, iter_push, push
from mesofhir.sync.report import Remark, Result, Summary

__all__ = ["Options", "PatientNotFound", "Remark", "Result", "Summary", "iter_pull", "iter_push", "push"]
