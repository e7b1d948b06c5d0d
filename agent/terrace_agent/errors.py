"""Errors of the agent.

    TerraceError (terrace_api.errors)
    ├── HostFileMissing          this kernel has no such file
    ├── HostFileUnreadable       the kernel refused or failed a read
    ├── StoreRefused             the kernel refused a store (file, value, errno)
    │   ├── PrivilegeLost        who could store a setting of NUMA balancing cannot any more
    │   ├── SchemesRefused       it could not build the schemes: one of their cgroups may have gone meanwhile
    │   └── StoreWithheld        the kernel was not asked, since another agent of this machine is its only writer
    ├── UnexpectedContent        the kernel said something this version of Terrace cannot read
    ├── SettingsRejected         the settings are wrong for this node (-> Accepted=False)
    ├── EngineUnavailable        this kernel or another user of it is in the way (-> EngineAvailable=False)
    │   └── EngineMustStop       and what runs of it would move what must not move
    ├── StateUnusable            the agent's own state directory is full, read-only or broken (-> Applied=False)
    ├── KdamondDied              a kdamond that was on is off before or after a command (-> Applied=False)
    ├── KdamondStays             a kdamond that was to end is on after `off` (-> Applied=False)
    ├── ApiUnavailable           the API server did not answer, or refused (the last configuration stays in force)
    └── AnotherAgentRuns         an agent of this machine holds the state directory

Raised with values; `conditions.py` has the one table from error to condition.
"""

import errno as errno_names
import os

from terrace_api.errors import TerraceError


class FileError(TerraceError):
    """A file could not be used, with the kernel's reason."""

    def __init__(self, *, path: str, errno: int) -> None:
        self.path = path
        self.errno = errno
        super().__init__(path, errno)

    def __str__(self) -> str:
        return f"{self.path}: {_spell(self.errno)}"


class HostFileError(FileError):
    """A host file could not be used."""


class HostFileMissing(HostFileError):
    """This kernel has no such file."""


class HostFileUnreadable(HostFileError):
    """The kernel refused or failed a read."""


class StateUnusable(FileError):
    """A file of the agent's own state directory could not be read or written; nothing was changed without it."""


class StoreRefused(HostFileError):
    """The kernel refused a store; earlier stores of the same change stand."""

    def __init__(self, *, path: str, value: str, errno: int) -> None:
        super().__init__(path=path, errno=errno)
        self.value = value

    def __str__(self) -> str:
        return f"storing {self.value!r} in {self.path}: {_spell(self.errno)}"


class PrivilegeLost(StoreRefused):
    """A setting that takes stores with CAP_SYS_ADMIN only was stored, and can be neither changed nor brought back."""


class SchemesRefused(StoreRefused):
    """The kernel could not build the schemes; nothing of them is in force. One of their cgroups may have gone."""


class StoreWithheld(StoreRefused):
    """Nothing was stored: another agent runs on this machine."""

    def __str__(self) -> str:
        return (
            f"another terrace-agent runs on this machine, so {self.value!r} was not stored in {self.path}; if it has "
            "just started, try again when it has probed this kernel"
        )


class UnexpectedContent(TerraceError):
    """A file of the kernel holds something that this version of Terrace cannot read."""

    def __init__(self, *, path: str, content: str) -> None:
        self.path = path
        self.content = content
        super().__init__(path, content)

    def __str__(self) -> str:
        return f"{self.path} holds {self.content[:80]!r}, which this version of Terrace cannot read"


class SettingsRejected(TerraceError):
    """The settings cannot be meant for this node; nothing was stored."""

    def __init__(self, *, reason: str, message: str) -> None:
        self.reason = reason
        self.message = message
        super().__init__(reason, message)

    def __str__(self) -> str:
        return self.message


class EngineUnavailable(TerraceError):
    """The engine cannot run here now; `message` says what would help."""

    def __init__(self, *, reason: str, message: str) -> None:
        self.reason = reason
        self.message = message
        super().__init__(reason, message)

    def __str__(self) -> str:
        return self.message


class EngineMustStop(EngineUnavailable):
    """The engine must not run here with these settings and pods, so what runs of it has to be stopped."""


class KdamondDied(TerraceError):
    """A kdamond that was on is off, before or after a command."""

    def __init__(self, *, index: int, command: str) -> None:
        self.index = index
        self.command = command
        super().__init__(index, command)

    def __str__(self) -> str:
        return f"kdamond {self.index} is off, so {self.command!r} is not in force"


class KdamondStays(TerraceError):
    """A kdamond is on after it was switched off."""

    def __init__(self, *, index: int) -> None:
        self.index = index
        super().__init__(index)

    def __str__(self) -> str:
        return f"kdamond {self.index} is on after 'off'"


class ApiUnavailable(TerraceError):
    """The API server did not answer, or refused; what is in force stays so."""

    def __init__(self, *, request: str, status: int, message: str) -> None:
        self.request = request
        self.status = status
        self.message = message
        super().__init__(request, status, message)

    def __str__(self) -> str:
        return f"{self.request}: {self.status or 'no answer'} {self.message}".rstrip()


class AnotherAgentRuns(TerraceError):
    """An agent of this machine holds the state directory."""

    def __init__(self, *, path: str, pid: str) -> None:
        self.path = path
        self.pid = pid
        super().__init__(path, pid)

    def __str__(self) -> str:
        holder = f"pid {self.pid} in its own container" if self.pid else "it"
        return f"another terrace-agent runs on this machine ({holder} holds {self.path})"


def _spell(errno: int) -> str:
    return f"{errno_names.errorcode.get(errno, errno)} ({os.strerror(errno)})"
