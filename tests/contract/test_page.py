"""The page about kernels says what the code does."""

import json
from pathlib import Path

from contract.page import PAGE, from_guests, page, simulated
from simkernel import PROFILES
from terrace_agent.damon.features import TABLE


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(simulated()), "run make generate"


def test_it_has_every_kernel_and_every_feature() -> None:
    text = page(simulated())
    assert all(f"| {profile.name} |" in text for profile in PROFILES)
    assert all(f"| `{row.feature}` |" in text for row in TABLE)


def test_it_can_be_made_of_what_real_kernels_said(tmp_path: Path) -> None:
    for release, features in (("7.2.13+deb-amd64", ["paddr", "migrate"]), ("6.12.107-amd64", ["paddr"])):
        (tmp_path / f"{release}.json").write_text(json.dumps({"release": release, "features": features}))
    assert list(from_guests(tmp_path)) == ["6.12.107-amd64", "7.2.13+deb-amd64"]
    assert "| 7.2.13+deb-amd64 | AgentLoop |" in page(from_guests(tmp_path))
