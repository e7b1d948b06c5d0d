"""A report adds up what was sampled, and its page needs nothing from anywhere."""

import re
import xml.etree.ElementTree as Xml
from dataclasses import replace
from datetime import timedelta

import pytest

from cases.plugin_fleet import GIB, NOW, a_fleet
from terrace_api.units import Duration
from terrace_kubectl import report as reports
from terrace_kubectl.errors import Unreachable
from terrace_kubectl.fleet import Fleet
from terrace_kubectl.page import page
from terrace_kubectl.report import MOST_NODES, ReportView, Sample, report
from terrace_kubectl.rows import NodeRow, node_rows
from terrace_kubectl.sampling import take
from terrace_kubectl.shapes import cut

FLEET = a_fleet()
ROWS = {row.name: row for row in node_rows(FLEET)}


def samples(*rows: tuple[NodeRow, ...]) -> list[Sample]:
    return [Sample(at=NOW + timedelta(seconds=30 * index), rows=one) for index, one in enumerate(rows)]


def moved(name: str, *promoted_gib: int) -> list[Sample]:
    return samples(*((replace(ROWS[name], promoted_bytes=gib * GIB),) for gib in promoted_gib))


def a_report(found: list[Sample]) -> ReportView:
    return report("https://cluster:6443", found, FLEET)


def test_what_moved_is_the_growth_between_two_samples() -> None:
    points = a_report(moved("batch-1", 10, 12, 12, 20)).points
    assert [point.promoted_bytes // GIB for point in points] == [0, 2, 0, 8]


def test_a_counter_that_began_anew_counts_from_nothing() -> None:
    points = a_report(moved("batch-1", 10, 3)).points
    assert [point.promoted_bytes // GIB for point in points] == [0, 3]


def test_a_node_that_joins_brings_nothing_that_moved_before() -> None:
    points = a_report(samples((ROWS["batch-1"],), (ROWS["batch-1"], ROWS["batch-2"]))).points
    assert [point.promoted_bytes for point in points] == [0, 0]


def test_a_node_that_was_not_there_yet_has_no_heat() -> None:
    tracks = {one.name: one for one in a_report(samples((), (ROWS["batch-1"],))).tracks}
    assert tracks["batch-1"].fast_used == (-1.0, 0.9688)


def test_only_nodes_with_two_tiers_are_drawn_those_that_moved_most_first() -> None:
    view = a_report([reports.sample(FLEET, NOW)])
    assert [one.name for one in view.tracks][:3] == ["batch-1", "batch-2", "batch-3"]
    assert not {"web-4", "web-6"} & {one.name for one in view.tracks}


def test_of_a_large_fleet_some_nodes_are_drawn_and_the_rest_is_counted() -> None:
    rows = tuple(replace(ROWS["batch-1"], name=f"node-{number}") for number in range(MOST_NODES + 7))
    view = a_report(samples(rows))
    assert (len(view.tracks), view.more_nodes) == (MOST_NODES, 7)
    assert "7 others are left out" in page(view)


def test_nodes_in_observe_show_what_is_on_the_wrong_tier() -> None:
    (found,) = a_report([reports.sample(FLEET, NOW)]).observed
    assert (found.name, found.levels.hot_on_slow_bytes) == ("edge-1", 5 * GIB)


@pytest.mark.parametrize("count", [1, 5])
def test_the_page_is_one_file_with_pictures_that_are_well_formed(count: int) -> None:
    text = page(a_report(samples(*[tuple(ROWS.values())] * count)))
    pictures = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(pictures) == 4
    for picture in pictures:
        assert Xml.fromstring(picture).attrib["aria-label"]
    assert not re.search(r"<script|<link|<img|@import|url\(|src=|href=", text)


def test_nothing_that_a_node_says_becomes_markup() -> None:
    evil = replace(ROWS["batch-1"], name="<b>x</b>", policy="&")
    text = page(a_report(samples((evil,), (evil,))))
    assert "<b>x" not in text
    assert "&lt;b&gt;x" in text


def test_a_page_of_a_cluster_without_slow_memory_says_so() -> None:
    text = page(a_report(samples((ROWS["web-4"],))))
    assert "No node has reported a slow tier." in text
    assert "<h2>Heat map" not in text


def test_long_names_lose_their_middle() -> None:
    assert cut("ip-10-0-12-34.eu-west-1.compute.internal", 21) == "ip-10-0-12…e.internal"
    assert cut("short", 21) == "short"


class Flaky:
    """An API server that does not answer every look."""

    def __init__(self, *answers: bool) -> None:
        self._answers = iter(answers)

    def fleet(self) -> Fleet:
        if next(self._answers):
            return FLEET
        raise Unreachable(server="https://api", why="connection refused")


def test_a_look_that_fails_costs_no_other_sample(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Flaky(True, True, False, True)
    found, last = take(cluster, Duration.parse("3s"), Duration.parse("1s"), lambda seconds: None)
    assert (len(found), last) == (3, FLEET)
    assert "sample 2 is left out: the API server at https://api does not answer" in capsys.readouterr().err


def test_without_a_first_look_there_is_no_page() -> None:
    with pytest.raises(Unreachable):
        take(Flaky(False), Duration.parse("3s"), Duration.parse("1s"), lambda seconds: None)
