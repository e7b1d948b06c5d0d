"""The commands of the pages that are not run on the testbed's API server: why, and what runs or checks them instead."""

import re
from dataclasses import dataclass
from pathlib import Path

from documents.commands import ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """A kind of commands that needs more than an API server.

    Attributes:
        command: a regular expression for all of the command.
        reason: what it needs.
        test: the file that holds it to the truth, or that does the same on real parts.
        says: words of that file that show it.
    """

    command: str
    reason: str
    test: str
    says: str

    @property
    def path(self) -> Path:
        """Where that file is."""
        return ROOT / self.test

    def covers(self, text: str) -> bool:
        """Whether the command is one of this kind."""
        return re.fullmatch(self.command, text) is not None


MAKE = "tests/documents/test_commands.py"
BY_HAND = "tests/contract/test_by_hand_on_kernel.py"
ELSEWHERE = (
    Elsewhere(
        command=r"make .*",
        reason="makes an environment of its own, guests or images; here `make -n` says that target and variables exist",
        test=MAKE,
        says="def test_make_knows_the_target_and_its_variables",
    ),
    Elsewhere(
        command=r"docker push .*",
        reason="a container engine, and a registry; here its images are those that `make images` names",
        test=MAKE,
        says="def test_what_is_pushed_is_what_was_built",
    ),
    Elsewhere(
        command=r"python3 -m venv .*|pip install .*|PATH=.*",
        reason="a package index; the same package with the same entry points is installed by `make venv`",
        test=MAKE,
        says="def test_what_is_installed_by_hand_has_the_programs_of_the_pages",
    ),
    Elsewhere(
        command=r"terrace-agent (probe|plan|run|stop).*",
        reason="root on a node: it changes the kernel that it runs on",
        test=BY_HAND,
        says='command(machine, "probe")',
    ),
    Elsewhere(
        command=r"kubectl debug node/.*",
        reason="a kubelet, and the agent's image; the clean-up names the same command",
        test="tests/unit/operator/test_cleanup.py",
        says="kubectl debug node/NAME -it --profile=sysadmin",
    ),
)
