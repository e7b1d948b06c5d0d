"""The images that are built here can be looked at anywhere."""

import tarfile

import pytest

from testbed import apt
from testbed.images import base_root

pytestmark = pytest.mark.cluster


def test_the_base_image_names_neither_the_mirror_nor_the_proxies_of_this_machine() -> None:
    with tarfile.open(base_root() / "base.tar") as root:
        files = {
            member.name: root.extractfile(member).read()  # type: ignore[union-attr]
            for member in root
            if member.isfile() and member.name.startswith(("./etc/", "./root/"))
        }
    assert "./etc/debian_version" in files
    unwanted = [word.encode() for word in (apt.machine_source().uri, "Acquire::http")]
    assert [name for name, content in files.items() if any(word in content for word in unwanted)] == []
