"""Why workloads are not all treated as they should be, as a frozen value. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why not every pod that should be tiered is, or not as its rule says.

    Attributes:
        reason: CamelCase, for conditions.
    """

    reason: str
    message: str
