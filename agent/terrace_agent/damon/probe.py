"""Finds a kernel's features, by looking at files and trying keywords.

Most files exist below a scheme only, so a probe stages one scheme that never runs and takes it away again. That is
possible while nobody has kdamonds only; else the files of the existing tree have to do.

Before: the table in `features`. After: `engine` journals what was found: it does not change within a boot.
"""

import errno
from collections.abc import Iterator

from terrace_agent.damon.features import CONTEXT, PROBES, SCHEME, TABLE, Feature, Missing, Row
from terrace_agent.damon.patience import Patience
from terrace_agent.damon.stores import ADMIN, KDAMONDS, NR_KDAMONDS, kdamond_path
from terrace_agent.errors import HostFileMissing, StoreRefused
from terrace_agent.hostfs import HostFs
from terrace_agent.steps import Store

_NO_SYSFS = Missing(
    reason="NoDamonSysfs",
    message=(
        f"This kernel has no DAMON sysfs interface: {ADMIN} is missing (CONFIG_DAMON_SYSFS is off, as in Debian 12's "
        "own 6.1 and in Ubuntu, Bottlerocket, Talos, Flatcar and COS kernels). A kernel of 6.11 or later with it "
        "helps, for example Debian 13's or one of trixie-backports."
    ),
)
_DIRECTORIES = (
    Store(path=f"{kdamond_path(0)}/contexts/nr_contexts", value="1"),
    Store(path=f"{PROBES}/nr_probes", value="1"),
    Store(path=f"{CONTEXT}/schemes/nr_schemes", value="1"),
    Store(path=f"{SCHEME}/quotas/goals/nr_goals", value="1"),
    Store(path=f"{SCHEME}/filters/nr_filters", value="1"),
)


def missing_interface(fs: HostFs) -> Missing | None:
    """Returns why there is no DAMON to ask at all; None if there is."""
    return None if fs.exists(KDAMONDS) else _NO_SYSFS


def scratch_stores() -> tuple[Store, ...]:
    """Returns what `Prober.stage` may leave behind if it is killed: one of everything that has files of its own."""
    return (*_DIRECTORIES, *(store for row in TABLE for store in row.keywords))


class Prober:
    """The only part that stores anything without a plan."""

    def __init__(self, fs: HostFs, patience: Patience) -> None:
        self._fs = fs
        self._patience = patience

    def stage(self) -> frozenset[Feature]:
        """Returns the features as a staged scheme of our own shows them; `nr_kdamonds` is 0 afterwards.

        The caller has made sure that nobody else's kdamond is in the tree, and has journaled `scratch_stores()`.
        """
        try:
            self._patience.store(self._fs, NR_KDAMONDS, "1")
            for store in _DIRECTORIES:
                self._accepts(store)
            refused = {row.feature for row in TABLE if not all(self._accepts(store) for store in row.keywords)}
            return frozenset(self._seen()) - refused
        finally:
            self._patience.store(self._fs, NR_KDAMONDS, "0")

    def look(self) -> frozenset[Feature]:
        """Returns the features as the first kdamond's tree shows them, whoever made it; stores nothing.

        What no file of that tree can show counts as missing.
        """
        return frozenset(self._seen())

    def _seen(self) -> Iterator[Feature]:
        return (row.feature for row in TABLE if self._shows(row))

    def _shows(self, row: Row) -> bool:
        if row.words is not None:
            path, word = row.words
            return word in self._text(path).split()
        lacks = row.without is not None and not self._fs.exists(row.without)
        return lacks or any(self._fs.exists(path) for path in row.files)

    def _text(self, path: str) -> str:
        try:
            return self._patience.read(self._fs, path)
        except HostFileMissing:
            return ""

    def _accepts(self, store: Store) -> bool:
        try:
            self._patience.store(self._fs, store.path, store.value)
        except HostFileMissing:
            return False
        except StoreRefused as error:
            if error.errno == errno.EINVAL:
                return False
            raise
        return True
