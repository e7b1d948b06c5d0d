"""Units: text to the kernel's integers and back."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from terrace_api.schema import part
from terrace_api.units import Duration, Percent, Portion, Size, UnitError, display_bytes

DURATION = part("tieringpolicies", "spec", "promotion", "minAge")["pattern"]
SIZE = part("tieringpolicies", "spec", "quota", "size")["pattern"]


@given(st.integers(min_value=0, max_value=9_999_999 * 3_600_000_000))
@example(10_000_001)
def test_a_duration_comes_back_from_its_text(us: int) -> None:
    assert Duration.parse(str(Duration(us))) == Duration(us)


@given(st.from_regex(DURATION, fullmatch=True))
@example("10s1us")
@example("1h1m1s1001us")
def test_a_duration_that_the_schema_accepts_is_written_as_it_accepts_it(text: str) -> None:
    try:
        duration = Duration.parse(text)
    except UnitError as error:
        assert "longer than 9999999h" in str(error)
    else:
        assert re.fullmatch(DURATION, str(duration))
        assert len(str(duration)) <= 32


@pytest.mark.parametrize(
    ("us", "text"), [(0, "0s"), (90_000_000, "90s"), (5_400_000_000, "90m"), (10_000_001, "10s1us"), (1_500, "1500us")]
)
def test_a_duration_is_written_in_one_unit_where_that_is_short(us: int, text: str) -> None:
    assert str(Duration(us)) == text


@given(st.integers(min_value=0, max_value=10_000))
def test_a_share_comes_back_from_its_text(bp: int) -> None:
    assert Percent.parse(str(Percent(bp))) == Percent(bp)


@given(st.from_regex(SIZE, fullmatch=True) | st.integers(min_value=1, max_value=2**56))
@example("999999999999999k")
@example(10**16)
def test_a_size_that_the_schema_accepts_is_written_as_it_accepts_it(value: str | int) -> None:
    try:
        size = Size.parse(value)
    except UnitError as error:
        assert "at most 65536Ti" in str(error)
    else:
        assert re.fullmatch(SIZE, str(size))
        assert Size.parse(str(size)) == size


@given(st.integers(min_value=1, max_value=2**56))
def test_a_size_comes_back_from_its_text(count: int) -> None:
    assert Size.parse(str(Size(count))) == Size(count)


@pytest.mark.parametrize(
    ("text", "us"), [("5ms", 5_000), ("1s", 1_000_000), ("1m30s", 90_000_000), ("2h", 7_200_000_000), ("0s", 0)]
)
def test_durations(text: str, us: int) -> None:
    assert Duration.parse(text).us == us


@pytest.mark.parametrize("text", ["5", "ms", "-5ms", "1.5s", "5 ms", "", "1d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UnitError, match="as in 5ms"):
        Duration.parse(text)


@pytest.mark.parametrize(("text", "bp"), [("99.6%", 9960), ("0.4%", 40), ("100%", 10_000), ("4%", 400), ("0.01%", 1)])
def test_shares(text: str, bp: int) -> None:
    assert Percent.parse(text).bp == bp


@pytest.mark.parametrize("text", ["100.01%", "5", "-1%", "1.234%", "%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(UnitError, match=r"as in 99\.6%"):
        Percent.parse(text)


@pytest.mark.parametrize(
    ("written", "total", "count"),
    [
        (1, 100, 1),
        (5, 3, 5),
        ("10%", 100, 10),
        ("10%", 101, 11),
        ("10%", 1, 1),
        ("0.01%", 5000, 1),
        ("10%", 0, 1),
        ("100%", 7, 7),
    ],
)
def test_a_share_of_things_is_rounded_up_and_at_least_one(written: str | int, total: int, count: int) -> None:
    assert Portion.parse(written).of(total) == count
    assert Portion.parse(written).plain == written


@pytest.mark.parametrize("value", [0, -1, True, "5", "101%"])
def test_what_is_no_portion_is_refused(value: str | int) -> None:
    with pytest.raises(UnitError):
        Portion.parse(value)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (1000, "1Ki"),
        (262_144_000, "250Mi"),
        (1_288_490_189, "1.2Gi"),
        (1023 * 2**20, "1Gi"),
        (2**60, "1048576Ti"),
    ],
)
def test_bytes_for_people(count: int, text: str) -> None:
    assert display_bytes(count) == text
