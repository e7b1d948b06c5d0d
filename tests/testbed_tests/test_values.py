"""The parts of the testbed that only make text and bytes."""

import json
import tarfile
from pathlib import Path

from testbed import newc
from testbed.archive import write_image
from testbed.newc import File
from testbed.topology import (
    ONE_NODE,
    TWO_NODES_WITHOUT_HMAT,
    TWO_SOCKETS,
    TWO_TIERS,
    TWO_ZONES,
    NumaNode,
    Topology,
    qemu_arguments,
)


def test_an_initrd_holds_directories_before_files_with_their_modes() -> None:
    entries = read_newc(newc.archive({"a/b/run": File(data=b"x" * 5, executable=True), "c": File(data=b"")}))
    assert entries == [
        ("a", 0o40755, b""),
        ("a/b", 0o40755, b""),
        ("a/b/run", 0o100755, b"xxxxx"),
        ("c", 0o100644, b""),
    ]


def read_newc(data: bytes) -> list[tuple[str, int, bytes]]:
    found: list[tuple[str, int, bytes]] = []
    position = 0
    while True:
        assert position % 4 == 0
        assert data[position : position + 6] == b"070701"
        fields = [int(data[position + 6 + 8 * i : position + 14 + 8 * i], 16) for i in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = data[position + 110 : position + 110 + name_size - 1].decode()
        start = -(-(position + 110 + name_size) // 4) * 4
        if name == "TRAILER!!!":
            return found
        found.append((name, mode, data[start : start + size]))
        position = -(-(start + size) // 4) * 4


def test_two_tiers_are_two_nodes_and_one_initiator() -> None:
    words = qemu_arguments(TWO_TIERS)
    assert words[:6] == ["-M", "q35,hmat=on", "-smp", "2", "-m", "2048M"]
    assert "node,nodeid=0,memdev=memory0,cpus=0-1,initiator=0" in words
    assert "node,nodeid=1,memdev=memory1,initiator=0" in words
    assert "dist,src=0,dst=1,val=20" in words


def test_without_hmat_nothing_says_how_fast_memory_is() -> None:
    for topology in (ONE_NODE, TWO_NODES_WITHOUT_HMAT):
        words = " ".join(qemu_arguments(topology))
        assert "hmat-lb" not in words
        assert "initiator" not in words


def test_two_sockets_have_their_own_cpus_and_slow_memory_has_the_nearest() -> None:
    fast, slow = NumaNode(mib=512, cpus=1), NumaNode(mib=256, latency_ns=400)
    words = qemu_arguments(Topology(nodes=(fast, slow, slow, fast)))
    assert "node,nodeid=3,memdev=memory3,cpus=1-1,initiator=3" in words
    assert "node,nodeid=2,memdev=memory2,initiator=3" in words


def test_with_distances_the_nearest_is_who_has_the_shortest() -> None:
    words = qemu_arguments(TWO_SOCKETS)
    assert "node,nodeid=2,memdev=memory2,initiator=0" in words
    assert "node,nodeid=3,memdev=memory3,initiator=1" in words
    assert {"dist,src=0,dst=2,val=14", "dist,src=0,dst=3,val=24"} <= set(words)


def test_memory_above_4_gib_is_a_matter_of_the_machine() -> None:
    assert qemu_arguments(TWO_ZONES)[1] == "q35,hmat=on,max-ram-below-4g=512M"


def test_an_image_is_one_layer_with_a_name_and_an_entrypoint(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"#!")
    write_image(tmp_path / "image.tar", "localhost/x:1", {"/bin/x": program}, entrypoint=("/bin/x",))
    with tarfile.open(tmp_path / "image.tar") as archive:
        [manifest] = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
        config = json.load(archive.extractfile(manifest["Config"]))  # type: ignore[arg-type]
        with tarfile.open(fileobj=archive.extractfile(manifest["Layers"][0])) as layer:
            members = [(member.name, member.mode) for member in layer]
    assert manifest["RepoTags"] == ["localhost/x:1"]
    assert config["config"]["Entrypoint"] == ["/bin/x"]
    assert members == [("bin/x", 0o755)]
