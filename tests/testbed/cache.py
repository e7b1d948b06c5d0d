"""A directory outside the tree that keeps what is expensive to make, each under a key of its inputs.

An entry is made in a directory of its own and appears under its final name by one rename, so an
interrupted build leaves nothing half-made. A lock per entry keeps two builders from doing the same work.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed import progress

KEEP = 10
"""How many entries of a name stay, unless its maker says otherwise."""
STILL_IN_USE_S = 3600
"""What was asked for so recently stays in any case."""


def root() -> Path:
    """The cache's directory: `$TERRACE_CACHE`, else `$XDG_CACHE_HOME/terrace`, else `~/.cache/terrace`."""
    if own := os.environ.get("TERRACE_CACHE"):
        return Path(own).resolve()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg).resolve() / "terrace"
    return Path.home() / ".cache" / "terrace"


def key(*inputs: str | bytes | Path) -> str:
    """A short digest of texts and of the contents (names and mode bits too) of files and directories."""
    digest = hashlib.sha256()
    for one in inputs:
        for piece in _pieces(one):
            digest.update(len(piece).to_bytes(8, "little"))
            digest.update(piece)
    return digest.hexdigest()[:16]


def entry(name: str, entry_key: str, build: Callable[[Path], None], *, keep: int = KEEP) -> Path:
    """The directory `<root>/<name>/<key>`; `build` fills it first if it does not exist yet.

    Args:
        name: of what is made.
        entry_key: of what it is made from.
        build: gets an empty directory, which is not yet at its final place.
        keep: how many entries of this name stay when this one is new: those that were used last.
    """
    final = root() / name / entry_key
    if not final.exists():
        with _lock(f"{name}-{entry_key}"):
            if not final.exists():
                _build_and_publish(final, build)
                _forget(final.parent, keep)
    os.utime(final)
    return final


def _build_and_publish(final: Path, build: Callable[[Path], None]) -> None:
    partial = final.with_name(f"{final.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        build(partial)
        partial.rename(final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _forget(directory: Path, keep: int) -> None:
    entries = [entry for entry in directory.iterdir() if not entry.name.endswith(".partial")]
    last_used_first = sorted(entries, key=lambda entry: entry.stat().st_mtime, reverse=True)
    for old in last_used_first[keep:]:
        if old.stat().st_mtime < time.time() - STILL_IN_USE_S:
            progress.say(f"removing {old}, which was not used for long")
            shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _lock(name: str) -> Iterator[None]:
    directory = root() / "locks"
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / name.replace("/", "-")).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say(f"waiting for another process that makes {name}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _pieces(one: str | bytes | Path) -> Iterator[bytes]:
    if isinstance(one, str):
        yield one.encode()
    elif isinstance(one, bytes):
        yield one
    elif one.is_dir():
        for path in sorted(one.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield str(path.relative_to(one)).encode()
                yield from _pieces(path)
    else:
        yield oct(one.stat().st_mode & 0o111).encode()
        yield hashlib.sha256(one.read_bytes()).digest()
