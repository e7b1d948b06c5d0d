"""Who is asked to make how much room."""

from hypothesis import given
from hypothesis import strategies as st

from terrace_agent.flows.directions import flows
from terrace_agent.journal import JournalState
from terrace_agent.numa_balancing.counters import advance, begin, end
from terrace_agent.numa_balancing.room import CgroupMemory, Wanted, leaves, shares, wanted
from unit.agent.damon.builders import GIB, MIB, nid, settings, topology, with_free

SIZES = st.integers(min_value=0, max_value=1 << 30)
CGROUPS = st.lists(
    st.builds(
        lambda number, anon, file: CgroupMemory(path=f"/{number}", anon_bytes={0: anon}, file_bytes=file),
        st.integers(0, 99),
        SIZES,
        SIZES,
    ),
    max_size=8,
)


@given(SIZES, CGROUPS)
def test_no_more_is_asked_for_than_is_lacking_and_never_all_of_a_cgroup(lack: int, cgroups: list[CgroupMemory]) -> None:
    asked = list(shares(Wanted(nid=0, bytes=lack // 4096 * 4096), cgroups))
    assert sum(size for _, size in asked) <= lack
    assert all(0 < size <= cgroup.anon_bytes[0] // 2 and size % 4096 == 0 for cgroup, size in asked)
    assert all(cgroup.file_bytes * 10 <= cgroup.anon_bytes[0] for cgroup, _ in asked)


def test_fast_nids_share_the_room_of_one_slow_nid() -> None:
    distances = {0: 10, 1: 10, 2: 20}
    nids = [nid(number, 64 * GIB, floor_bytes=256 * MIB, distances=distances) for number in range(3)]
    guard_bytes = 64 * GIB // 100
    where = with_free(topology((nids[0], nids[1]), (nids[2],)), {0: 0, 1: 0, 2: guard_bytes + 30 * MIB})
    found = wanted(flows(settings(), where, has_safety_net=True, chooses_target=False))
    assert [one.nid for one in found] == [0, 1]
    assert 20 * MIB < sum(one.bytes for one in found) <= 30 * MIB


def test_only_cgroups_without_any_below_are_leaves() -> None:
    found = leaves(["/", "/a", "/a/b", "/a/b.service", "/ab", "/c"])
    assert found == ("/a/b.service", "/a/b", "/ab", "/c")


def test_counting_goes_on_where_it_was_and_ends() -> None:
    state = begin(JournalState(), {"pgpromote_success": 100, "pgdemote_kswapd": 10, "pgdemote_direct": 5}, 4096)
    state = advance(state, {"pgpromote_success": 103, "pgdemote_kswapd": 11, "pgdemote_direct": 7}, 4096)
    state = begin(state, {"pgpromote_success": 104, "pgdemote_kswapd": 11, "pgdemote_direct": 7}, 4096)
    assert (state.promoted_bytes, state.demoted_bytes) == (4 * 4096, 3 * 4096)
    state = end(state, {"pgpromote_success": 105, "pgdemote_kswapd": 11, "pgdemote_direct": 7}, 4096)
    assert (state.promoted_bytes, state.counted_pages) == (5 * 4096, ())
    assert advance(state, {"pgpromote_success": 999}, 4096) == state


def test_a_candidate_is_not_counted_as_promoted() -> None:
    state = begin(JournalState(), {"pgpromote_success": 0, "pgpromote_candidate": 0}, 4096)
    state = advance(state, {"pgpromote_success": 0, "pgpromote_candidate": 50}, 4096)
    assert state.promoted_bytes == 0
