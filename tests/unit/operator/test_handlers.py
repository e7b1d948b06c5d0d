"""kopf inside a container: started as a bare uid that has no name."""

import asyncio
import getpass
import pwd
from collections.abc import Iterable
from itertools import islice

import pytest

from terrace_operator import handlers
from terrace_operator.cluster.connection import Credentials


def test_kopf_starts_as_a_uid_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_name(_: int) -> None:
        raise KeyError("uid not found")

    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", no_name)
    with pytest.raises((OSError, KeyError)):
        getpass.getuser()

    async def never() -> Credentials:
        await asyncio.Event().wait()
        raise AssertionError

    async def start() -> bool:
        started = asyncio.Event()
        watching = asyncio.create_task(handlers.watch_policies(lambda: None, never, started.set))
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait({watching, waiting}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            watching.result()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        return started.is_set()

    assert asyncio.run(start())


def test_kopf_never_gives_a_request_up() -> None:
    """Else its watcher would fail for good: https://github.com/nolar/kopf, `kopf/_cogs/clients/api.py`, `request`."""
    pauses = handlers._settings().networking.error_backoffs
    assert isinstance(pauses, Iterable)
    for _ in range(2):
        assert list(islice(pauses, 1000))[-1] == 5
