"""Units: text to the kernel's integers and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrace_api.units import Duration, Percent, Portion, Size, UnitError, display_bytes


@given(st.integers(min_value=0, max_value=10**12))
def test_a_duration_comes_back_from_its_text(us: int) -> None:
    text = str(Duration(us))
    if len(text) < 8:
        assert Duration.parse(text) == Duration(us)


@given(st.integers(min_value=0, max_value=10_000))
def test_a_share_comes_back_from_its_text(bp: int) -> None:
    assert Percent.parse(str(Percent(bp))) == Percent(bp)


@given(st.integers(min_value=1, max_value=10**14))
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
