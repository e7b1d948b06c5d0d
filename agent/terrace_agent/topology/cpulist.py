"""The kernel's list format (`0-3,8`), as in `cpulist`, `has_memory` and `nodelist`. Pure."""


def parse_list(text: str) -> tuple[int, ...]:
    """Returns the numbers of a kernel list in ascending order; an empty text is an empty list.

    Raises:
        ValueError: the text is no such list.
    """
    numbers: set[int] = set()
    for part in text.strip().split(","):
        if part:
            first, _, last = part.partition("-")
            numbers.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(numbers))


def format_list(numbers: tuple[int, ...]) -> str:
    """Returns the shortest kernel list of `numbers`."""
    spans: list[list[int]] = []
    for number in sorted(set(numbers)):
        if spans and spans[-1][1] + 1 == number:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
