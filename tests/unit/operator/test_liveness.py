"""Who speaks, and what is said of who does not."""

from dataclasses import replace

import pytest

from cases.fleets import NOW, READY, a_condition, a_node, a_report, a_tiering
from terrace_api.conditions import ConditionStatus
from terrace_operator.fleet import Agent, Report, Tiering
from terrace_operator.liveness import (
    LOOK_AFTER_S,
    MISSED,
    PERIOD_S,
    AliveWrite,
    Heard,
    Look,
    alive_writes,
    hear,
    judge,
    leave_out,
)

WELL = Look(node_ready=True, pod="its pod agent-x is CrashLoopBackOff")
LATER = "2026-06-01T13:00:00Z"


def spoke(heartbeat: str = "12:00", period_s: int = 100) -> Report:
    return replace(a_report(READY), heartbeat=heartbeat, heartbeat_period_s=period_s)


def tiering(report: Report | None = None, alive: str = "", reason: str = "") -> Tiering:
    return a_tiering(a_node("a"), report=report, alive=a_condition("AgentAlive", alive, reason) if alive else None)


def heard(found: Tiering, *, at_s: float = 0.0, before: Heard | None = None) -> Heard:
    return hear({"a": before} if before else {}, [found], at_s)["a"]


def written(found: Tiering, agent: Agent, look: Look | None = None) -> AliveWrite | None:
    agents = {} if agent is Agent.ALIVE else {"a": agent}
    writes = alive_writes(agents, {"a": heard(found)}, {"a": look} if look else {}, [found], LATER)
    return writes[0] if writes else None


def test_an_agent_is_silent_after_three_of_its_own_periods_and_not_before() -> None:
    one = heard(tiering(spoke(period_s=100)))
    assert judge(one, WELL, MISSED * 100 - 1) is Agent.ALIVE
    assert judge(one, WELL, MISSED * 100) is Agent.SILENT


def test_another_heartbeat_is_life_and_another_spec_is_not() -> None:
    one = heard(tiering(spoke()))
    same = heard(replace(tiering(spoke()), generation=2), at_s=290, before=one)
    assert same is one
    again = heard(tiering(spoke("12:05")), at_s=290, before=one)
    assert judge(again, WELL, 500) is Agent.ALIVE


def test_time_in_which_nobody_could_be_heard_is_no_silence() -> None:
    one = heard(tiering(spoke(period_s=100)))
    later = leave_out({"a": one}, 250, 260)["a"]
    assert heard(tiering(spoke(period_s=100)), at_s=300, before=later) is later, "it is the same heartbeat"
    assert judge(later, WELL, 549) is Agent.ALIVE
    assert judge(later, WELL, 550) is Agent.SILENT
    assert leave_out({"a": one}, 250, 200)["a"].since_s == 200, "nobody is heard in the future"


def test_who_was_silent_before_stays_so() -> None:
    one = heard(tiering(spoke(period_s=100)))
    assert judge(leave_out({"a": one}, 1000, 1310)["a"], WELL, 1310) is Agent.SILENT
    said = heard(tiering(spoke(), "False", "AgentSilent"))
    assert judge(leave_out({"a": said}, 1000, 1310)["a"], None, 1310) is Agent.SILENT


def test_the_time_that_an_agent_writes_means_nothing() -> None:
    """A clock that runs years behind is as good as any."""
    one = heard(tiering(spoke("1999-01-01T00:00:00Z")), at_s=5_000)
    assert judge(one, None, 5_100) is Agent.ALIVE


def test_an_object_that_was_made_anew_is_another_one() -> None:
    one = heard(tiering(spoke()))
    assert heard(replace(tiering(spoke()), uid="second"), at_s=290, before=one).since_s == 290


def test_a_node_that_never_spoke_has_time_to() -> None:
    one = heard(tiering())
    assert judge(one, WELL, MISSED * PERIOD_S - 1) is Agent.ALIVE
    assert judge(one, WELL, MISSED * PERIOD_S) is Agent.SILENT


def test_a_node_without_an_agents_pod_is_not_waited_for() -> None:
    nobody = Look(node_ready=True, pod=None)
    one = heard(tiering())
    assert judge(one, nobody, LOOK_AFTER_S - 1) is Agent.ALIVE
    assert judge(one, nobody, LOOK_AFTER_S) is Agent.NONE
    assert judge(one, None, LOOK_AFTER_S) is Agent.ALIVE, "nobody has looked yet"


def test_silence_of_the_whole_node_is_the_nodes() -> None:
    assert judge(heard(tiering(spoke())), Look(node_ready=False, pod="its pod is ready"), 1_000) is Agent.NODE_NOT_READY


@pytest.mark.parametrize("agent", [Agent.SILENT, Agent.NODE_NOT_READY, Agent.NONE])
def test_a_new_operator_takes_over_what_was_known(agent: Agent) -> None:
    """Or a policy would wait for dead nodes again at every restart."""
    one = heard(tiering(spoke(), "False", agent.value), at_s=1_000)
    assert judge(one, None, 1_000) is agent
    assert judge(heard(tiering(spoke("13:00")), at_s=1_001, before=one), None, 1_001) is Agent.ALIVE


@pytest.mark.parametrize("agent", [Agent.SILENT, Agent.NODE_NOT_READY, Agent.NONE])
def test_a_standby_knows_what_the_leader_has_said_since(agent: Agent) -> None:
    """Or every node would be said to be silent at a hand-over, until it is looked at again."""
    one = heard(tiering(spoke(), "True", "Alive"))
    later = heard(tiering(spoke(), "False", agent.value), at_s=299, before=one)
    assert judge(later, None, 299) is agent
    spoken = heard(tiering(spoke("12:05"), "False", agent.value), at_s=310, before=later)
    assert judge(spoken, None, 310) is Agent.ALIVE


def test_a_node_without_an_agent_stays_so_when_that_has_been_said() -> None:
    """Also one that was registered anew: of an agent that never spoke nothing can be old."""
    anew = heard(replace(tiering(), uid="second"), before=heard(tiering()))
    nobody = Look(node_ready=True, pod=None)
    assert judge(anew, nobody, LOOK_AFTER_S) is Agent.NONE
    later = heard(replace(tiering(None, "False", "NoAgent"), uid="second"), at_s=LOOK_AFTER_S, before=anew)
    assert judge(later, nobody, LOOK_AFTER_S) is Agent.NONE


def test_what_a_leader_has_taken_back_is_believed_no_longer() -> None:
    one = heard(tiering(spoke(), "False", "AgentSilent"), at_s=100)
    later = heard(tiering(spoke(), "True", "Alive"), at_s=101, before=one)
    assert judge(later, None, 101) is Agent.ALIVE


def test_nothing_that_is_said_outdoes_a_heartbeat_that_was_heard_to_come() -> None:
    """The leader may have said it just before, and cannot take it back if it ended since."""
    before = heard(tiering(spoke("11:55"), "True", "Alive"))
    one = heard(tiering(spoke(period_s=100), "True", "Alive"), at_s=100, before=before)
    later = heard(tiering(spoke(period_s=100), "False", "NodeNotReady"), at_s=110, before=one)
    assert judge(later, None, 399) is Agent.ALIVE
    assert judge(later, None, 400) is Agent.NODE_NOT_READY


def test_a_new_operator_believes_that_the_others_are_alive_for_three_periods() -> None:
    one = heard(tiering(spoke(), "True", "Alive"), at_s=1_000)
    assert judge(one, None, 1_299) is Agent.ALIVE
    assert judge(one, None, 1_300) is Agent.SILENT


def test_an_agent_that_promises_nothing_is_alive() -> None:
    """One of an earlier version; its silence cannot be told from having nothing to say."""
    one = heard(tiering(a_report(READY), "False", "AgentSilent"))
    assert judge(one, Look(node_ready=False, pod=None), 1e6) is Agent.ALIVE


def test_a_reason_of_another_version_is_silence() -> None:
    assert judge(heard(tiering(spoke(), "False", "Abducted")), None, 0) is Agent.SILENT


def test_the_first_heartbeat_is_said() -> None:
    found = written(tiering(spoke()), Agent.ALIVE)
    assert found is not None
    assert (found.name, found.condition.type, found.condition.status) == ("a", "AgentAlive", ConditionStatus.TRUE)


def test_nothing_is_said_of_an_agent_that_may_yet_speak() -> None:
    assert written(tiering(), Agent.ALIVE) is None


def test_what_is_said_already_is_not_said_again() -> None:
    assert written(tiering(spoke(), "True", "Alive"), Agent.ALIVE) is None
    assert written(tiering(spoke(), "False", "AgentSilent"), Agent.SILENT) is None


def test_nothing_is_said_of_an_object_that_is_being_deleted() -> None:
    assert written(replace(tiering(spoke()), deleting=True), Agent.ALIVE) is None


def test_silence_says_for_how_long_what_the_pod_does_and_what_stays() -> None:
    found = written(tiering(spoke(), "True", "Alive"), Agent.SILENT, WELL)
    assert found is not None
    assert found.condition.message == (
        "nothing was heard from the agent for 3 times 100 s (its pod agent-x is CrashLoopBackOff); "
        "what it put in force stays in force"
    )
    assert found.condition.last_transition_time == LATER


def test_of_an_agent_that_never_spoke_no_time_is_claimed() -> None:
    found = written(tiering(), Agent.NODE_NOT_READY, Look(node_ready=False, pod=""))
    assert found is not None
    assert found.condition.message.startswith("the node is not ready, and its agent has not spoken yet;")


def test_another_reason_for_silence_is_no_transition() -> None:
    found = written(tiering(spoke(), "False", "AgentSilent"), Agent.NODE_NOT_READY)
    assert found is not None
    assert (found.condition.reason, found.condition.last_transition_time) == ("NodeNotReady", NOW)
