"""Looks at the fleet time and again. Shell.

Before: `commands`. After: `report`.
"""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

import click

from terrace_api.units import Duration, UnitError
from terrace_kubectl.errors import PluginError
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


class Looks(Protocol):
    """Whoever can be asked for the fleet."""

    def fleet(self) -> Fleet:
        """Returns it as it is now.

        Raises:
            PluginError: there was no answer, or it was a refusal.
        """


def take(
    cluster: Looks, span: Duration, every: Duration, sleep: Callable[[float], None] = time.sleep
) -> tuple[list[Sample], Fleet]:
    """Returns samples over `span`, at least one, and the fleet at the last of them.

    Ctrl-C ends it early, and a look that fails is left out: what was seen so far is worth a page.

    Raises:
        PluginError: the first look failed.
    """
    step_us = max(every.us, _LEAST_US)
    begun_s = time.monotonic()
    fleet = cluster.fleet()
    samples = [sample(fleet, datetime.now(UTC))]
    try:
        for number in range(1, span.us // step_us + 1):
            _tell(f"sample {number} of {span.us // step_us + 1}; Ctrl-C writes what there is")
            sleep(max(0.0, begun_s + number * step_us / 1e6 - time.monotonic()))
            try:
                fleet = cluster.fleet()
            except PluginError as error:
                click.echo(f"\nsample {number} is left out: {error}", err=True)
            else:
                samples.append(sample(fleet, datetime.now(UTC)))
    except KeyboardInterrupt:
        _tell("interrupted")
    return samples, fleet


def _tell(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{text:<60}", nl=False, err=True)
