"""Which files, keywords and behaviours each simulated kernel has: one profile per class of kernels.

Words of `has` are names of files or keywords as sysfs has them, where one release brought several the one that
Terrace looks for. Evidence: docs/kernel-facts.md, and the contract tests on those kernels that Debian has
(`testbed.kernels`); of 6.19 to 7.1 the sources.
"""

import errno
from dataclasses import dataclass

_6_12 = frozenset({"damon", "paddr", "migrate"})
_6_16 = _6_12 | {"allow", "ops_filters", "intervals_goal", "node_goals", "pgdemote_proactive"}
_6_17 = _6_16 | {"refresh_ms", "dests", "damon_stat"}
_6_18 = _6_17 | {"addr_unit"}
_6_19 = _6_18 | {"memcg_goals", "obsolete_target"}
_7_0 = _6_19 | {"nr_snapshots"}
_7_1 = _7_0 | {"temporal"}
_7_2 = _7_1 | {"fail_charge", "probes", "pause", "collapse"}
_7_3 = _7_2 | {"weight"}


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One class of kernels.

    Attributes:
        invalid_commit_kills: an invalid commit returns 0 and ends the kdamond.
        bad_nid_panics: a goal with a nid that does not exist panics when it runs.
        off_when_off: errno of `off` on a kdamond that was on before; None where it succeeds.
        late_command: errno of update commands on a kdamond that was on before.
        late_calls_stay: such a command stays in the list of the kdamond's calls though it was refused, so that the next
            one finds the list corrupted (`damon_call()`, seen on 6.17.13; 6.16.12 says EBUSY then).
        first_window_unbound: the first window of a quota, unless it has no length, is one without any quota
            (ce652aac9c90, until 6.18 computes the effective quota then).
        stays_on_target: DAMON's migration allocates on its target or nowhere (`__GFP_THISNODE`).
    """

    name: str
    has: frozenset[str]
    invalid_commit_kills: bool = False
    bad_nid_panics: bool = False
    off_when_off: int | None = errno.EPERM
    late_command: int = errno.ECANCELED
    late_calls_stay: bool = False
    first_window_unbound: bool = False
    stays_on_target: bool = False


NO_DAMON = Profile(name="no-damon", has=frozenset())
LINUX_6_12 = Profile(
    name="6.12",
    has=_6_12,
    invalid_commit_kills=True,
    late_command=errno.EINVAL,
    first_window_unbound=True,
    stays_on_target=True,
)
LINUX_6_16 = Profile(
    name="6.16",
    has=_6_16,
    bad_nid_panics=True,
    late_command=errno.EINVAL,
    first_window_unbound=True,
    stays_on_target=True,
)
LINUX_6_17 = Profile(
    name="6.17",
    has=_6_17,
    bad_nid_panics=True,
    late_command=errno.EINVAL,
    late_calls_stay=True,
    first_window_unbound=True,
)
LINUX_6_18 = Profile(name="6.18", has=_6_18, bad_nid_panics=True, late_command=errno.EINVAL)
LINUX_6_19 = Profile(name="6.19", has=_6_19, bad_nid_panics=True, late_command=errno.EINVAL)
LINUX_7_0 = Profile(name="7.0", has=_7_0, bad_nid_panics=True)
LINUX_7_1 = Profile(name="7.1", has=_7_1, bad_nid_panics=True)
LINUX_7_2 = Profile(name="7.2", has=_7_2)
LINUX_7_3 = Profile(name="7.3", has=_7_3, off_when_off=None, stays_on_target=True)

PROFILES = (
    LINUX_6_12,
    LINUX_6_16,
    LINUX_6_17,
    LINUX_6_18,
    LINUX_6_19,
    LINUX_7_0,
    LINUX_7_1,
    LINUX_7_2,
    LINUX_7_3,
)
"""All that have DAMON's migration, oldest first."""
