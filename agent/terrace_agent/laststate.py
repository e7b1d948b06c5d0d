"""What was last heard from the API server, on disk: it stays in force while the API server is away.

- `nodetiering.json`: the last good configuration and the last status, in the form of the NodeTiering itself. The spec
  is kept as it was received, so that an agent of a newer version finds the fields that an older one did not know. The
  loop saves it after a turn whose settings were accepted, and loads it once at its start.
- `pods.json`: this node's pods, of `workloads.roster`.

Keyed by boot id: a reboot undid whatever was in force, and gave every pod new cgroups.
"""

import json
import os
from pathlib import Path

from terrace_api.defaults import Json


class LastState:
    """One such file in the state directory."""

    def __init__(self, state_dir: Path, *, boot_id: str, name: str = "nodetiering.json") -> None:
        self._path = state_dir / name
        self._boot_id = boot_id

    def load(self) -> dict[str, Json] | None:
        """Returns what was saved in this boot; None if there is none, or it cannot be read."""
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            manifest: dict[str, Json] = content["manifest"]
            return manifest if content["boot_id"] == self._boot_id else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, manifest: dict[str, Json]) -> None:
        """Replaces the file by one rename; on return it is on disk.

        Raises:
            OSError: the directory is missing, read-only or full.
        """
        draft = self._path.with_suffix(".new")
        with draft.open("w", encoding="utf-8") as file:
            json.dump({"boot_id": self._boot_id, "manifest": manifest}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
