"""The file of recorded runs, of which docs/placement.md is made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from bench.placement.rows import Row, decode, encode

FILE = Path(__file__).parent / "recorded.json"


def read() -> list[Row]:
    """Returns the recorded runs; none if there is no file yet."""
    return [decode(one) for one in json.loads(FILE.read_text(encoding="utf-8"))] if FILE.exists() else []


def write(rows: Sequence[Row]) -> None:
    """Writes all runs, one a line, so that a difference can be read."""
    lines = ",\n".join(json.dumps(encode(row)) for row in rows)
    FILE.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
