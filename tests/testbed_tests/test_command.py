"""A command says what went wrong, and leaves nothing behind however it is ended."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.command import load_hint
from testbed.errors import tail

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


@pytest.mark.parametrize(("load", "busy"), [(3.0, False), (4.0, False), (9.3, True)])
def test_a_busy_machine_is_named_as_what_may_be_the_reason(load: float, busy: bool) -> None:
    assert ("load 9.3 on 2 CPUs" in load_hint(load, 2)) is busy


def test_a_consoles_log_does_not_steer_the_readers_terminal(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_bytes(b"\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS\r\n\r\n\x1b[01;31mpanic\x1b[0m:\tint3\r\n")
    assert tail(log) == "SeaBIOS\npanic:\tint3"
