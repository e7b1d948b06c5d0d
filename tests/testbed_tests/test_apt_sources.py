"""Where packages of other suites come from is derived from the machine's own sources."""

from pathlib import Path

import pytest

from testbed.apt import Source, machine_source
from testbed.errors import BedError

DEB822 = """\
Types: deb
# http://snapshot.test/archive/debian/20250520T000000Z
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main

Types: deb deb-src
URIs: http://mirror.test/debian/
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian.gpg
"""
ONE_LINE = """\
# deb http://commented.test/debian bookworm main
deb http://mirror.test/debian-security bookworm-security main
deb [trusted=yes arch=amd64] http://mirror.test/debian bookworm main contrib
"""


def sources(directory: Path, name: str, text: str) -> Path:
    file = directory / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return directory


def test_a_deb822_file_gives_the_main_archive_and_its_key(tmp_path: Path) -> None:
    found = machine_source(sources(tmp_path, "sources.list.d/debian.sources", DEB822))
    assert found == Source(uri="http://mirror.test/debian", options=("signed-by=/usr/share/keyrings/debian.gpg",))


def test_a_one_line_file_gives_the_main_archive_and_its_options(tmp_path: Path) -> None:
    found = machine_source(sources(tmp_path, "sources.list", ONE_LINE))
    assert found == Source(uri="http://mirror.test/debian", options=("trusted=yes", "arch=amd64"))


@pytest.mark.parametrize(
    "uri", ["https://snapshot.test/archive/debian/20261101T000000Z", "http://192.0.2.1:8080/mirror/debian"]
)
def test_snapshots_and_mirrors_are_kept(tmp_path: Path, uri: str) -> None:
    assert machine_source(sources(tmp_path, "sources.list", f"deb {uri} trixie main\n")).uri == uri


def test_a_list_of_mirrors_as_cloud_images_have_it_gives_its_first_mirror(tmp_path: Path) -> None:
    (tmp_path / "mirrors").mkdir()
    (tmp_path / "mirrors/security.list").write_text("https://mirror.test/debian-security\n")
    (tmp_path / "mirrors/debian.list").write_text(
        "# near\nhttps://mirror.test/debian/\tpriority:1\nhttps://b.test/debian\n"
    )
    text = DEB822.replace("http://mirror.test/debian-security", f"mirror+file://{tmp_path}/mirrors/security.list")
    text = text.replace("http://mirror.test/debian/", f"mirror+file://{tmp_path}/mirrors/debian.list")
    found = machine_source(sources(tmp_path, "sources.list.d/debian.sources", text))
    assert found == Source(uri="https://mirror.test/debian", options=("signed-by=/usr/share/keyrings/debian.gpg",))


def test_a_disabled_source_is_not_used(tmp_path: Path) -> None:
    text = DEB822.replace("URIs: http://mirror.test/debian/", "Enabled: no\nURIs: http://mirror.test/debian/")
    with pytest.raises(BedError, match="no source of Debian"):
        machine_source(sources(tmp_path, "sources.list.d/debian.sources", text))


def test_a_machine_without_a_source_of_debian_is_told_what_to_add(tmp_path: Path) -> None:
    text = "deb http://archive.test/ubuntu noble main\n"
    with pytest.raises(BedError, match="add one"):
        machine_source(sources(tmp_path, "sources.list", text))


def test_the_suite_is_replaced() -> None:
    source = Source(uri="http://mirror.test/debian", options=("trusted=yes",))
    assert source.line("sid") == "deb [trusted=yes] http://mirror.test/debian sid main"
