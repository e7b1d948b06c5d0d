"""What a command is about, as people write it: nothing, `policy NAME`, `node/NAME`, `pod NAME`. Pure.

Before: `commands`. After: the command that was asked for.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from enum import StrEnum

from terrace_kubectl.errors import BadInput


class Kind(StrEnum):
    """What there is to ask about."""

    POLICY = "policy"
    NODE = "node"
    POD = "pod"


_WORDS = {
    **dict.fromkeys(("policy", "policies", "tieringpolicy", "tieringpolicies", "tp"), Kind.POLICY),
    **dict.fromkeys(("node", "nodes", "no", "nodetiering", "nodetierings", "nt"), Kind.NODE),
    **dict.fromkeys(("pod", "pods", "po"), Kind.POD),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One object."""

    kind: Kind
    name: str


def parse(words: Sequence[str], *, accepted: Container[Kind]) -> Target:
    """Returns the object that the words name.

    Raises:
        BadInput: they name none, or one of a kind that is not accepted.
    """
    usage = " or ".join(f"{kind.value} NAME" for kind in Kind if kind in accepted)
    parts = words[0].split("/", 1) if len(words) == 1 else list(words)
    if len(parts) != 2 or not parts[1]:
        raise BadInput(f"{' '.join(words)!r} names no object; write {usage}")
    kind = kind_of(parts[0])
    if kind is None or kind not in accepted:
        raise BadInput(f"{parts[0]!r} is not a kind that is known here; write {usage}")
    return Target(kind=kind, name=parts[1])


def kind_of(word: str) -> Kind | None:
    """Returns the kind that a word means, also in plural or short."""
    return _WORDS.get(word.lower().partition(".")[0])
