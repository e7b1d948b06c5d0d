"""Runs a program of this package in the equipped guest."""

import json
from typing import Any

from testbed.guest import Guest

_PATH = "/terrace/agent:/terrace/api:/terrace/tests:/terrace/libraries"


def run(guest: Guest, program: str, *arguments: str, limit_s: float = 120) -> dict[str, Any]:
    """Returns the JSON object that the program prints.

    Raises:
        CommandError: it failed.
    """
    return dict(json.loads(_run(guest, program, *arguments, limit_s=limit_s, check=True)))


def run_until_it_dies(guest: Guest, program: str, *arguments: str) -> None:
    """Runs a program that is to end by SIGKILL."""
    _run(guest, program, *arguments, limit_s=120, check=False)


def _run(guest: Guest, program: str, *arguments: str, limit_s: float, check: bool) -> str:
    command = f"PYTHONPATH={_PATH} python3 /terrace/tests/contract/{program}.py {' '.join(arguments)}"
    return guest.run(command, limit_s=limit_s, check=check).stdout
