"""Inside the agent's container on a real node: what it may write is what the chart mounts for it, and `helm test`."""

import json
import re

import pytest

from story.stage import NAMESPACE, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.matrix]

# Tries to make a file in every directory, and to open every file for writing; stores nothing into any.
TRY = r"""
import json, os, stat

found = set()
SKIPPED = ("/proc",)

def try_file(path):
    try:
        if stat.S_ISREG(os.lstat(path).st_mode):
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW))
            found.add(path)
    except OSError:
        pass

def try_folder(folder):
    try:
        probe = os.path.join(folder, "terrace-probe")
        os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.unlink(probe)
        found.add(folder + "/")
    except OSError:
        pass

for top, skipped in (("/", SKIPPED), ("/proc/sys", ()), ("/proc/irq", ()), ("/proc/bus", ()), ("/proc/fs", ())):
    for folder, folders, files in os.walk(top):
        folders[:] = [one for one in folders if os.path.join(folder, one) not in skipped]
        try_folder(folder)
        for name in files:
            try_file(os.path.join(folder, name))
for name in ("sysrq-trigger", "kcore", "kmsg", "timer_list", "kpageflags", "mtrr"):
    try_file("/proc/" + name)
try:
    os.mknod("/dev/terrace-probe", stat.S_IFBLK | 0o600, os.makedev(254, 0))
    found.add("a device")
except OSError:
    pass
print(json.dumps(sorted(found)))
"""
MOUNTED = ("/host/sys/kernel/mm/", "/host/sys/module/", "/host/run/terrace/")
"""What the chart mounts for it to write."""
EVERY_CONTAINERS = ("/dev/", "/dev/mqueue/", "/dev/shm/", "/dev/termination-log", "/etc/hosts")
"""What kubelet and runtime give each container to write: memory of its own, and two files of its own pod."""


def exec_in_agent(tiered: Stage, program: str) -> str:
    where = ("exec", "-n", NAMESPACE, "-i", "daemonset/terrace-agent", "--", "python3", "-")
    return tiered.cluster.kubectl(*where, stdin=program, limit_s=300).stdout


@pytest.fixture(scope="module")
def written(tiered: Stage) -> list[str]:
    found: list[str] = json.loads(exec_in_agent(tiered, TRY))
    return found


def test_it_can_write_nowhere_outside_its_host_paths(written: list[str]) -> None:
    outside = [path for path in written if not path.startswith(MOUNTED)]
    assert [path for path in outside if path not in EVERY_CONTAINERS] == []


def test_it_can_write_what_it_is_there_for(written: list[str]) -> None:
    wanted = (
        "/host/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds",
        "/host/sys/kernel/mm/numa/demotion_enabled",
        "/host/sys/module/damon_stat/parameters/enabled",
        "/host/run/terrace/",
    )
    assert set(wanted) <= set(written)


def test_what_it_may_look_at_it_cannot_write(tiered: Stage, written: list[str]) -> None:
    looked_at = ("/host/sys/fs/cgroup/", "/host/sys/devices/system/node/", "/host/sys/devices/virtual/")
    assert [path for path in written if path.startswith(looked_at)] == []


def test_helms_test_passes_on_a_node(tiered: Stage) -> None:
    done = tiered.cluster.helm("test", "terrace", "--namespace", NAMESPACE, "--timeout=3m", limit_s=200)
    assert "Phase:" in done.stdout
    assert "Succeeded" in done.stdout
    said = (done.stdout + done.stderr).replace("\\n", "\n")  # helm quotes what a hook's pod says, in its log
    assert re.findall(r"\b(ok|FAIL)  ", said) == ["ok"] * 4, said
