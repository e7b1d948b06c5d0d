from dataclasses import replace

from cases.fleets import a_condition, a_node, a_policy, policies, statuses
from terrace_api.policy_status import Stopped
from terrace_operator.pace import CHANGES_S, TOTALS_S, due_at
from terrace_operator.retry import after_failure, may_try
from terrace_operator.statuses import StatusWrite

STATUS = statuses(policies(a_policy("batch")), [a_node("a")])["batch"]
MOVED = replace(STATUS, promoted_bytes=2**20, promoted="1Mi")
OTHER = replace(STATUS, ready_nodes=1, ready="1/1")


def test_what_says_nothing_new_is_never_due() -> None:
    assert due_at(STATUS, STATUS, None) is None
    assert due_at(STATUS, STATUS, 5.0) is None


def test_the_order_of_conditions_is_nothing_new() -> None:
    assert due_at(replace(STATUS, conditions=STATUS.conditions[::-1]), STATUS, 5.0) is None


def test_the_first_write_of_this_process_is_due_at_once() -> None:
    assert due_at(None, STATUS, None) == 0.0
    assert due_at(STATUS, MOVED, None) == 0.0


def test_changes_are_written_at_a_bounded_rate() -> None:
    assert due_at(STATUS, OTHER, 100.0) == 100.0 + CHANGES_S
    conditions = (*STATUS.conditions[1:], a_condition("Ready", "True"))
    assert due_at(STATUS, replace(STATUS, conditions=conditions), 100.0) == 100.0 + CHANGES_S


def test_totals_alone_are_written_once_a_minute() -> None:
    assert due_at(STATUS, MOVED, 100.0) == 100.0 + TOTALS_S


def test_totals_go_along_with_any_other_change() -> None:
    assert due_at(STATUS, replace(OTHER, promoted_bytes=1, promoted="1"), 100.0) == 100.0 + CHANGES_S


def test_each_failure_in_a_row_is_followed_by_a_longer_wait_up_to_a_minute() -> None:
    failed = None
    waits = []
    for _ in range(9):
        failed = after_failure("this", failed, 1000.0)
        waits.append(failed.not_before_s - 1000.0)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_write_that_failed_is_held_back_until_its_time() -> None:
    failed = after_failure("this", None, 10.0)
    assert not may_try("this", failed, 10.5)
    assert may_try("this", failed, 11.0)


def test_another_write_of_the_same_object_is_not_held_back() -> None:
    failed = after_failure("this", None, 10.0)
    assert may_try("that", failed, 10.0)
    assert after_failure("that", failed, 10.0).times == 1


def test_a_write_that_never_failed_may_be_tried() -> None:
    assert may_try("this", None, 0.0)


def test_a_status_whose_counts_changed_is_the_same_to_try_and_one_that_remembers_or_answers_more_is_not() -> None:
    write = StatusWrite(name="batch", uid="uid-batch", before=None, after=STATUS)
    stopped = Stopped(generation=1, revision="r", nodes=("a",), message="failed")
    assert replace(write, after=OTHER).wanted == write.wanted
    assert replace(write, after=replace(STATUS, stopped=stopped)).wanted != write.wanted
    assert replace(write, after=replace(STATUS, observed_generation=2)).wanted != write.wanted


def test_what_fails_for_days_is_tried_once_a_minute() -> None:
    failed = None
    for _ in range(1100):
        failed = after_failure("this", failed, 10.0)
    assert failed
    assert failed.not_before_s == 70.0
