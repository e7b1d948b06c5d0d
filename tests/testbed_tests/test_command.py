"""A command says what went wrong, and leaves nothing behind however it is ended."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

BODY = """
import sys, tempfile, time
from testbed import command
from testbed.errors import BedError

def body():
    if sys.argv[2] == "fail":
        raise BedError("no such thing")
    with tempfile.TemporaryDirectory(dir=sys.argv[1]):
        print("begun", flush=True)
        time.sleep(60)
    return 0

sys.exit(command.run(body))
"""


def started(directory: Path, what: str) -> subprocess.Popen[str]:
    # A shell's background jobs ignore SIGINT, and so would their children.
    argv = ["env", "--default-signal=INT", sys.executable, "-c", BODY, str(directory), what]
    tests = Path(__file__).parents[1]
    return subprocess.Popen(argv, cwd=tests, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_removes_what_was_made(tmp_path: Path, signum: signal.Signals, code: int) -> None:
    with started(tmp_path, "sleep") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        assert len(list(tmp_path.iterdir())) == 1
        process.send_signal(signum)
        assert process.wait(20) == code
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_testbed_is_told_without_a_traceback(tmp_path: Path) -> None:
    with started(tmp_path, "fail") as process:
        _, told = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "failed: no such thing" in told
    assert "Traceback" not in told
