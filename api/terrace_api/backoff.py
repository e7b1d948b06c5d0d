"""How long to wait before something that failed is tried again. Pure."""

_MOST_DOUBLINGS = 64


def backoff_s(failures: int, *, first_s: float, most_s: float) -> float:
    """Returns `first_s` after the first failure, twice as much after each further one in a row, at most `most_s`.

    However many there were: after 1024 the power alone would be more than a float holds.
    """
    return min(most_s, first_s * (1 << min(failures - 1, _MOST_DOUBLINGS)))
