"""Runs commands of the pages as they stand there, with their placeholders filled in, on a real API server.

Before: `documents.commands`. What a node would do, `documents.standins` do.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from documents.commands import ROOT, Command
from testbed.cluster import Cluster

PROGRAMS = ("kubectl ", "helm ", "echo ", "source ", "terrace-operator ")
"""How the commands begin that are run: with what talks to an API server, or only to the shell."""
NEED_A_KUBELET = ("kubectl debug ",)
PLACEHOLDERS: Mapping[str, str] = {"NODE": "batch-1", "NAME": "batch-1", "policy.yaml": "tests/documents/policy.yaml"}
"""What a reader fills in, and what the tests do."""
NEWS = {"kubectl terrace doctor": (0, 1), "kubectl terrace diff": (0, 1)}
"""Commands whose exit status 1 is an answer: a problem, or a difference. This cluster's pods do not run."""
LIMIT_S = 330


def is_run(command: Command) -> bool:
    """Whether the command is run on the API server."""
    return command.text.startswith(PROGRAMS) and not command.text.startswith(NEED_A_KUBELET)


def run(cluster: Cluster, command: Command) -> str:
    """Runs a command in a shell in the root of the tree, and returns what it printed."""
    done = subprocess.run(
        ["bash", "-c", f"set -eo pipefail; {filled_in(command.text)}"],
        cwd=ROOT,
        env={**os.environ, **cluster.environment, "PATH": _path(cluster)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    said = f"{command.page}: {command.text}\n{done.stdout}{done.stderr}"
    allowed = next((codes for start, codes in NEWS.items() if command.text.startswith(start)), (0,))
    assert done.returncode in allowed, f"exit status {done.returncode} of {said}"
    assert "Traceback" not in done.stderr, said
    return done.stdout


def filled_in(text: str) -> str:
    """Returns the command with what a reader would have put for the placeholders."""
    for placeholder, value in PLACEHOLDERS.items():
        text = text.replace(placeholder, value)
    return text


def missing(command: Command, said: str) -> list[str]:
    """Returns the words of the page's output that are not in the real one, as far as they are the same on any cluster.

    Those are the columns of a table, and the first words of other lines if they are followed by two spaces.
    """
    stable: list[str] = []
    for line in command.output:
        columns = line.split()
        if line == line.upper() and columns:
            stable += columns
        elif line[:1].isupper() and "  " in line:
            stable.append(columns[0])
    return [word for word in stable if word not in said.split()]


def _path(cluster: Cluster) -> str:
    own = (cluster.layout.programs, Path(sys.executable).parent)
    return os.pathsep.join([*map(str, own), os.environ["PATH"]])
