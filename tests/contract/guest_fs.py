"""A guest's files as a `HostFs`, so that what is written against the protocol runs against a real kernel."""

import errno
import os
from shlex import quote

from terrace_agent.errors import HostFileMissing, HostFileUnreadable, StoreRefused
from testbed.guest import Guest

_ERRNO_BY_TEXT = {os.strerror(number): number for number in errno.errorcode}


class GuestFs:
    """See `HostFs`; each call is one script in the guest."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest

    def read(self, path: str) -> str:
        result = self._guest.run(f"LC_ALL=C cat {quote(path)}", check=False)
        if result.returncode:
            number = _errno(result.stderr)
            kind = HostFileMissing if number == errno.ENOENT else HostFileUnreadable
            raise kind(path=path, errno=number)
        return result.stdout.rstrip()

    def store(self, path: str, value: str) -> None:
        script = f"test -e {quote(path)} || exit 99; LC_ALL=C; printf %s {quote(value)} > {quote(path)}"
        result = self._guest.run(script, check=False)
        if result.returncode == 99:
            raise HostFileMissing(path=path, errno=errno.ENOENT)
        if result.returncode:
            raise StoreRefused(path=path, value=value, errno=_errno(result.stderr))

    def names(self, path: str) -> tuple[str, ...]:
        return tuple(sorted(self._guest.run(f"ls {quote(path)} 2>/dev/null", check=False).stdout.split()))

    def exists(self, path: str) -> bool:
        return self._guest.run(f"test -e {quote(path)}", check=False).returncode == 0


def _errno(stderr: str) -> int:
    text = stderr.strip().rpartition(": ")[2]
    return _ERRNO_BY_TEXT[text]
