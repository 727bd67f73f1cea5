"""``python -m mesofhir.cli``: the command line without its script."""

from mesofhir.cli import main

if __name__ == "__main__":
    main(prog_name="mesofhir")
