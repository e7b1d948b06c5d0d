"""Debian packages of other suites than the machine's own, without touching the machine's configuration.

The source lines are the machine's own with the suite replaced, so that its mirror, its snapshot and its
options are used.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from testbed import cache, progress
from testbed.errors import BedError
from testbed.processes import run

SOURCES = Path("/etc/apt")
FRESH_FOR_S = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where packages come from: what a source line says besides suite and components."""

    uri: str
    options: tuple[str, ...] = ()

    def line(self, suite: str) -> str:
        """The one-line form for a suite's main component."""
        options = f"[{' '.join(self.options)}] " if self.options else ""
        return f"deb {options}{self.uri} {suite} main"


def machine_source(directory: Path = SOURCES) -> Source:
    """The machine's source of Debian's main archive.

    Raises:
        BedError: there is none.
    """
    files = [directory / "sources.list", *sorted((directory / "sources.list.d").glob("*"))]
    for file in files:
        if file.is_file() and file.suffix in {".list", ".sources"}:
            parse = _deb822 if file.suffix == ".sources" else _one_line
            for source in map(_with_a_mirror, parse(file.read_text())):
                if _is_debian(source.uri):
                    return source
    raise BedError(
        f"no source of Debian's main archive in {directory}: add one there, as in `deb MIRROR/debian trixie main`"
    )


def _with_a_mirror(source: Source) -> Source:
    """The source with the first mirror of its list where it names a list (`mirror+file:`, see apt-transport-mirror(1)).

    Debian's cloud images do, and a list is a file of this machine: a root directory that is made here has none.
    """
    found = re.fullmatch(r"mirror\+file:(?://)?(/.*)", source.uri)
    if not found or not Path(found[1]).is_file():
        return source
    mirrors = re.findall(r"^[^#\s]\S*", Path(found[1]).read_text(), re.MULTILINE)
    return replace(source, uri=mirrors[0].rstrip("/")) if mirrors else source


def options() -> list[str]:
    """`Name "value"` settings for another apt: lenient on dates, and with the machine's proxies and limits."""
    dump = run(["apt-config", "dump"]).splitlines()
    acquire = [line.rstrip(";") for line in dump if re.match(r"Acquire::(https?|Retries)\b.* \".+\";", line)]
    return [*acquire, 'Acquire::Check-Valid-Until "false"', 'Acquire::Languages "none"', 'Acquire::Retries "3"']


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite's package lists, in a directory of the cache."""

    name: str

    def packages(self, pattern: str) -> list[str]:
        """The names of packages that a regular expression matches from their beginning to their end."""
        names = self._apt("apt-cache", "pkgnames").splitlines()
        return [name for name in names if re.fullmatch(pattern, name)]

    def dependencies(self, package: str) -> list[str]:
        """What a package depends on, directly."""
        answer = self._apt("apt-cache", "depends", "--no-recommends", "--no-suggests", package)
        return re.findall(r"Depends: (\S+)", answer)

    def download(self, packages: Sequence[str], directory: Path) -> list[Path]:
        """The packages' files, brought into a directory."""
        before = set(directory.glob("*.deb"))
        self._apt("apt-get", "download", *packages, cwd=directory)
        return sorted(set(directory.glob("*.deb")) - before)

    def _apt(self, program: str, *args: str, cwd: Path | None = None) -> str:
        return run([program, *_settings(self._lists()), *args], cwd=cwd)

    def _lists(self) -> Path:
        """The directory with the package lists, which are fetched once a day."""
        today = str(int(time.time() // FRESH_FOR_S))
        entry_key = cache.key(machine_source().line(self.name), today)
        return cache.entry(f"apt/{self.name}", entry_key, self._fetch_lists)

    def _fetch_lists(self, directory: Path) -> None:
        for name in ("lists/partial", "archives/partial"):
            (directory / name).mkdir(parents=True)
        (directory / "sources.list").write_text(machine_source().line(self.name) + "\n")
        with progress.step(f"fetching the package lists of {self.name}", usually="5 s"):
            run(["apt-get", *_settings(directory), "update"])


def _settings(directory: Path) -> list[str]:
    """Arguments that keep apt in a directory of ours."""
    places = {
        "Dir::Etc::sourcelist": directory / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": directory / "lists",
        "Dir::Cache": directory,
        "APT::Sandbox::User": "root",
    }
    return [word for name, value in places.items() for word in ("-o", f"{name}={value}")] + [
        word for setting in options() for word in ("-o", _assignment(setting))
    ]


def _assignment(setting: str) -> str:
    name, value = setting.split(" ", 1)
    return f"{name}=" + value.strip().strip('"')


def _is_debian(uri: str) -> bool:
    return re.search(r"/debian(/|$)", uri) is not None


def _one_line(text: str) -> Iterator[Source]:
    for found in re.finditer(r"^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s", text, re.MULTILINE):
        yield Source(uri=found[2].rstrip("/"), options=tuple((found[1] or "").split()))


def _deb822(text: str) -> Iterator[Source]:
    uncommented = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", uncommented):
        fields = {name.lower(): value.strip() for name, value in re.findall(r"^(\S+?):(.*)$", stanza, re.MULTILINE)}
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes") != "no":
            yield Source(uri=fields["uris"].split()[0].rstrip("/"), options=_deb822_options(fields))


def _deb822_options(fields: dict[str, str]) -> tuple[str, ...]:
    found = []
    if fields.get("signed-by", "").startswith("/"):
        found.append(f"signed-by={fields['signed-by']}")
    if fields.get("trusted") == "yes":
        found.append("trusted=yes")
    return tuple(found)
