"""Which files, keywords and behaviours each simulated kernel has (kernel.md 2.1, 2.3, 4.2)."""

import errno
from dataclasses import dataclass

_6_12 = frozenset({"damon", "migrate"})
_7_0 = _6_12 | {"allow", "ops_filters", "intervals_goal", "node_goals", "refresh_ms", "damon_stat"}
_7_2 = _7_0 | {"temporal", "fail_charge", "probes"}
_7_3 = _7_2 | {"weight"}


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One kernel.

    Attributes:
        invalid_commit_kills: an invalid commit returns 0 and ends the kdamond.
        bad_nid_panics: a goal with a nid that does not exist panics when it runs.
        off_when_off: errno of `off` on a kdamond that was on before; None where it succeeds.
        late_command: errno of update commands on a kdamond that was on before.
    """

    name: str
    has: frozenset[str]
    invalid_commit_kills: bool = False
    bad_nid_panics: bool = False
    off_when_off: int | None = errno.EPERM
    late_command: int = errno.ECANCELED


NO_DAMON = Profile(name="no-damon", has=frozenset())
LINUX_6_12 = Profile(name="6.12", has=_6_12, invalid_commit_kills=True, bad_nid_panics=True, late_command=errno.EINVAL)
LINUX_7_0 = Profile(name="7.0", has=_7_0, bad_nid_panics=True)
LINUX_7_2 = Profile(name="7.2", has=_7_2)
LINUX_7_3 = Profile(name="7.3", has=_7_3, off_when_off=None)
