"""Log lines become steps that add up."""

import pytest

from bench.steps import Steps, apply_to_on, median_run, start_to_ready


def at(second: float, **values: object) -> dict[str, object]:
    return {"time": f"1970-01-01T00:00:{second:06.3f}Z", **values}


OPERATOR = [at(5, event="spec written: old"), at(11.5, event="spec written: policy", node="n")]
AGENT = [
    at(9, step="observe", took_s=0.1),
    at(12.5, step="observe", took_s=0.5),
    at(13.0, step="probe", took_s=0.5),
    at(13.25, step="plan", took_s=0.25),
    at(15.0, step="apply", took_s=1.75),
    at(15.5, step="verify", took_s=0.5),
]


def test_the_way_from_apply_to_on_adds_up() -> None:
    way = apply_to_on(10.0, OPERATOR, AGENT)
    assert dict(way.seconds) == {
        "kubectl_and_operator": 1.5,
        "delivery": 0.5,
        "observe": 0.5,
        "probe": 0.5,
        "plan": 0.25,
        "apply": 1.75,
    }
    assert way.total == 5.0
    assert way.figures("apply_to_on")["apply_to_on_seconds"] == 5.0


def test_an_agent_that_was_faster_than_the_operators_log_line_takes_no_negative_time() -> None:
    way = dict(apply_to_on(10.0, [at(12.2, event="spec written: policy")], AGENT).seconds)
    assert way["delivery"] == 0
    assert way["kubectl_and_operator"] == 2


def test_half_a_way_is_an_error() -> None:
    with pytest.raises(ValueError, match="do not hold"):
        apply_to_on(10.0, OPERATOR, AGENT[:3])


def test_a_start_ends_with_the_first_status_that_is_ready() -> None:
    lines = [
        at(1, note="listed"),
        at(2, step="start", took_s=2, monotonic_s=12),
        at(3, step="publish", took_s=1, monotonic_s=13, ready="False"),
        at(8, step="observe", took_s=0.5, monotonic_s=16.5),
        at(8, step="publish", took_s=0.25, monotonic_s=16.75, ready="True"),
        at(9, step="publish", took_s=1, monotonic_s=19, ready="True"),
    ]
    way = start_to_ready(lines)
    assert dict(way.seconds) == {"start": 2, "publish": 1.25, "observe": 0.5, "between_turns": 3}
    assert way.total == 6.75


def test_an_agent_that_is_not_ready_has_not_started() -> None:
    with pytest.raises(ValueError, match="Ready"):
        start_to_ready([at(3, step="publish", took_s=1, monotonic_s=13, ready="False")])


def test_the_median_run_is_one_that_was_run() -> None:
    runs = [Steps((("a", second),)) for second in (5.0, 1.0, 3.0)]
    assert median_run(runs).total == 3.0
