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


ENDED = "tests/e2e/test_a.py::test_one[a b]\n"


@pytest.fixture
def ended(tmp_path: Path) -> str:
    """The setting of a file with the tests whose guests ended."""
    (tmp_path / "ended.txt").write_text(ENDED)
    return f"ENDED={tmp_path}/ended.txt"


def test_tests_whose_guests_ended_are_tried_once_more_and_named_at_the_end(programs: Programs, ended: str) -> None:
    programs.add("pytest", 10, 0)
    done = programs.make("guests-e2e", ended)
    assert done.returncode == 0
    assert programs.calls("pytest")[1].endswith(f" @{programs.directory}/ended.txt.first")
    assert done.stdout.endswith(f"in artifacts/:\n{ENDED}")
    assert "PASSED ONLY AT THE SECOND TRY" in done.stdout


def test_tests_whose_guests_end_twice_are_red(programs: Programs, ended: str) -> None:
    programs.add("pytest", 10, 10)
    done = programs.make("guests-e2e", ended)
    assert done.returncode != 0
    assert not any(line.startswith("guests-e2e: PASSED") for line in done.stdout.splitlines())
    assert len(programs.calls("pytest")) == 2


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 137, 143])
def test_a_run_in_guests_that_failed_by_anything_else_is_red_at_once(programs: Programs, ended: str, code: int) -> None:
    programs.add("pytest", code, 0)
    assert programs.make("guests-e2e", ended).returncode != 0
    assert len(programs.calls("pytest")) == 1


def test_kernels_and_nodes_are_tried_side_by_side_and_each_counts(programs: Programs) -> None:
    programs.add("pytest", 0, 1)
    assert programs.make("test-guests").returncode != 0
    calls = sorted(programs.calls("pytest"))
    assert ["e2e and not matrix" in calls[0], "kernel and not matrix" in calls[1]] == [True, True]
    assert ["artifacts/guests-e2e-ended.txt" in calls[0], "artifacts/guests-kernel-ended.txt" in calls[1]] == [
        True,
        True,
    ]


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


def needs(what: str, *, available_mib: int, cache: Path) -> subprocess.CompletedProcess[str]:
    """Runs the check on a machine with so much memory."""
    meminfo = cache / "meminfo"
    meminfo.write_text(f"MemTotal: 99999999 kB\nMemAvailable: {available_mib * 1024} kB\n")
    return subprocess.run(
        ["bash", "tests/testbed/needs.sh", what],
        cwd=ROOT, env={**os.environ, "MEMINFO": str(meminfo), "TERRACE_CACHE": str(cache / "c")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_too_little_memory_is_said_before_anything_starts(tmp_path: Path) -> None:
    done = needs("test", available_mib=2560, cache=tmp_path)
    assert done.returncode != 0
    assert "make test: needs 6 GiB of free memory, and there are only 2.5" in done.stderr


def test_too_little_disk_is_said_with_where_it_is_needed(
    tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "df").write_text("#!/bin/sh\necho Avail; echo 5120\n")
    (tmp_path / "df").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    done = needs("demo", available_mib=9000, cache=tmp_path)
    assert done.returncode != 0
    assert f"make demo: needs 15 GiB of disk, and there are only 5.0 in {tmp_path}" in done.stderr
    (tmp_path / "c/controlplane").mkdir(parents=True)
    assert needs("demo", available_mib=9000, cache=tmp_path).returncode == 0


@pytest.mark.parametrize("what", ["test", "demo"])
def test_what_is_needed_is_said_first(programs: Programs, what: str) -> None:
    programs.directory.joinpath("bash").write_text("#!/bin/sh\necho $*; exit 1\n")
    programs.directory.joinpath("bash").chmod(0o755)
    programs.add("python")
    done = programs.make("SHELL=/bin/sh", what)
    assert done.stdout.splitlines()[0] == f"tests/testbed/needs.sh {what}"
    assert programs.calls("python") == []


def environment(directory: Path, made_for: str) -> str:
    """What make would do about an environment that was made for this."""
    (directory / "venv/bin").mkdir(parents=True)
    (directory / "venv/bin/python").write_text("#!/bin/sh\necho Python 3.99.1\n")
    (directory / "venv/bin/python").chmod(0o755)
    (directory / "venv/ready").write_text(f"{made_for}\n")
    words = ["make", "--dry-run", "--old-file=deploy/locks/dev.txt", "--old-file=pyproject.toml"]
    outer = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        [*words, f"VENV={directory}/venv", "venv"], cwd=ROOT, env=outer, capture_output=True, text=True, check=True
    ).stdout


def test_an_environment_of_this_place_and_python_is_kept(tmp_path: Path) -> None:
    assert "venv" not in environment(tmp_path, f"{ROOT} Python 3.99.1").replace("for 'venv'", "")


@pytest.mark.parametrize("made_for", [f"{ROOT} Python 3.99.0", "/elsewhere Python 3.99.1", ""])
def test_an_environment_of_another_place_or_python_is_made_anew(tmp_path: Path, made_for: str) -> None:
    assert "-m venv --clear" in environment(tmp_path, made_for)
