"""Processes of `testbed/workload/hotcold.c` in a guest, and where their pages are."""

from story.placement import ARRIVED, Sample, sample
from testbed import waiting
from testbed.guest import Guest


def start(guest: Guest, name: str, *, cgroup: str = "", **options: int) -> None:
    """Starts one and returns once its pages are where they are to be; options as in `--hot-mib`, with underscores."""
    words = " ".join(f"--{key.replace('_', '-')} {value}" for key, value in ({"interval_s": 1} | options).items())
    join = f"echo $BASHPID > /sys/fs/cgroup/{cgroup}/cgroup.procs; " if cgroup else ""
    guest.run(f"(setsid bash -c '{join}exec /opt/hotcold {words}' > {_log(name)} 2>&1 < /dev/null &)")
    guest.run(f"until grep -q touches {_log(name)}; do sleep 0.5; done", limit_s=180)


def samples(guest: Guest, name: str, *, nid: int = 0) -> list[Sample]:
    """Returns what it has told so far, with `nid` for the fast one."""
    lines = guest.read(_log(name)).splitlines()
    return [sample(line, fast_nid=nid) for line in lines if line.endswith("}")]


def now(guest: Guest, name: str, *, nid: int = 0) -> Sample:
    """Returns what it has told last."""
    return samples(guest, name, nid=nid)[-1]


def arrives(guest: Guest, name: str, *, limit_s: float = 120) -> None:
    """Waits until its hot set is on nid 0."""
    waiting.until(
        lambda: now(guest, name).hot_fast_ratio >= ARRIVED,
        f"the hot set of {name} on the fast nid",
        limit_s=limit_s,
        every_s=1,
        detail=lambda: guest.run("tail -qn 4 /run/*.log | cut -c1-300").stdout,
    )


def shares(told: list[Sample], since_s: float) -> list[tuple[float, float]]:
    """Returns the seconds since then and the share on the nid, of each look: for messages."""
    return [(round(one.monotonic_s - since_s, 1), round(one.hot_fast_ratio, 3)) for one in told]


def end_all(guest: Guest) -> None:
    """Ends all of them."""
    guest.run("pkill -KILL -x hotcold; while pgrep -x hotcold > /dev/null; do sleep 0.2; done")


def _log(name: str) -> str:
    return f"/run/hotcold-{name}.log"
