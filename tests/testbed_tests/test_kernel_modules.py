"""A kernel's modules, as packages bring them."""

from pathlib import Path

import pytest

from testbed.kernel_modules import ModuleTree

pytestmark = pytest.mark.cluster  # depmod

RELEASE = "7.1.0-test"


@pytest.mark.parametrize("said", [(), ("modules.order", "modules.builtin")], ids=["no list", "lists"])
def test_a_kernel_is_taken_with_and_without_the_list_of_what_is_built_in(tmp_path: Path, said: tuple[str, ...]) -> None:
    """Since 7.2 that list is in `linux-base-VERSION`, which suites drop before the others."""
    directory = tmp_path / "usr/lib/modules" / RELEASE
    directory.mkdir(parents=True)
    for name in said:
        (directory / name).write_text("")
    taken = ModuleTree(tmp_path, RELEASE).index(())
    assert "modules.dep" in taken
    assert set(said) <= set(taken)
