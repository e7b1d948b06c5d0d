"""Who is compared, each as the scripts that put it in force in a guest. Pure.

Every run begins and ends with `RESET`, so that contestants find the same guest: no kdamond (DAMON_STAT off, too), no
NUMA balancing, no demotion by reclaim, and room for huge pages: to look at as much memory in small ones takes an
emulated kdamond several times as long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
POLICY = ROOT / "deploy/samples/demo.yaml"
"""The default policy without its limits on CPU time, which emulation would use up; the recipes have none either."""
DAMON_TIER = ROOT / "tests/golden/damon/damon-tier.recipe.stores"
POLICY_IN_GUEST = "/run/bench-policy.yaml"
AGENT = "PYTHONPATH=/terrace/libraries:/terrace/agent:/terrace/api python3 -m terrace_agent"
DAMO = "PYTHONPATH=/terrace/damo python3 -c 'import damo.damo; damo.damo.main()'"
KDAMONDS = "/sys/kernel/mm/damon/admin/kdamonds"

RESET = f"""
if [ -e /run/bench.pid ]; then
    kill -TERM $(cat /run/bench.pid)
    while [ -e /proc/$(cat /run/bench.pid) ]; do sleep 0.2; done
    rm /run/bench.pid
    {AGENT} stop
fi
cd {KDAMONDS} 2>/dev/null && {{
    for state in [0-9]*/state; do [ ! -e $state ] || echo off > $state; done
    echo 0 > nr_kdamonds
}}
stat=/sys/module/damon_stat/parameters/enabled
[ ! -e $stat ] || echo N > $stat
echo 0 > /proc/sys/kernel/numa_balancing
limit=/proc/sys/kernel/numa_balancing_promote_rate_limit_MBps
[ ! -e $limit ] || echo 65536 > $limit
echo false > /sys/kernel/mm/numa/demotion_enabled
echo 3 > /proc/sys/vm/drop_caches
echo 1 > /proc/sys/vm/compact_memory
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """One of those who are compared.

    Attributes:
        title: what it is, for the page.
        start: a script that returns once it is in force; empty for doing nothing.
        since: a script that, right after it, prints since when it is in force, by the guest's monotonic clock.
        policy: what `POLICY_IN_GUEST` is to hold; empty for those that are not Terrace.
        compared: whether Terrace is measured against it; nothing and the oracle are the ends of the scale, and what is
            limited is there for Terrace's own engine `numa_balancing`.
    """

    title: str
    start: str = ""
    since: str = "cut -d' ' -f1 /proc/uptime"
    policy: str = ""
    compared: bool = True


def _terrace(title: str, engine: str) -> Contestant:
    """Returns Terrace with one of its engines: the agent as a person starts it, in a session of its own."""
    policy = yaml.safe_load(POLICY.read_text(encoding="utf-8"))
    policy["spec"]["engine"] = engine
    run = f"{AGENT} run --file {POLICY_IN_GUEST} > /run/bench.log 2>&1 < /dev/null"
    start = f"""
rm -f /run/bench.log
(setsid env {run} & echo $! > /run/bench.pid)
for i in $(seq 600); do
    ! grep -qs '"step": "publish"' /run/bench.log || break
    sleep 0.1
done
grep -q '"step": "apply"' /run/bench.log || {{ grep Ready= /run/bench.log; exit 1; }}
"""
    since = r"""sed -n 's/.*"step": "apply".*"monotonic_s": \([0-9.]*\).*/\1/p' /run/bench.log | head -1"""
    return Contestant(title=title, start=start, since=since, policy=yaml.safe_dump(policy))


def damon_tier(stores: str) -> str:
    """Returns the script that makes the stores of DAMON_TIER, as its tree in tests/golden holds them.

    In its favour, two things are not as the module has them: the region is all memory, as the module's helper finds it
    since 7.2 (before: the biggest resource, normally one NUMA node, so that one direction cannot act), and the
    watermarks are open (it would not start while more than 20 % of all memory is free, and stop below 5 %).

    Args:
        stores: lines of a path below `KDAMONDS` and a value. Files that a kernel does not have are passed over.
    """
    region_end = "0/contexts/0/targets/0/regions/0/end"
    lines = []
    for line in stores.splitlines():
        path, value = line.split()
        if path.endswith("watermarks/metric"):
            value = "none"
        lines.append(f"put {path} {'$end' if path == region_end else value}")
    made = "\n".join(lines)
    return f"""
set -e
cd {KDAMONDS}
end=$(cd /sys/devices/system/memory; echo $((0x$(cat block_size_bytes) * ($(ls -d memory[0-9]* | wc -l)))))
put() {{ [ ! -e $1 ] || echo $2 > $1; }}
{made}
echo on > 0/state
"""


MEM_TIER = f"""
set -e
{DAMO} module stat write enabled N
{DAMO} start \
  --numa_node 0 --monitoring_intervals_goal 4% 3 5ms 10s \
    --damos_action migrate_cold 1 --damos_access_rate 0% 0% \
    --damos_apply_interval 1s --damos_quota_interval 1s --damos_quota_space 200MB \
    --damos_quota_goal node_mem_free_bp 0.5% 0 --damos_filter reject young \
  --numa_node 1 --monitoring_intervals_goal 4% 3 5ms 10s \
    --damos_action migrate_hot 0 --damos_access_rate 5% max \
    --damos_apply_interval 1s --damos_quota_interval 1s --damos_quota_space 200MB \
    --damos_quota_goal node_mem_used_bp 99.7% 0 --damos_filter allow young \
  --damos_nr_quota_goals 1 1 --damos_nr_filters 1 1 --nr_targets 1 1 --nr_schemes 1 1 --nr_ctxs 1 1
"""
"""What damo's scripts/mem_tier.sh runs (damonitor/damo, 3.4.3); the package on PyPI holds damo without its scripts."""

BARE = """
set -e
echo true > /sys/kernel/mm/numa/demotion_enabled
echo 2 > /proc/sys/kernel/numa_balancing
"""
LIMITED = f"""{BARE}
echo 100 > /proc/sys/kernel/numa_balancing_promote_rate_limit_MBps
"""
"""With the limit that Terrace's default quota comes to, on nodes that bear it."""


CONTESTANTS: Mapping[str, Contestant] = {
    "terrace": _terrace("Terrace, engine `damon`", "DAMON"),
    "terrace-numa": _terrace("Terrace, engine `numa_balancing`", "NUMABalancing"),
    "terrace-move": _terrace("Terrace, engine `move_pages`", "MovePages"),
    "numa": Contestant(title="the kernel's `numa_balancing` 2 with `demotion_enabled`", start=BARE),
    "numa-limited": Contestant(
        title="the kernel's `numa_balancing` 2 with `demotion_enabled`, limited to 100 MiB/s as Terrace is",
        start=LIMITED,
        compared=False,
    ),
    "damon-tier": Contestant(title="DAMON_TIER's schemes", start=damon_tier(DAMON_TIER.read_text(encoding="utf-8"))),
    "mem-tier": Contestant(title="damo's `mem_tier.sh`", start=MEM_TIER),
    "oracle": Contestant(title="oracle", start="pkill -USR2 -o -x heat", compared=False),
    "nothing": Contestant(title="nothing", compared=False),
}
