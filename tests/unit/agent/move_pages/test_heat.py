"""Heat over bytes is what the same rules say page by page."""

from hypothesis import given
from hypothesis import strategies as st

from terrace_agent.move_pages.heat import LOOKS, Heat, Look, cold, hot, marked, resized, runs, seen, unknown

PAGES = 12
FLAGS = st.lists(st.booleans(), min_size=PAGES, max_size=PAGES)
LOOK = st.tuples(FLAGS, FLAGS)


def look(sure: list[bool], maybe: list[bool]) -> Look:
    return Look(
        sure=bytes(0x80 * one for one in sure),
        maybe=bytes(0x80 * (one or other) for one, other in zip(sure, maybe, strict=True)),
    )


def after(looks: list[tuple[list[bool], list[bool]]]) -> Heat:
    heat = unknown(PAGES)
    for sure, maybe in looks:
        heat = seen(heat, look(sure, maybe))
    return heat


def pages(flags: bytes) -> set[int]:
    found = {page for run in runs(flags) for page in run}
    assert len(found) == flags.count(1)
    return found


@given(st.lists(LOOK, max_size=12), st.integers(1, 4), st.integers(1, LOOKS))
def test_hot_pages_were_touched_just_now_and_often_enough(
    looks: list[tuple[list[bool], list[bool]]], touches: int, of: int
) -> None:
    newest = [sure for sure, _ in looks][-of:]
    wanted = {
        page for page in range(PAGES) if looks and looks[-1][0][page] and sum(sure[page] for sure in newest) >= touches
    }
    assert pages(hot(after(looks), touches=touches, looks=of)) == wanted


@given(st.lists(LOOK, max_size=12), st.integers(1, LOOKS))
def test_cold_pages_were_not_even_perhaps_touched_and_were_watched_for_long_enough(
    looks: list[tuple[list[bool], list[bool]]], of: int
) -> None:
    newest = looks[-of:]
    quiet = {page for page in range(PAGES) if not any(sure[page] or maybe[page] for sure, maybe in newest)}
    assert pages(cold(after(looks), looks=of)) == (quiet if len(looks) >= of else set())


@given(st.lists(LOOK, min_size=1, max_size=12))
def test_no_page_is_hot_and_cold(looks: list[tuple[list[bool], list[bool]]]) -> None:
    heat = after(looks)
    assert not pages(hot(heat, touches=1, looks=1)) & pages(cold(heat, looks=1))


@given(st.lists(LOOK, min_size=8, max_size=8), st.integers(0, PAGES - 1), st.integers(2, LOOKS))
def test_a_page_that_was_promoted_is_not_cold_before_as_many_quiet_looks(
    looks: list[tuple[list[bool], list[bool]]], page: int, of: int
) -> None:
    heat = marked(after(looks), [range(page, page + 1)], hot=True)
    nothing = look([False] * PAGES, [False] * PAGES)
    for _ in range(of - 1):
        heat = seen(heat, nothing)
        assert page not in pages(cold(heat, looks=of))
    assert page in pages(cold(seen(heat, nothing), looks=of))


def test_a_page_that_was_demoted_has_to_be_touched_anew_as_often_as_any() -> None:
    everything = look([True] * PAGES, [True] * PAGES)
    heat = marked(seen(seen(unknown(PAGES), everything), everything), [range(3, 5)], hot=False)
    heat = seen(heat, everything)
    assert pages(hot(heat, touches=2, looks=3)) == set(range(PAGES)) - {3, 4}
    assert pages(hot(seen(heat, everything), touches=2, looks=3)) == set(range(PAGES))


@given(st.integers(-PAGES, PAGES), st.integers(0, 2 * PAGES))
def test_a_range_that_grew_or_shrank_keeps_the_history_of_its_pages(before: int, size: int) -> None:
    heat = Heat(sure=bytes(range(1, PAGES + 1)), maybe=bytes(range(1, PAGES + 1)), looks=8)
    changed = resized(heat, before=before, pages=size)
    assert changed.pages == size
    for page in range(size):
        old = page - before
        assert changed.sure[page] == (old + 1 if 0 <= old < PAGES else 0)
        assert changed.maybe[page] == (old + 1 if 0 <= old < PAGES else 0xFF)
