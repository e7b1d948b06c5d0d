"""Tells tests that failed because their guest ended from tests that failed: only the former are worth a second try.

Kernels that patch their own code panic now and then under emulation (`int3` in a static branch), which says nothing
about what is tested. A pytest plugin: a run in which every failure is of that kind ends with `GUESTS_ENDED`, and the
failed tests are in the file of `--guests-ended`, one a line, as pytest takes them (`pytest @FILE`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from testbed.errors import GuestError
from testbed.fixtures import running
from testbed.guest import Guest

GUESTS_ENDED = 10
"""Exit code; pytest's own end at 5."""
ENDED = "artifacts/guests-ended.txt"
"""The file, unless another is given."""
_FAILED = pytest.StashKey[dict[str, bool]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Lets runs that go on side by side have a file each."""
    parser.addoption("--guests-ended", default=ENDED, metavar="FILE", help="where to list tests whose guest ended")


def pytest_configure(config: pytest.Config) -> None:
    """Begins with nothing failed."""
    config.stash[_FAILED] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Notes which tests failed, and whether each time it was because a guest ended."""
    report = yield
    if report.failed:
        failed = item.config.stash[_FAILED]
        lost = any(isinstance(part, Guest) and part.lost for part in running(item.config))
        ended = lost or (call.excinfo is not None and guest_ended(call.excinfo.value))
        failed[item.nodeid] = failed.get(item.nodeid, True) and ended
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Ends with `GUESTS_ENDED` where nothing else failed."""
    failed = session.config.stash[_FAILED]
    listed = session.config.rootpath / session.config.getoption("--guests-ended")
    listed.unlink(missing_ok=True)
    if failed and all(failed.values()) and session.exitstatus == pytest.ExitCode.TESTS_FAILED:
        listed.parent.mkdir(parents=True, exist_ok=True)
        listed.write_text("".join(f"{nodeid}\n" for nodeid in failed))
        session.exitstatus = GUESTS_ENDED


def guest_ended(error: BaseException) -> bool:
    """Returns whether an error says that a guest ended, or that it is what another error came of."""
    return any(isinstance(one, GuestError) for one in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
