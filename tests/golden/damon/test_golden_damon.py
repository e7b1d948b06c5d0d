"""Policy -> tree -> stores, each arrow held to a file, beside the two programs that Terrace was begun from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cases.pods import a_pod, known, make_host, make_pod, opted_out
from golden.damon import recipes
from golden.damon.differences import explain
from golden.update import Golden
from simkernel import LINUX_6_12, LINUX_7_2, Profile, SimKernel
from terrace_agent.damon.desired import Desired, DesiredKdamond, desired
from terrace_agent.damon.features import Feature
from terrace_agent.damon.process_monitor import ProcessMonitor
from terrace_agent.damon.seen import Seen
from terrace_agent.damon.stores import KDAMONDS, kdamond_stores
from terrace_agent.damon.tree import Kdamond
from terrace_agent.workloads.cgroups import read_cgroups
from terrace_agent.workloads.resolve import resolve
from terrace_api.codec import decode_policy_file
from unit.agent.damon.builders import EVERYTHING, GIB, MIB, MemoryJournal, nid, topology

HERE = Path(__file__).parent
SAMPLES = HERE.parents[2] / "deploy/samples"
RECIPES = {"mem-tier": recipes.mem_tier, "damon-tier": recipes.damon_tier}
POLICIES = ("enforce", "mem-tier", "damon-tier")
REFERENCE = topology(
    (nid(0, 64 * GIB, floor_bytes=256 * MIB, distances={0: 10, 1: 20}),),
    (nid(1, 64 * GIB, start=64 * GIB, floor_bytes=256 * MIB, distances={0: 20, 1: 10}),),
)


def lines(kdamonds: tuple[Kdamond, ...]) -> list[str]:
    stores = [store for index, kdamond in enumerate(kdamonds) for store in kdamond_stores(kdamond, index)]
    return [f"nr_kdamonds {len(kdamonds)}"] + [f"{s.path.removeprefix(f'{KDAMONDS}/')} {s.value}" for s in stores]


def staged(stored: list[str]) -> dict[str, str]:
    """Returns the whole tree after these stores on an empty kernel."""
    kernel = SimKernel(LINUX_7_2)
    for line in stored:
        path, value = line.split(" ")
        kernel.store(f"{KDAMONDS}/{path}", value)
    return {path: kernel.read(path) for path in kernel.paths(KDAMONDS)}


def compiled(policy: str) -> Desired:
    spec = decode_policy_file((SAMPLES / f"{policy}.yaml").read_text(encoding="utf-8")).spec
    return desired(spec, REFERENCE, EVERYTHING)


def with_pods() -> tuple[Desired, Desired]:
    """Returns the sample of workloads with a pod of each kind, on a kernel with lists of cgroups and on one without."""
    kernel = SimKernel(LINUX_7_2)
    make_host(kernel)
    for number in range(1, 5):
        make_pod(kernel, number, mems="0" if number == 4 else "0-1")
    pods = known(
        a_pod(1, namespace="batch"),
        a_pod(2, labels={"app.kubernetes.io/component": "database"}),
        opted_out(3),
        a_pod(4),
    )
    spec = decode_policy_file((SAMPLES / "workloads.yaml").read_text(encoding="utf-8")).spec
    movable = resolve(spec.workloads or (), pods, read_cgroups(kernel), REFERENCE.tiers).movable
    can, cannot = EVERYTHING, EVERYTHING - {Feature.OPS_FILTERS}
    first, second = (desired(spec, REFERENCE, features, Seen(movable=movable)) for features in (can, cannot))
    return first, second


def filter_lines(kdamond: DesiredKdamond) -> Iterator[str]:
    """Yields what each scheme lets through: type, matching, allow, cgroup; the first that matches decides."""
    for scheme in kdamond.tree.contexts[0].schemes:
        yield f"nid {kdamond.source_nid}, {scheme.action}"
        for one in (*(scheme.ops_filters or ()), *(scheme.filters or ())):
            yield f"  {one.type:5} {'NY'[one.matching]} {'NY'[bool(one.allow)]} {one.memcg_path}".rstrip()


def trees(found: Desired) -> tuple[Kdamond, ...]:
    return tuple(kdamond.tree for kdamond in found.kdamonds)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_these_stores(name: str, golden: Golden) -> None:
    golden.check(HERE / f"{name}.recipe.stores", "\n".join(lines(RECIPES[name]())) + "\n")


def test_damos_own_stores_make_the_tree_of_the_recipe() -> None:
    text = (HERE / "damo-3.4.3-mem-tier.captured").read_text(encoding="utf-8")
    assert staged([line for line in text.splitlines() if not line.startswith("#")]) == staged(lines(recipes.mem_tier()))


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_is_these_stores(name: str, golden: Golden) -> None:
    golden.check(HERE / f"{name}.policy.stores", "\n".join(lines(trees(compiled(name)))) + "\n")


def test_rules_for_pods_are_these_filters(golden: Golden) -> None:
    for name, found in zip(("workloads", "workloads-rejecting"), with_pods(), strict=True):
        shown = [line for kdamond in found.kdamonds for line in filter_lines(kdamond)]
        golden.check(HERE / f"{name}.policy.filters", "\n".join(shown) + "\n")


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_is_these_words(name: str, golden: Golden) -> None:
    found = compiled(name)
    assert found.effective
    golden.check(HERE / f"{name}.policy.words", "\n".join((*found.words, "", *found.effective.notes)).strip() + "\n")


@pytest.mark.parametrize("profile", [LINUX_6_12, LINUX_7_2], ids=lambda one: one.name)
def test_a_watch_over_two_processes_is_these_stores(profile: Profile, golden: Golden) -> None:
    kernel = SimKernel(profile)
    kernel.accessed = {41: (), 42: ()}
    monitor = ProcessMonitor(kernel, MemoryJournal())
    monitor.watch((41, 42), window_s=1.25)
    kernel.stored.append(("and", "back"))
    monitor.stop()
    text = "".join(f"{path.removeprefix(f'{KDAMONDS}/')} {value}\n" for path, value in kernel.stored)
    golden.check(HERE / f"processes-{profile.name}.stores", text)


@pytest.mark.parametrize("name", RECIPES)
def test_every_line_that_differs_from_the_recipe_differs_on_purpose(name: str, golden: Golden) -> None:
    golden.check(HERE / f"{name}.differences", explain(RECIPES[name](), trees(compiled(name))))
