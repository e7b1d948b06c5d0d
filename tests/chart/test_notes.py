"""What people read after `helm install`, and whether it can be done."""

import re

import pytest

from chart.rendering import NAMESPACE, notes
from terrace_api.codec import decode_policy_file
from terrace_api.policy import Mode

pytestmark = pytest.mark.cluster


def test_the_next_commands_are_of_this_release() -> None:
    text = notes()
    assert f"helm test terrace -n {NAMESPACE}" in text
    assert f"kubectl -n {NAMESPACE} get pods" in text
    assert "kubectl terrace doctor" in text


def test_the_first_policy_is_one_and_moves_nothing() -> None:
    (policy,) = re.findall(r"echo '(\{.*\})' \|", notes())
    assert decode_policy_file(policy).spec.mode is Mode.OBSERVE


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ((), "does the same before it removes anything, and keeps the policies."),
        (("crds.keep=false",), "does the same before it removes anything."),
        (("cleanup.enabled=false",), "leaves nodes as they are (cleanup.enabled=false): delete the policies before."),
    ],
)
def test_what_an_uninstall_does_is_said_as_it_is(settings: tuple[str, ...], says: str) -> None:
    assert says in notes(*settings)


def test_where_no_pod_ever_ran_people_read_how_to_uninstall_all_the_same() -> None:
    """The clean-up is a pod of the same image."""
    assert f"helm uninstall terrace -n {NAMESPACE} --no-hooks" in notes()
    assert "--no-hooks" not in notes("cleanup.enabled=false")
