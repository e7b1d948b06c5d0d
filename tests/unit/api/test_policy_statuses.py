"""The status of a TieringPolicy on its way to the API server and back."""

from dataclasses import replace
from typing import Any

import pytest

from cases.fleets import a_policy, a_status
from terrace_api.codec import decode_policy_status, encode_policy_status
from terrace_api.policy_status import Stopped, Wave


def test_what_is_remembered_of_rollouts_comes_back_with_its_defaults() -> None:
    stopped = Stopped(generation=3, revision="r2", nodes=("a", "b"), message="it failed")
    status = a_status(good=a_policy("batch", mode="Enforce", quota={"size": "1Gi"}), stopped=stopped)
    status = replace(status, wave=Wave(generation=3, nodes=12))
    encoded = encode_policy_status(status)
    assert encoded["wave"] == {"generation": 3, "nodes": 12}
    assert encoded["lastGood"]["settings"] == {"mode": "Enforce", "quota": {"size": "1Gi"}}
    assert decode_policy_status(encoded) == status


def test_settings_that_are_all_default_are_stored_too() -> None:
    status = a_status(good=a_policy("batch"))
    assert encode_policy_status(status)["lastGood"]["settings"] == {"mode": "Observe"}


def test_a_status_of_a_version_that_wrote_less_keeps_what_is_remembered() -> None:
    written = {"nodes": 5, "lastGood": encode_policy_status(a_status(good=a_policy("batch")))["lastGood"]}
    status = decode_policy_status(written)
    assert status.last_good == a_status(good=a_policy("batch")).last_good
    assert (status.nodes, status.silent_nodes, status.engines, status.conditions) == (5, 0, "", ())


@pytest.mark.parametrize(
    "written",
    [{"revision": "r", "settings": {"mode": "Later"}}, {"revision": "r"}],
    ids=str,
)
def test_a_good_revision_that_cannot_be_read_is_none_and_the_rest_is_kept(written: dict[str, Any]) -> None:
    stopped = Stopped(generation=3, revision="r2", nodes=("a",), message="it failed")
    encoded = encode_policy_status(a_status(stopped=stopped))
    status = decode_policy_status({**encoded, "lastGood": written, "nodes": "many"})
    assert (status.last_good, status.stopped, status.nodes) == (None, stopped, 0)
