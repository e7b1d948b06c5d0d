"""Runs in a guest: finds its kernel's features, and runs every case that is for them. Tells as JSON what went wrong."""

import json
import sys
import traceback

from contract.cases import CASES, Case, Machine
from contract.features import features_of
from contract.guest_machine import GuestMachine


def failure(case: Case, fs: Machine) -> str:
    """Returns the traceback of a case that failed, nothing of one that holds."""
    try:
        case.check(fs)
    except Exception:
        return traceback.format_exc()
    return ""


if __name__ == "__main__":
    host = GuestMachine()
    found = features_of(host)
    failures = {case.name: failure(case, host) for case in CASES if case.is_for(found)}
    json.dump({"features": sorted(found), "failures": failures}, sys.stdout)
