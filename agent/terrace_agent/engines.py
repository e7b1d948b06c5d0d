"""The engines of this agent, in the order of preference. The one place that knows them all."""

from pathlib import Path

from terrace_agent.damon.engine import DamonEngine
from terrace_agent.engine import Engine
from terrace_agent.hostfs import HostFs
from terrace_agent.journal import FileJournal
from terrace_agent.move_pages.engine import MovePagesEngine
from terrace_agent.numa_balancing.engine import NumaBalancingEngine
from terrace_api.node_tiering import QuotaControl

RELEASED = frozenset({QuotaControl.TEMPORAL})
"""How quotas may be steered here. `AgentLoop` is not released: on Debian's 6.12 the first window of a quota was seen to
bound nothing (kernel fact 41), so allowances, which are one window without an end, do not hold there."""

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def make_engines(host: HostFs, state_dir: Path) -> tuple[Engine, ...]:
    """Returns the engines, with their journals in `state_dir`, which is made if it is missing.

    Raises:
        HostFileUnreadable: the boot id cannot be read.
        OSError: the directory cannot be made.
    """
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    boot_id = read_boot_id(host)
    return (
        DamonEngine(host, FileJournal(state_dir, boot_id=boot_id), quota_controls=RELEASED),
        NumaBalancingEngine(host, FileJournal(state_dir, boot_id=boot_id, name="numa_balancing.json")),
        MovePagesEngine(host, FileJournal(state_dir, boot_id=boot_id, name="move_pages.json")),
    )


def read_boot_id(host: HostFs) -> str:
    """Returns the id of this boot; what is on disk from another one is void."""
    return host.read(_BOOT_ID)
