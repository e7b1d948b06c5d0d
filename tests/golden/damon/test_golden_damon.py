"""Policy -> tree -> stores, each arrow held to a file, beside the two programs that Terrace was begun from."""

from pathlib import Path

import pytest

from golden.damon import recipes
from golden.damon.differences import explain
from golden.update import Golden
from simkernel import LINUX_7_2, SimKernel
from terrace_agent.damon.desired import Desired, desired
from terrace_agent.damon.stores import KDAMONDS, kdamond_stores
from terrace_agent.damon.tree import Kdamond
from terrace_api.codec import decode_policy_file
from unit.agent.damon.builders import EVERYTHING, GIB, MIB, nid, topology

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


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_is_these_words(name: str, golden: Golden) -> None:
    found = compiled(name)
    assert found.effective
    golden.check(HERE / f"{name}.policy.words", "\n".join((*found.words, "", *found.effective.notes)).strip() + "\n")


@pytest.mark.parametrize("name", RECIPES)
def test_every_line_that_differs_from_the_recipe_differs_on_purpose(name: str, golden: Golden) -> None:
    golden.check(HERE / f"{name}.differences", explain(RECIPES[name](), trees(compiled(name))))
