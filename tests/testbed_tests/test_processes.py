"""Children end with what started them, and only they."""

import subprocess
import sys
from pathlib import Path

import pytest

from testbed import leftovers, processes, waiting
from testbed.errors import CommandError, WaitError
from testbed.processes import Daemon


def test_a_failed_command_says_what_it_printed() -> None:
    with pytest.raises(CommandError, match="ended with 3:\nout\nerr"):
        processes.run(["sh", "-c", "echo out; echo err >&2; exit 3"])


def test_a_command_that_takes_too_long_is_ended() -> None:
    with pytest.raises(WaitError, match="gave up waiting for sleep 60"):
        processes.run(["sleep", "60"], limit_s=0.1)


def test_a_daemon_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from testbed.processes import Daemon;"
        "d = Path(sys.argv[1]); print(Daemon.start('x', ['sleep', '60'], directory=d, log=d / 'log').pid)"
    )
    tests = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", program, tmp_path], cwd=tests, capture_output=True, check=True)
    pid = int(done.stdout)
    waiting.until(lambda: not Path(f"/proc/{pid}").exists(), "the daemon to end", limit_s=5)


def test_stop_all_ends_what_belongs_to_the_directory_and_nothing_else(tmp_path: Path) -> None:
    for name in ("own/part", "own-not"):
        (tmp_path / name).mkdir(parents=True)
    own = Daemon.start("own", ["sleep", "60"], directory=tmp_path / "own/part", log=tmp_path / "log", outlive=True)
    other = Daemon.start("other", ["sleep", "60"], directory=tmp_path / "own-not", log=tmp_path / "log")
    waiting.until(lambda: _runs_sleep(own.pid) and _runs_sleep(other.pid), "both to start", limit_s=5)
    count = leftovers.stop_all(tmp_path / "own", limit_s=5)
    assert (count, own.running(), other.running()) == (1, False, True)
    other.stop()


def test_a_daemon_that_ended_says_why(tmp_path: Path) -> None:
    daemon = Daemon.start("server", ["sh", "-c", "echo no port; exit 1"], directory=tmp_path, log=tmp_path / "log")
    waiting.until(lambda: not daemon.running(), "the daemon to end", limit_s=5)
    with pytest.raises(CommandError, match="no port"):
        daemon.expect_running()


def _runs_sleep(pid: int) -> bool:
    return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep")
