"""Looks at the fleet time and again. Shell.

Before: `commands`. After: `report`.
"""

import sys
import time
from datetime import UTC, datetime
from typing import Any

import click

from terrace_api.units import Duration, UnitError
from terrace_kubectl.cluster import Cluster
from terrace_kubectl.fleet import Fleet
from terrace_kubectl.report import Sample, sample

_LEAST_US = 1_000_000


class Span(click.ParamType[Duration]):
    """A duration of the command line, spelled as in policies."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Duration:
        """Returns the duration, or fails with what is accepted."""
        try:
            return value if isinstance(value, Duration) else Duration.parse(value)
        except UnitError as error:
            self.fail(str(error), param, ctx)


SPAN = Span()


def take(cluster: Cluster, span: Duration, every: Duration) -> tuple[list[Sample], Fleet]:
    """Returns samples over `span`, at least one, and the fleet at the last of them.

    Ctrl-C ends it early: what was seen so far is worth a page.
    """
    step_us = max(every.us, _LEAST_US)
    begun_s = time.monotonic()
    fleet = cluster.fleet()
    samples = [sample(fleet, datetime.now(UTC))]
    try:
        for number in range(1, span.us // step_us + 1):
            _tell(f"sample {number} of {span.us // step_us + 1}; Ctrl-C writes what there is")
            time.sleep(max(0.0, begun_s + number * step_us / 1e6 - time.monotonic()))
            fleet = cluster.fleet()
            samples.append(sample(fleet, datetime.now(UTC)))
    except KeyboardInterrupt:
        _tell("interrupted")
    return samples, fleet


def _tell(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{text:<60}", nl=False, err=True)
