"""The agent's dependencies for a guest's Python, as `deploy/locks/agent.txt` locks them."""

import sys
from pathlib import Path

from testbed import cache, progress
from testbed.guest import Guest
from testbed.processes import run

LOCK = Path(__file__).parents[2] / "deploy/locks/agent.txt"


def install(guest: Guest, path: str) -> None:
    """Puts them below a path of the guest, which has no network to get them by itself."""
    version = guest.run("""python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])'""").stdout.strip()
    guest.run(f"mkdir -p {path}")
    guest.copy_in(_downloaded(version), path)


def _downloaded(version: str) -> Path:
    entry_key = cache.key(Path(__file__), LOCK, version)
    return cache.entry("agent-libraries", entry_key, lambda into: _download(version, into))


def _download(version: str, into: Path) -> None:
    with progress.step(f"downloading the agent's dependencies for Python {version}", usually="15 s"):
        run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                *("--require-hashes", "--only-binary=:all:", "--python-version", version, "--target", into),
                *("--requirement", LOCK),
            ]
        )
