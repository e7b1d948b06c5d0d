"""Recorded runs become rows, medians, one flat line and a page."""

from dataclasses import replace

from bench.placement import recorded
from bench.placement.contestants import CONTESTANTS, damon_tier
from bench.placement.figures import Figures
from bench.placement.page import PAGE, page, run_line
from bench.placement.rows import Row, add, decode, encode, flat, medians, merge
from bench.placement.workloads import WORKLOADS

MIB = 1 << 20


def figures(seconds: float | None, moved: int = 100) -> Figures:
    return Figures(
        hot_fast_percent=(0.0, 50.0, 99.5),
        mean_heat_fast_percent=70.0,
        seconds_to_90_percent=seconds,
        seconds_to_90_percent_after_swap=None,
        moved_bytes=moved * MIB,
        useful_bytes=50 * MIB,
        rest_bytes=0,
        kdamond_seconds=1.5,
        agent_seconds=4.0,
        kswapd_seconds=0.0,
        rest_cpu_percent=2.0,
    )


def row(contestant: str, seconds: float | None, *, number: int = 1, run: str = "2026-01-01T00:00") -> Row:
    return Row(
        run=run,
        machine="m",
        kernel="7.3",
        workload="hot-on-slow",
        contestant=contestant,
        round=number,
        figures=figures(seconds),
    )


def cannot(contestant: str) -> Row:
    return Row(
        run="r", machine="m", kernel="7.3", workload="swap", contestant=contestant, round=1, unavailable="no goals"
    )


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(recorded.read()), "run make generate"


def test_a_row_survives_the_file() -> None:
    assert [decode(encode(one)) for one in (row("terrace", 3), cannot("numa"))] == [row("terrace", 3), cannot("numa")]


def test_a_new_run_replaces_what_it_ran_anew_and_nothing_else() -> None:
    old = [row("terrace", 1), row("terrace", 2, number=2), row("numa", 3)]
    new = [row("terrace", 9, run="2026-02-02T00:00")]
    assert merge(old, new) == [row("numa", 3), *new]


def test_what_a_run_has_so_far_is_recorded_once_however_often_it_is_written() -> None:
    first, second = row("terrace", 9), row("terrace", 8, number=2)
    recorded_rows = merge([row("numa", 3)], [first])
    assert merge(recorded_rows, [first, second]) == [row("numa", 3), first, second]


def test_rounds_are_added_to_those_of_other_runs_once_however_often_they_are_written() -> None:
    old = [row("numa", 3, run="r"), row("terrace", 8, run="r"), row("terrace", 9, number=2, run="r")]
    first, second = row("terrace", 5), row("terrace", 6, number=2)
    once = add(old, [first])
    assert add(once, [first, second]) == [*old, replace(first, round=3), replace(second, round=4)]


def test_a_median_is_a_round_that_was_run_and_none_if_most_never_came_there() -> None:
    rounds = [row("terrace", seconds, number=number) for number, seconds in enumerate((5, 1, None, None, None))]
    assert medians(rounds)["terrace"]["seconds_to_90_percent"] is None
    assert medians(rounds[:4])["terrace"]["seconds_to_90_percent"] == 5


def test_the_last_line_is_flat_and_names_its_units() -> None:
    told = flat([row("terrace", 3), row("numa", None), cannot("mem-tier")])
    assert told["hot_on_slow_terrace_seconds_to_90_percent"] == 3
    assert told["hot_on_slow_numa_seconds_to_90_percent"] is None
    assert told["hot_on_slow_terrace_moved_bytes"] == 100 * MIB
    assert not any(isinstance(value, (list, dict, tuple)) for value in told.values())


def test_the_page_names_machine_kernel_rounds_and_who_is_first() -> None:
    text = page([row("terrace", 3), row("numa", 30), row("nothing", None), cannot("mem-tier")])
    assert "## Linux 7.3" in text and "On m, 2026-01-01" in text and "One round." in text
    assert "Terrace (`damon`): **first** (best of the others: the kernel's `numa_balancing` 2" in text
    assert "not on this kernel: no goals" in text
    assert f"| {CONTESTANTS['terrace'].title} | 3.0 s | - | 70.0 % | 99.5 % | 100 MiB | 2.00 | 0 MiB |" in text


def test_a_page_without_runs_says_so() -> None:
    assert page([]).endswith("\nNo run is recorded yet.\n")


def test_a_run_in_one_line() -> None:
    assert "90% 3.0 s / -" in run_line(row("terrace", 3))
    assert "not on this kernel (no goals)" in run_line(cannot("numa"))


def test_damon_tier_is_its_golden_stores_over_all_memory_with_open_watermarks() -> None:
    region = "0/contexts/0/targets/0/regions/0"
    script = damon_tier(
        f"nr_kdamonds 1\n{region}/start 4096\n{region}/end 137438953472\n0/watermarks/metric free_mem_rate"
    )
    assert "put nr_kdamonds 1\n" in script
    assert f"put {region}/start 4096\nput {region}/end $end\nput 0/watermarks/metric none\n" in script


def test_names_can_be_given_to_make() -> None:
    assert all(name == name.strip() and " " not in name for name in (*WORKLOADS, *CONTESTANTS))
