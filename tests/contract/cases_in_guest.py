"""Runs in a guest: finds its kernel's features, and runs every case that is for them. Tells as JSON what went wrong."""

import json
import sys
import traceback
from pathlib import Path

from contract.cases import CASES, Case
from contract.features import features_of
from terrace_agent.hostfs import HostFs, MountedHostFs


def failure(case: Case, fs: HostFs) -> str:
    """Returns the traceback of a case that failed, nothing of one that holds."""
    try:
        case.check(fs)
    except Exception:
        return traceback.format_exc()
    return ""


if __name__ == "__main__":
    host = MountedHostFs(Path("/"))
    found = features_of(host)
    failures = {case.name: failure(case, host) for case in CASES if case.is_for(found)}
    json.dump({"features": sorted(found), "failures": failures}, sys.stdout)
