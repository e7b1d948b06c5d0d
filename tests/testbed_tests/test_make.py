"""What `make` makes of how its commands end."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Programs:
    """A directory with programs that note how they are called, and end as they were told to."""

    directory: Path

    def add(self, name: str, *returncodes: int) -> None:
        """Adds one; each of its calls ends with the next code."""
        script = f'#!/bin/sh\necho "$*" >> "{self.directory}/{name}.calls"\n'
        cases = "".join(f"{number}) exit {code};; " for number, code in enumerate(returncodes, 1))
        script += f'case $(wc -l < "{self.directory}/{name}.calls") in {cases}esac\necho called too often\nexit 99\n'
        program = self.directory / name
        program.write_text(script)
        program.chmod(0o755)

    def calls(self, name: str) -> list[str]:
        """The arguments of each call."""
        file = self.directory / f"{name}.calls"
        return file.read_text().splitlines() if file.exists() else []

    def make(self, *targets: str) -> subprocess.CompletedProcess[str]:
        """Runs make with these programs in the place of the environment's, and in front of the machine's."""
        built = ("--old-file=.venv/ready", "--old-file=packages")
        outer = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        path = f"{self.directory}:{os.environ['PATH']}"
        return subprocess.run(
            ["make", *built, f"BIN={self.directory}", *targets],
            cwd=ROOT, env={**outer, "PATH": path}, capture_output=True, text=True, check=False,
        )  # fmt: skip


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


def test_tests_in_guests_that_failed_are_tried_once_more(programs: Programs) -> None:
    programs.add("pytest", 1, 0)
    assert programs.make("test-guests").returncode == 0
    first, second = programs.calls("pytest")
    assert "--last-failed" not in first
    assert "--last-failed" in second


def test_tests_in_guests_that_fail_twice_are_red(programs: Programs) -> None:
    programs.add("pytest", 1, 1)
    assert programs.make("test-guests").returncode != 0
    assert len(programs.calls("pytest")) == 2


@pytest.mark.parametrize("code", [2, 3, 4, 5, 137, 143])
def test_a_run_in_guests_that_did_not_come_to_its_end_is_red(programs: Programs, code: int) -> None:
    programs.add("pytest", code, 0)
    assert programs.make("test-guests").returncode != 0
    assert len(programs.calls("pytest")) == 1


@pytest.mark.parametrize(
    "target", ["test", "test-kernels", "test-guests", "demo", "bench-latency", "bench-fleet", "cluster", "node"]
)
def test_what_needs_root_says_so_before_anything_else(programs: Programs, target: str) -> None:
    programs.directory.joinpath("id").write_text("#!/bin/sh\necho 1000\n")
    programs.directory.joinpath("id").chmod(0o755)
    for name in ("python", "pytest", "ruff"):
        programs.add(name)
    done = programs.make(target)
    assert done.returncode != 0
    assert f"make {target} must run as root" in done.stderr
    assert [programs.calls(name) for name in ("python", "pytest", "ruff")] == [[], [], []]
