"""What the figures of a workload need to be understood, by workload. Written by hand, after a look at why. Pure."""

from __future__ import annotations

from collections.abc import Mapping

NOTES: Mapping[str, str] = {}
