"""The command line: Click, a file per verb, thin over the library. The only room that prints or exits."""

from mesofhir.cli.verbs import main

__all__ = ["main"]
