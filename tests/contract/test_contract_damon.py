"""The simulated kernel and a real one answer the same."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from contract import in_guest
from contract.cases import CASES, MIB, Case
from contract.conftest import profile_of
from contract.features import features_of
from simkernel import PROFILES, Profile, SimCgroup, SimKernel, SimMemory, SimNid
from terrace_agent.damon.tree import Region
from testbed.evidence import ARTIFACTS
from testbed.guest import Guest

SIMULATED = [
    pytest.param(profile, case, id=f"{profile.name}-{case.name}")
    for profile in PROFILES
    for case in CASES
    if case.is_for(features_of(SimKernel(profile)))
]


@pytest.fixture(scope="module")
def told(equipped: Guest) -> dict[str, dict[str, str]]:
    return in_guest.run(equipped, "cases_in_guest", limit_s=300)


@pytest.mark.parametrize(("profile", "case"), SIMULATED)
def test_the_simulated_kernel(profile: Profile, case: Case) -> None:
    case.check(Living(profile))


class Living(SimKernel):
    """A kernel in which half a second passes with each command."""

    def __init__(self, profile: Profile) -> None:
        super().__init__(profile)
        nids = {0: SimNid(total=1024 * MIB, other=512 * MIB), 1: SimNid(total=512 * MIB)}
        self.accessed = {1: (), os.getpid(): ((MIB, 1 << 47),)}
        self.memory = SimMemory(kernel=self, nids=nids)
        self.meanwhile = lambda _: self.memory.run(500)

    def ranges(self, nid: int) -> tuple[Region, ...]:
        """See `Machine.ranges`."""
        start = self.memory.nids[0].total if nid else 0
        return (Region(start=start, end=start + self.memory.nids[nid].total),)

    def total_bytes(self, nid: int) -> int:
        """See `Machine.total_bytes`."""
        return self.memory.nids[nid].total

    @contextmanager
    def charged(self, path: str, size: int) -> Iterator[None]:
        """See `Machine.charged`."""
        for folder in (path.rpartition("/")[0], path):
            self.make_cgroup(folder)
        self.memory.nids[0].cgroups[path] = SimCgroup(cold=size)
        yield

    def charged_bytes(self, path: str, nid: int) -> int:
        """See `Machine.charged_bytes`."""
        return self.memory.nids[nid].used_below(path)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_is_for_some_kernel(case: Case) -> None:
    assert any(case.is_for(features_of(SimKernel(profile))) for profile in PROFILES)


@pytest.mark.kernel
def test_the_real_kernel(told: dict[str, dict[str, str]], real_case: Case) -> None:
    assert told["failures"][real_case.name] == ""


@pytest.mark.kernel
def test_the_real_kernel_has_the_features_of_its_profile(equipped: Guest, told: dict[str, dict[str, str]]) -> None:
    release = equipped.run("uname -r").stdout.strip()
    folder = ARTIFACTS / "kernels"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{release}.json").write_text(json.dumps({"release": release, "features": list(told["features"])}))
    assert sorted(told["features"]) == sorted(features_of(SimKernel(profile_of(release))))
