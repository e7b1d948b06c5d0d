"""Errors of the API package.

    TerraceError                 everything of ours; agent and operator extend the tree
    └── InvalidObject            an object breaks its schema or a rule between fields
                                 (`problems`: one `Problem` per field, in the object's order)

Raised with values, not sentences: `str()` makes the sentence.
"""

from dataclasses import dataclass


class TerraceError(Exception):
    """Root of every error that Terrace raises on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with one field, and what would be right.

    Attributes:
        field: path in the object as people write it, for example `spec.promotion.minAge`.
        message: what is wrong and what is accepted.
    """

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class InvalidObject(TerraceError):
    """An object that cannot be accepted; nothing of it was used."""

    def __init__(self, *, kind: str, problems: tuple[Problem, ...]) -> None:
        self.kind = kind
        self.problems = problems
        super().__init__(kind, problems)

    def __str__(self) -> str:
        return f"{self.kind} is invalid: " + "; ".join(map(str, self.problems))
