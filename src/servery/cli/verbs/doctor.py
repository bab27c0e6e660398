"""Check that everything Servery needs is here, and that a model can be trained and asked."""

from __future__ import annotations

import sys

import servery
from servery.cli.options import AsJson
from servery.cli.output import print_json, print_table


def verb(json: AsJson = False) -> None:
    """Check that everything Servery needs is here, and that a model can be trained and asked."""
    findings = servery.diagnose()
    if json:
        print_json([finding.to_dict() for finding in findings])
    else:
        print_table(
            ["CHECK", "STATE", "WHAT WAS FOUND"],
            [[f.check, "ok" if f.is_ok else "FAILED", f.found] for f in findings],
        )
    if not all(finding.is_ok for finding in findings):
        sys.exit(1)
