"""Fields of a policy that only DAMON can keep, in words for the other engines. Pure. Before: settings. After: notes."""

from collections.abc import Iterator

from terrace_api.policy import Settings


def words(settings: Settings, engine: str) -> Iterator[str]:
    """Yields what a policy bounds and `engine` does not."""
    if settings.monitoring.ranges:
        yield f"monitoring.ranges: {engine} moves memory outside of them, too; DAMON keeps to them"
    if settings.watermarks:
        yield f"watermarks: {engine} does not pause by them; DAMON does"
