"""The host's files as the agent sees them, with the privileged stores handed to the sidecar. After: `server`."""

import errno
import json
import socket
from pathlib import Path

from terrace_agent.errors import HostFileMissing, StoreRefused
from terrace_agent.hostfs import MountedHostFs
from terrace_agent.numa_balancing.allowed import is_privileged

LIMIT_S = 20.0
"""An order to reclaim is worked off before the answer comes."""


class RelayedHostFs(MountedHostFs):
    """See `HostFs`; without the sidecar's socket all stores are made here, and the kernel says what it thinks."""

    def __init__(self, root: Path, socket_path: Path) -> None:
        super().__init__(root)
        self._socket_path = socket_path

    def store(self, path: str, value: str) -> None:
        """See `HostFs.store`; a sidecar that does not answer is a store that was refused."""
        if not is_privileged(path) or not self._socket_path.exists():
            super().store(path, value)
            return
        number = self._relayed(path, value)
        if number == errno.ENOENT:
            raise HostFileMissing(path=path, errno=number)
        if number:
            raise StoreRefused(path=path, value=value, errno=number)

    def _relayed(self, path: str, value: str) -> int:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(LIMIT_S)
                connection.connect(str(self._socket_path))
                connection.sendall(json.dumps({"path": path, "value": value}).encode() + b"\n")
                answer = connection.makefile("rb").readline()
            return int(json.loads(answer)["errno"])
        except TimeoutError:
            return errno.ETIMEDOUT
        except FileNotFoundError:
            # The socket, not the file.
            return errno.ECONNREFUSED
        except OSError as error:
            return error.errno or errno.EIO
        except (ValueError, KeyError):
            return errno.EPROTO
