"""One policy's revisions on their way to its nodes."""

from dataclasses import replace
from typing import Any

import pytest

from cases.fleets import AT_ONCE, FAILED, NO_ENGINE, REFUSED, a_condition, a_node, a_policy, unread
from cases.rehearsal import Rehearsal
from terrace_api.policy import TieringPolicy
from terrace_api.policy_status import Wave
from terrace_api.schema import part
from terrace_operator.compile import RESTORE
from terrace_operator.fleet import Agent
from terrace_operator.phase import Phase, Rollout
from terrace_operator.rollout import PATIENCE_S, RECORDED_NODES

BAKE_S = 120.0
TEN = [f"n{number}" for number in range(10)]
CONVERGING = a_condition("Ready", "False", "Converging", "8 s to go")
AN_ENGINE = a_condition("EngineAvailable", "True", "Available", "DAMON can run")
READY = a_condition("Ready", "True", "Enforcing", "all is well")


def batch(generation: int = 1, **spec: Any) -> TieringPolicy:
    """Returns a policy with waves of two after a canary of one, unless `spec` says otherwise."""
    rollout = {"maxUpdating": 2} | spec.pop("rollout", {})
    return a_policy("batch", generation=generation, mode="Enforce", rollout=rollout, **spec)


def edited(generation: int = 2, **spec: Any) -> TieringPolicy:
    return batch(generation, quota={"size": "1Gi"}, **spec)


def begun(policy: TieringPolicy, names: list[str] = TEN) -> Rehearsal:
    """Returns nodes without any policy, and a new policy that nobody has seen yet."""
    found = Rehearsal()
    found.add(*names)
    found.put(policy)
    return found


def rolled_out(policy: TieringPolicy, names: list[str] = TEN) -> Rehearsal:
    """Returns nodes on which the policy's revision is good."""
    found = begun(policy, names)
    run(found)
    assert good_revision(found) == found.statuses["uid-batch"].revision
    found.told.clear()
    return found


def run(on: Rehearsal, *, failing: tuple[str, ...] = (), limit: int = 100) -> Rollout:
    """Lets everything happen until nothing happens any more."""
    for _ in range(limit):
        before = (dict(on.tierings), dict(on.statuses))
        rollout = step(on)
        answer(on, failing)
        on.now_s += BAKE_S
        if (on.tierings, on.statuses) == before and rollout.due_s is None:
            return rollout
    raise AssertionError(f"still {rollout.phase}: {rollout.message}")


def answer(on: Rehearsal, failing: tuple[str, ...] = ()) -> None:
    on.answer_all(except_for=failing)
    for name in failing:
        on.answer(name, *(() if on.tierings[name].spec == RESTORE else (FAILED,)))


def step(on: Rehearsal) -> Rollout:
    """Makes a pass; and after one that recorded another wave, the one that follows at once and tells it."""
    before = recorded_wave(on)
    rollout = on.step()["batch"]
    return on.step()["batch"] if rollout.wave not in {None, before} else rollout


def recorded_wave(on: Rehearsal) -> Wave | None:
    status = on.statuses.get("uid-batch")
    return status.wave if status else None


def good_revision(on: Rehearsal) -> str | None:
    good = on.statuses["uid-batch"].last_good
    return good.revision if good else None


def told(on: Rehearsal) -> list[str]:
    return [name for name, _ in on.told]


def test_the_canary_is_told_first_and_alone() -> None:
    on = begun(batch())
    assert step(on).phase is Phase.CANARY
    assert told(on) == ["n0"]
    for _ in range(3):
        step(on)
    assert told(on) == ["n0"], "it has not answered"


def test_the_next_wave_begins_when_the_canary_has_baked() -> None:
    on = begun(batch())
    step(on)
    on.answer("n0")
    rollout = step(on)
    assert (rollout.phase, rollout.due_s) == (Phase.BAKING, on.now_s + BAKE_S)
    on.now_s += BAKE_S - 1
    assert step(on).phase is Phase.BAKING
    assert told(on) == ["n0"]
    on.now_s += 1
    assert step(on).phase is Phase.UPDATING
    assert told(on) == ["n0", "n1", "n2"]


def test_each_wave_settles_and_bakes_before_the_next() -> None:
    on = begun(batch())
    waves = []
    while len(on.told) < len(TEN):
        before = len(on.told)
        step(on)
        waves.append(told(on)[before:])
        answer(on)
        assert step(on).phase is Phase.BAKING
        on.now_s += BAKE_S
    assert waves == [["n0"], ["n1", "n2"], ["n3", "n4"], ["n5", "n6"], ["n7", "n8"], ["n9"]]


@pytest.mark.parametrize(("canary", "wave", "told_first"), [(1, "10%", 11), ("10%", "30%", 10)])
def test_nodes_that_leave_do_not_cut_a_bake_short(canary: int | str, wave: str, told_first: int) -> None:
    names = [f"n{number:03}" for number in range(100)]
    on = begun(batch(rollout={"canary": canary, "maxUpdating": wave}), names)
    step(on)
    while len(on.told) < told_first:
        answer(on)
        step(on)
        on.now_s += BAKE_S
        step(on)
    answer(on)
    assert step(on).phase is Phase.BAKING
    for name in names[90:]:
        del on.nodes[name], on.tierings[name]
    assert step(on).phase is Phase.BAKING
    assert len(on.told) == told_first


def second_wave_of(names: list[str]) -> Rehearsal:
    """Returns the canary and a first wave of 11 that was told and has not answered."""
    on = begun(batch(rollout={"maxUpdating": "10%"}), names)
    step(on)
    answer(on)
    step(on)
    on.now_s += BAKE_S
    step(on)
    assert len(on.told) == 1 + 11
    return on


def leave(on: Rehearsal, *names: str) -> None:
    for name in names:
        del on.nodes[name], on.tierings[name]


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(
    ("gone", "replaced"), [(["n100"], 0), (["n003"], 1), (["n000", "n003"], 2), (["n003", "n099", "n100"], 1)], ids=str
)
def test_while_a_wave_settles_no_more_are_told_than_its_members_that_left(
    gone: list[str], replaced: int, restarts: bool
) -> None:
    """With fewer nodes waves are smaller: where a wave ends does not follow from how many were told."""
    on = second_wave_of([f"n{number:03}" for number in range(101)])
    on.answer_all(except_for=["n005"])
    on.answer("n005", CONVERGING)
    step(on)
    leave(on, *gone)
    if restarts:
        on.restart()
    for _ in range(3):
        step(on)
        on.answer_all(except_for=["n005"])
        on.now_s += BAKE_S
    assert len(on.told) == 12 + replaced


def test_a_bake_that_one_node_interrupts_is_not_cut_short_because_others_left() -> None:
    on = second_wave_of([f"n{number:03}" for number in range(101)])
    answer(on)
    assert step(on).phase is Phase.BAKING
    leave(on, "n100")
    on.answer("n005", CONVERGING)
    step(on)
    step(on)
    answer(on)
    assert step(on).phase is Phase.BAKING
    assert len(on.told) == 12


@pytest.mark.parametrize("bakes", [True, False])
def test_when_all_who_were_told_have_left_it_begins_again_with_the_canary(bakes: bool) -> None:
    on = second_wave_of([f"n{number:03}" for number in range(101)])
    if bakes:
        answer(on)
        assert step(on).phase is Phase.BAKING
    leave(on, *told(on))
    for _ in range(3):
        step(on)
        on.now_s += BAKE_S
    assert len(on.told) == 12 + 1


def test_a_wave_waits_for_a_node_that_is_not_ready_yet() -> None:
    on = begun(batch())
    step(on)
    on.answer("n0", CONVERGING)
    on.now_s += 10 * BAKE_S
    assert step(on).phase is Phase.CANARY
    on.answer("n0")
    assert step(on).phase is Phase.BAKING


def test_the_bake_begins_anew_when_a_node_is_not_well_in_between() -> None:
    on = begun(batch())
    step(on)
    on.answer("n0")
    step(on)
    on.answer("n0", CONVERGING)
    step(on)
    on.answer("n0")
    on.now_s += BAKE_S
    assert step(on).phase is Phase.BAKING


def test_a_restart_of_the_operator_makes_the_bake_longer_and_changes_nothing_else() -> None:
    on = begun(batch())
    step(on)
    on.answer("n0")
    step(on)
    on.now_s += BAKE_S - 1
    on.restart()
    rollout = step(on)
    assert (rollout.phase, rollout.due_s) == (Phase.BAKING, on.now_s + BAKE_S)
    assert told(on) == ["n0"]


def test_a_wave_that_a_restart_cut_short_is_filled_up_without_another_bake() -> None:
    on = begun(batch())
    step(on)
    answer(on)
    step(on)
    on.now_s += BAKE_S
    on.step()
    assert told(on) == ["n0"], "first it is recorded how far the wave goes"
    decided = {decision.node.name: decision for decision in on.look().decisions}
    on._write(on.nodes["n1"], decided["n1"].spec)
    on.restart()
    step(on)
    assert told(on) == ["n0", "n1", "n2"]
    step(on)
    assert told(on) == ["n0", "n1", "n2"]


def test_a_revision_is_good_when_every_node_has_it_and_it_has_baked() -> None:
    on = begun(batch(rollout={"canary": "100%", "maxUpdating": "100%"}))
    step(on)
    answer(on)
    step(on)
    assert good_revision(on) is None
    on.now_s += BAKE_S
    assert step(on).good
    assert good_revision(on) == on.statuses["uid-batch"].revision


def test_a_new_revision_goes_by_canary_and_waves_too() -> None:
    on = rolled_out(batch())
    on.put(edited())
    step(on)
    assert told(on) == ["n0"]
    run(on)
    assert on.having(edited()) == TEN
    assert on.statuses["uid-batch"].updated == "10/10"


@pytest.mark.parametrize("condition", [FAILED, REFUSED], ids=lambda condition: condition.type)
@pytest.mark.parametrize("on_failure", ["Pause", "Rollback"])
def test_a_canary_that_fails_is_the_only_node_that_changes(condition: Any, on_failure: str) -> None:
    on = rolled_out(batch(rollout={"onFailure": on_failure}))
    on.put(edited(rollout={"onFailure": on_failure}))
    step(on)
    on.answer("n0", condition)
    for _ in range(5):
        step(on)
        on.now_s += BAKE_S
    assert set(told(on)) == {"n0"}


def test_pause_keeps_what_nodes_have_until_the_policy_is_edited() -> None:
    on = rolled_out(batch())
    on.put(edited())
    step(on)
    on.answer("n0", FAILED)
    rollout = run(on, failing=("n0",))
    assert rollout.phase is Phase.STOPPED
    assert "n0 (StoreRefused" in rollout.message
    on.answer("n0")
    assert run(on).phase is Phase.STOPPED, "it does not go on by itself"
    assert on.having(edited()) == ["n0"]
    on.put(edited(generation=3))
    assert run(on).phase is Phase.SETTLED
    assert on.having(edited()) == TEN


def test_rollback_returns_every_node_to_what_was_good() -> None:
    on = rolled_out(batch(rollout={"onFailure": "Rollback"}))
    on.put(edited(rollout={"onFailure": "Rollback"}))
    for _ in range(6):
        step(on)
        answer(on)
        on.now_s += BAKE_S
    assert len(on.having(edited())) > 2
    worse = tuple(on.having(edited())[:3])
    answer(on, failing=worse)
    step(on)
    on.now_s += PATIENCE_S
    step(on)
    assert on.having(edited()) != [], "first it is recorded"
    rollout = step(on)
    assert rollout.phase is Phase.ROLLED_BACK
    assert on.having(batch()) == TEN


@pytest.mark.parametrize(
    ("on_failure", "then"),
    [
        ("Pause", "EBUSY). Nodes keep what they have; edit the policy to go on"),
        ("Rollback", "EBUSY); no revision was good before: restored. Edit the policy to try again"),
    ],
)
def test_a_failure_is_told_from_the_first_with_what_follows_from_it(on_failure: str, then: str) -> None:
    on = begun(batch(rollout={"onFailure": on_failure}))
    step(on)
    on.answer("n0", FAILED)
    step(on)
    on.now_s += PATIENCE_S
    rollout = step(on)
    assert rollout.failed is not None
    assert rollout.message.endswith(then)
    assert step(on).message == rollout.message


def test_after_a_rollback_only_an_edit_begins_another_rollout() -> None:
    on = rolled_out(batch(rollout={"onFailure": "Rollback"}))
    on.put(edited(rollout={"onFailure": "Rollback"}))
    step(on)
    assert run(on, failing=("n0",)).phase is Phase.ROLLED_BACK
    on.restart()
    assert run(on).phase is Phase.ROLLED_BACK
    assert on.having(batch()) == TEN
    on.put(edited(generation=3, rollout={"onFailure": "Rollback"}))
    assert run(on).phase is Phase.SETTLED
    assert on.having(edited()) == TEN


def test_a_rollback_with_nothing_good_before_restores() -> None:
    on = begun(batch(rollout={"onFailure": "Rollback"}))
    step(on)
    rollout = run(on, failing=("n0",))
    assert rollout.phase is Phase.ROLLED_BACK
    assert {one.spec for one in on.tierings.values()} == {RESTORE}


def test_a_failure_that_passes_by_itself_holds_up_and_stops_nothing() -> None:
    on = rolled_out(batch())
    on.put(edited())
    step(on)
    on.answer("n0", FAILED)
    step(on)
    on.now_s += PATIENCE_S - 1
    step(on)
    assert told(on) == ["n0"]
    on.answer("n0")
    run(on)
    assert on.having(edited()) == TEN


def test_a_restart_does_not_make_a_failure_final_sooner() -> None:
    on = rolled_out(batch())
    on.put(edited())
    step(on)
    on.answer("n0", FAILED)
    step(on)
    on.restart()
    on.now_s += PATIENCE_S
    assert step(on).failed is None
    on.now_s += PATIENCE_S
    assert step(on).failed is not None


def test_a_failure_that_held_up_nobody_is_over_when_its_nodes_are_well() -> None:
    on = rolled_out(batch(), ["n0"])
    on.put(edited())
    assert run(on, failing=("n0",)).phase is Phase.STOPPED
    on.answer("n0")
    assert step(on).phase is Phase.BAKING
    assert on.statuses["uid-batch"].stopped is None
    run(on)
    assert good_revision(on) == on.statuses["uid-batch"].revision


def test_an_edit_back_to_what_is_good_needs_no_canary() -> None:
    on = rolled_out(batch())
    on.put(edited())
    for _ in range(4):
        step(on)
        answer(on)
        on.now_s += BAKE_S
    assert on.having(edited()) == ["n0", "n1", "n2"]
    on.told.clear()
    on.put(batch(generation=3))
    step(on)
    assert told(on) == ["n0", "n1"], "two at a time"
    answer(on)
    step(on)
    assert on.having(batch()) == TEN


def test_a_second_edit_goes_first_to_nodes_that_run_what_never_proved_itself() -> None:
    names = ["n5", "n6", "n7"]
    on = rolled_out(batch(), names)
    on.put(edited())
    step(on)
    on.answer("n5", FAILED)
    run(on, failing=("n5",))
    on.add("n0")
    step(on)
    answer(on, failing=("n5",))
    on.told.clear()
    on.put(batch(generation=3, quota={"size": "2Gi"}))
    step(on)
    assert told(on) == ["n5"]


def test_failures_below_the_threshold_hold_nothing_up() -> None:
    on = rolled_out(batch(rollout={"failureThreshold": 2}))
    policy = edited(rollout={"failureThreshold": 2, "canary": 2})
    on.put(policy)
    assert run(on, failing=("n3",)).phase is Phase.SETTLED
    assert on.having(policy) == TEN
    assert on.statuses["uid-batch"].degraded_nodes == 1


def test_a_canary_that_fails_altogether_stops_whatever_the_threshold_is() -> None:
    on = rolled_out(batch(rollout={"failureThreshold": "100%"}))
    on.put(edited(rollout={"failureThreshold": 5}))
    step(on)
    on.answer("n0", FAILED)
    assert run(on, failing=("n0",)).phase is Phase.STOPPED
    assert told(on) == ["n0"]


def test_while_paused_no_node_takes_a_new_revision() -> None:
    on = rolled_out(batch())
    on.put(edited(paused=True))
    assert run(on).phase is Phase.PAUSED
    assert on.told == []
    on.put(edited(generation=3))
    run(on)
    assert on.having(edited()) == TEN


def test_a_paused_wave_goes_on_where_it_stopped() -> None:
    on = rolled_out(batch())
    on.put(edited())
    for _ in range(3):
        step(on)
        answer(on)
        on.now_s += BAKE_S
    before = on.having(edited())
    on.put(edited(generation=3, paused=True))
    assert run(on).phase is Phase.PAUSED
    assert on.having(edited()) == before
    on.put(edited(generation=4))
    assert step(on).phase is Phase.BAKING
    assert on.having(edited()) == before


def test_a_deleted_policy_restores_although_it_is_paused() -> None:
    on = rolled_out(batch())
    on.put(edited(paused=True))
    step(on)
    del on.policies["batch"]
    on.step()
    assert {one.spec for one in on.tierings.values()} == {RESTORE}


def test_a_node_that_joins_gets_what_is_good_and_not_what_is_new() -> None:
    on = rolled_out(batch())
    on.put(edited(paused=True))
    on.nodes["new"] = a_node("new")
    step(on)
    assert told(on) == ["new"]
    assert on.having(batch()) == [*TEN, "new"]


def test_nodes_that_join_count_against_the_limit() -> None:
    on = rolled_out(batch())
    on.add("x0", "x1", "x2", "x3")
    assert step(on).phase is Phase.JOINING
    assert told(on) == ["x0", "x1"]
    step(on)
    assert told(on) == ["x0", "x1"]
    on.answer("x0")
    step(on)
    assert told(on) == ["x0", "x1", "x2"]


def test_a_node_that_joins_and_falls_silent_holds_up_nobody() -> None:
    on = rolled_out(batch())
    on.add("x0", "x1", "x2")
    step(on)
    on.agents["x0"] = Agent.SILENT
    step(on)
    assert told(on) == ["x0", "x1", "x2"]


def test_the_next_wave_needs_no_other_bake_when_it_found_no_slot() -> None:
    on = rolled_out(batch())
    on.put(edited())
    step(on)
    answer(on)
    step(on)
    on.add("x0", "x1")
    on.now_s += BAKE_S
    on.step()
    before = dict(on.tierings)
    for name in ("x0", "x1"):
        on.tierings[name] = replace(before[name], deleting=True)
    step(on)
    assert told(on) == ["n0", "x0", "x1"], "who joins has the slots, and cannot be told anything else"
    on.tierings = before
    answer(on)
    step(on)
    assert told(on) == ["n0", "x0", "x1", "n1", "n2"]


def test_a_node_that_is_updating_is_told_the_newest_revision_without_waiting_for_itself() -> None:
    on = rolled_out(batch(rollout={"maxUpdating": 1}))
    on.put(edited(rollout={"maxUpdating": 1}))
    step(on)
    newest = batch(generation=3, quota={"size": "2Gi"}, rollout={"maxUpdating": 1})
    on.put(newest)
    step(on)
    assert on.having(newest) == ["n0"]


def test_who_joins_and_who_takes_what_is_new_share_the_limit() -> None:
    on = rolled_out(batch())
    on.put(edited())
    on.add("x0", "x1", "x2")
    step(on)
    assert told(on) == ["x0", "x1"]


def test_a_node_that_no_policy_kept_is_restored_until_its_turn() -> None:
    on = begun(batch(), ["n0", "n1"])
    old = a_policy("old", priority=9, **AT_ONCE)
    on.put(old)
    on.step()
    answer(on)
    assert on.having(old) == ["n0", "n1"]
    del on.policies["old"]
    on.told.clear()
    step(on)
    assert on.having(batch()) == ["n0"]
    assert on.tierings["n1"].spec == RESTORE


def test_a_node_stays_with_the_loser_until_its_turn() -> None:
    on = begun(batch(priority=1), [])
    on.add("n0", "n1")
    old = a_policy("old", **AT_ONCE)
    on.policies = {"old": old}
    on.step()
    answer(on)
    on.put(batch(priority=1))
    step(on)
    assert on.having(batch(priority=1)) == ["n0"]
    assert on.having(old) == ["n1"]


@pytest.mark.parametrize("agent", [Agent.SILENT, Agent.NODE_NOT_READY, Agent.NONE])
def test_a_node_that_is_not_heard_of_is_told_nothing_and_not_waited_for(agent: Agent) -> None:
    on = rolled_out(batch())
    on.agents["n0"] = agent
    on.put(edited())
    assert run(on).phase is Phase.SETTLED
    assert on.having(edited()) == TEN[1:]
    assert good_revision(on) == on.statuses["uid-batch"].revision
    on.agents.clear()
    step(on)
    assert on.having(edited()) == TEN, "it speaks again"


def test_a_node_that_falls_silent_after_it_was_told_counts_as_failed() -> None:
    """What it was told may be why."""
    on = rolled_out(batch())
    on.put(edited())
    step(on)
    on.agents["n0"] = Agent.NODE_NOT_READY
    rollout = run(on)
    assert rollout.phase is Phase.STOPPED
    assert "n0 (NodeNotReady" in rollout.message
    assert told(on) == ["n0"]


def test_who_failed_before_an_edit_does_not_hold_up_the_next_rollout() -> None:
    on = rolled_out(batch())
    on.put(edited())
    step(on)
    on.agents["n0"] = Agent.SILENT
    run(on)
    on.put(edited(generation=3))
    step(on)
    assert told(on) == ["n0", "n1"], "another canary"
    assert run(on).phase is Phase.SETTLED
    assert on.having(edited()) == TEN


def test_a_second_failed_attempt_names_all_who_failed() -> None:
    on = rolled_out(batch())
    on.put(edited())
    run(on, failing=("n0", "n1"))
    on.put(edited(generation=3))
    run(on, failing=("n0", "n1"))
    stopped = on.statuses["uid-batch"].stopped
    assert stopped is not None
    assert (stopped.nodes, stopped.generation) == (("n0", "n1"), 3)
    assert told(on) == ["n0", "n1"]


def test_hundreds_that_failed_before_an_edit_do_not_hold_up_the_next_rollout() -> None:
    names = [f"n{number:03}" for number in range(400)]
    wide = {"canary": 200, "maxUpdating": "100%"}
    on = begun(batch(rollout=wide), names)
    failing = tuple(names[:200])
    step(on)
    assert run(on, failing=failing).phase is Phase.STOPPED
    on.put(batch(2, rollout=wide))
    assert run(on, failing=failing).phase is Phase.SETTLED
    assert on.having(batch(rollout=wide)) == names


def test_as_many_failed_nodes_are_remembered_as_the_api_server_takes() -> None:
    assert part("tieringpolicies", "status", "stopped", "nodes")["maxItems"] == RECORDED_NODES


def test_a_silent_node_is_restored_and_rolled_back_like_any_other() -> None:
    on = rolled_out(batch(rollout={"onFailure": "Rollback"}))
    on.put(edited(rollout={"onFailure": "Rollback"}))
    step(on)
    on.agents["n0"] = Agent.SILENT
    run(on)
    assert on.having(batch()) == TEN
    del on.policies["batch"]
    on.step()
    assert on.tierings["n0"].spec == RESTORE


def test_the_canary_is_a_node_that_can_prove_something() -> None:
    on = begun(batch())
    on.answer("n7", AN_ENGINE, READY)
    step(on)
    assert told(on) == ["n7"]


def test_a_canary_without_an_engine_is_replaced() -> None:
    on = begun(batch())
    step(on)
    on.answer("n0", NO_ENGINE)
    step(on)
    assert told(on) == ["n0", "n1"]
    on.answer("n1")
    assert step(on).phase is Phase.BAKING


@pytest.mark.parametrize("condition", [NO_ENGINE, FAILED], ids=lambda condition: condition.type)
def test_a_revision_that_is_ready_nowhere_is_not_called_good(condition: Any) -> None:
    on = begun(batch(rollout={"canary": 2, "failureThreshold": 2}), ["n0", "n1"])
    on.agents["n1"] = Agent.SILENT
    step(on)
    on.answer("n0", condition)
    for _ in range(3):
        rollout = step(on)
        on.now_s += BAKE_S
    assert rollout.phase is Phase.SETTLED
    assert good_revision(on) is None


def test_nodes_with_a_single_tier_all_take_a_revision_that_they_do_not_prove() -> None:
    on = begun(batch())
    on.answer_single_tier(*TEN)
    for _ in TEN:
        step(on)
        on.answer_single_tier(*TEN)
    rollout = step(on)
    assert on.having(batch()) == TEN
    assert (rollout.phase, rollout.due_s, good_revision(on)) == (Phase.SETTLED, None, None)
    (ready,) = (one for one in on.statuses["uid-batch"].conditions if one.type == "Ready")
    assert (ready.status, ready.reason) == ("True", "AllNodesReady")


def test_where_only_nodes_with_a_single_tier_are_ready_the_first_with_two_are_a_canary() -> None:
    on = begun(batch(), ["a0", "a1"])
    for _ in range(4):
        step(on)
        on.answer_single_tier("a0", "a1")
        on.now_s += BAKE_S
    on.told.clear()
    on.add("b0", "b1", "b2")
    for _ in range(3):
        step(on)
    assert told(on) == ["b0"]


def test_a_node_with_a_single_tier_is_no_canary_while_others_are_there() -> None:
    on = begun(batch())
    on.answer_single_tier(*TEN[:7])
    step(on)
    assert told(on) == ["n7"]


def test_a_canary_that_turns_out_to_have_a_single_tier_is_replaced() -> None:
    on = begun(batch())
    step(on)
    on.answer_single_tier("n0")
    step(on)
    assert told(on) == ["n0", "n1"]


def test_a_write_without_an_answer_is_made_again_before_any_other() -> None:
    """It may have arrived: to tell another node instead could make one too many."""
    on = begun(batch())
    on.unsure = {"n4"}
    step(on)
    assert told(on) == ["n4"]


def test_a_node_whose_spec_cannot_be_read_keeps_it_until_its_turn() -> None:
    """A version that could wrote it, when the policy said what this one cannot read."""
    on = rolled_out(batch())
    on.put(edited())
    for name in TEN:
        on.tierings[name] = unread(on.tierings[name], "batch")
    step(on)
    assert told(on) == ["n0"]
    run(on)
    assert on.having(edited()) == TEN


def test_what_somebody_tampered_with_is_as_it_was_again() -> None:
    on = rolled_out(batch())
    on.put(edited(paused=True))
    spec = on.tierings["n3"].spec
    assert spec is not None
    assert spec.settings is not None
    tampered = replace(spec, settings=replace(spec.settings, young_filter=False))
    on.tierings["n3"] = replace(on.tierings["n3"], spec=tampered)
    step(on)
    assert on.having(batch()) == TEN
