from hypothesis import given
from hypothesis import strategies as st

from cases.fleets import a_node, a_policy
from terrace_api.policy import TieringPolicy
from terrace_operator.rank import contenders, ranked, why_it_wins

OLD, NEW = "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"


@st.composite
def any_policies(draw: st.DrawFn) -> list[TieringPolicy]:
    names = draw(st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1))
    return [
        a_policy(
            name,
            created=draw(st.sampled_from([OLD, NEW])),
            priority=draw(st.integers(-2, 2)),
            nodeSelector={"matchLabels": {"zone": draw(st.sampled_from("ab"))}},
        )
        for name in names
    ]


def names(policies: tuple[TieringPolicy, ...]) -> list[str]:
    return [policy.name for policy in policies]


def test_the_higher_priority_wins_although_younger() -> None:
    assert names(ranked([a_policy("old", created=OLD), a_policy("high", created=NEW, priority=1)])) == ["high", "old"]


def test_the_older_wins_at_equal_priority() -> None:
    assert names(ranked([a_policy("a", created=NEW), a_policy("b", created=OLD)])) == ["b", "a"]


def test_the_name_decides_at_equal_priority_and_age() -> None:
    assert names(ranked([a_policy("b"), a_policy("a")])) == ["a", "b"]


def test_a_negative_priority_is_below_the_default() -> None:
    assert names(ranked([a_policy("low", created=OLD, priority=-1), a_policy("plain", created=NEW)])) == [
        "plain",
        "low",
    ]


def test_the_reason_names_what_decided() -> None:
    high, old = a_policy("high", created=NEW, priority=5), a_policy("old", created=OLD)
    young = a_policy("young", created=NEW)
    assert why_it_wins((high,)) == "policy high selects it"
    assert why_it_wins((high, old)) == "policy high wins over old: priority 5 is above 0"
    assert why_it_wins((old, young)) == f"policy old wins over young: equal priority, and it is older ({OLD})"
    assert "name sorts first" in why_it_wins((a_policy("a"), a_policy("b")))


@given(policies=any_policies(), zone=st.sampled_from(["a", "b", "c"]), data=st.data())
def test_the_order_in_which_policies_were_listed_means_nothing(
    policies: list[TieringPolicy], zone: str, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(policies))
    assert contenders(ranked(policies), a_node("a", zone=zone)) == contenders(ranked(shuffled), a_node("a", zone=zone))


@given(policies=any_policies(), zone=st.sampled_from(["a", "b"]))
def test_no_contender_outranks_the_winner(policies: list[TieringPolicy], zone: str) -> None:
    contending = contenders(ranked(policies), a_node("a", zone=zone))
    for loser in contending[1:]:
        winner = contending[0]
        assert (-winner.spec.priority, winner.created, winner.name) < (-loser.spec.priority, loser.created, loser.name)
