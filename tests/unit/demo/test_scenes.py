"""The demo knows what each kernel should do, and does not believe Terrace on it."""

from pathlib import Path
from typing import Any

import pytest

from demo.scenes import expect_engine
from simkernel import NO_DAMON, PROFILES, SimKernel
from terrace_agent.damon.engine import DamonEngine
from terrace_agent.journal_file import FileJournal
from testbed.errors import BedError
from testbed.kernels import KERNELS, Kernel

HAS_ONE, HAS_NONE = Kernel(version="7.2", suite="sid"), Kernel(version="6.1", suite="bookworm", engine=False)


def told(available: bool) -> list[dict[str, Any]]:
    return [{"name": "damon", "available": available, "reason": "ItsReason", "message": "as it is"}]


@pytest.mark.parametrize(("kernel", "available"), [(HAS_ONE, True), (HAS_NONE, False)], ids=["engine", "none"])
def test_what_the_table_says_is_fine(kernel: Kernel, available: bool) -> None:
    expect_engine(kernel, told(available))


def test_a_node_that_wrongly_says_that_it_has_no_engine_fails_the_demo_with_its_reason() -> None:
    with pytest.raises(BedError, match=r"linux 7\.2 there should be an engine\. damon: ItsReason, as it is"):
        expect_engine(HAS_ONE, told(False))
    with pytest.raises(BedError, match="should be an engine"):
        expect_engine(HAS_ONE, [])


def test_a_node_that_wrongly_says_that_it_has_an_engine_fails_the_demo() -> None:
    with pytest.raises(BedError, match=r"linux 6\.1 there should be no engine"):
        expect_engine(HAS_NONE, told(True))


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.version)
def test_the_table_says_what_the_agent_finds_on_a_kernel_like_it(kernel: Kernel, tmp_path: Path) -> None:
    profile = {one.name: one for one in PROFILES}.get(kernel.version, NO_DAMON)
    engine = DamonEngine(SimKernel(profile), FileJournal(tmp_path, boot_id="boot"))
    assert engine.probe().available is kernel.engine
    assert (profile is not NO_DAMON) is kernel.migrates
