"""Runs in a guest: every case on the guest's own kernel. Tells what went wrong in each, as JSON by the case's name."""

import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from contract.cases import CASES
from terrace_agent.hostfs import HostFs, MountedHostFs


def failure(case: Callable[[HostFs], None], fs: HostFs) -> str:
    """Returns the traceback of a case that failed, nothing of one that holds."""
    try:
        case(fs)
    except Exception:
        return traceback.format_exc()
    return ""


if __name__ == "__main__":
    host = MountedHostFs(Path("/"))
    json.dump({case.__name__: failure(case, host) for case in CASES}, sys.stdout)
