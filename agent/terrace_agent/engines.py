"""The engines of this agent, in the order of preference. The one place that knows them all."""

from pathlib import Path

from terrace_agent.damon.engine import DamonEngine
from terrace_agent.damon.process_monitor import ProcessMonitor
from terrace_agent.engine import Engine
from terrace_agent.hostfs import HostFs
from terrace_agent.journal import Journal
from terrace_agent.journal_file import FileJournal
from terrace_agent.move_pages.engine import MovePagesEngine
from terrace_agent.numa_balancing.engine import NumaBalancingEngine
from terrace_agent.onlooker import OnlookerHost, OnlookerJournal

DAMON, NUMA_BALANCING, MOVE_PAGES = "journal.json", "numa_balancing.json", "move_pages.json"
DAMON_PROCESSES = "damon_processes.json"
JOURNALS = (DAMON, NUMA_BALANCING, MOVE_PAGES, DAMON_PROCESSES)
"""Their files in the state directory."""

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def make_engines(host: HostFs, state_dir: Path, *, onlooker: bool = False) -> tuple[Engine, ...]:
    """Returns the engines, with their journals in `state_dir`, which is made if it is missing.

    Who does not hold the state directory's lock makes them with `onlooker`: they store and journal nothing.

    Raises:
        HostFileUnreadable: the boot id cannot be read.
        OSError: the directory cannot be made.
    """
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    boot_id = read_boot_id(host)
    host = OnlookerHost(host) if onlooker else host

    def journal(name: str) -> Journal:
        found = FileJournal(state_dir, boot_id=boot_id, name=name)
        return OnlookerJournal(found) if onlooker else found

    monitor = ProcessMonitor(host, journal(DAMON_PROCESSES))
    return (
        DamonEngine(host, journal(DAMON), monitor=monitor),
        NumaBalancingEngine(host, journal(NUMA_BALANCING)),
        MovePagesEngine(host, journal(MOVE_PAGES), monitor=monitor),
    )


def read_boot_id(host: HostFs) -> str:
    """Returns the id of this boot; what is on disk from another one is void."""
    return host.read(_BOOT_ID)
