"""Nodes in sentences: how many, and a few by name with what they say. Pure."""

from collections.abc import Iterable

from terrace_operator.standing import Standing

_NAMED_NODES = 3
_MESSAGE_CHARS = 200


def nodes(count: int) -> str:
    """Returns `1 node`, `2 nodes` and so on."""
    return "1 node" if count == 1 else f"{count} nodes"


def some(standings: Iterable[Standing]) -> str:
    """Returns the first few nodes, each with its reason and the start of its message."""
    listed = tuple(standings)
    return a_few([f"{one.node} ({one.reason}: {one.message[:_MESSAGE_CHARS]})" for one in listed])


def a_few(words: list[str]) -> str:
    """Returns the first few, and how many more there are."""
    more = len(words) - _NAMED_NODES
    return ", ".join(words[:_NAMED_NODES]) + (f", and {more} more" if more > 0 else "")
