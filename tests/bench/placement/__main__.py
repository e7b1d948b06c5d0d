"""`make bench-placement`: runs the chosen contestants on the chosen workloads, in rounds.

The last line is flat JSON: the medians. With --record the runs go to `recorded.json`, of which `page` makes
docs/placement.md: instead of those recorded of the same, or beside them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench.placement import page, recorded, rig
from bench.placement.contestants import CONTESTANTS
from bench.placement.rows import Row, add, flat, merge
from bench.placement.workloads import WORKLOADS
from demo.options import kernel_argument, runs_argument
from testbed import command, evidence, kernels, progress
from testbed.build_node import node_root
from testbed.errors import CommandError
from testbed.guest import Guest
from testbed.kernels import Kernel
from testbed.machine import Machine
from testbed.node import ALONE

_KEPT = {"anew": merge, "more": add}


def main() -> int:
    """Runs the benchmark and returns the exit code."""
    options = _options()
    return command.run(lambda: _run(options))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-placement")
    parser.add_argument("--kernel", type=kernel_argument, default=None)
    parser.add_argument("--workloads", nargs="*", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--contestants", nargs="*", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--rounds", type=runs_argument, default=5)
    parser.add_argument("--record", choices=_KEPT, help="keep the runs for docs/placement.md")
    return parser.parse_args()


def _run(options: argparse.Namespace) -> int:
    rows: list[Row] = []
    with _guest(options.kernel or kernels.newest()) as guest:
        rig.equip(guest)
        for row in _rows(guest, options):
            rows.append(row)
            progress.say(page.run_line(row))
            if options.record:
                recorded.write(_KEPT[options.record](recorded.read(), rows))
    print("\n".join(page.tables(rows)))
    print(json.dumps(flat(rows)), flush=True)
    return 0


@contextmanager
def _guest(kernel: Kernel) -> Iterator[Guest]:
    """Boots a guest without Kubernetes, in which nothing tiers by itself."""
    with tempfile.TemporaryDirectory(prefix="terrace-bench-", ignore_cleanup_errors=True) as directory:
        machine = Machine(boot=kernels.boot_files(kernel), root_disk=node_root() / "root.img", append=ALONE)
        kept = evidence.ARTIFACTS / "bench-placement"
        with Guest("bench", machine, Path(directory)) as guest, evidence.saved_on_failure(guest, kept):
            guest.boot()
            yield guest


def _rows(guest: Guest, options: argparse.Namespace) -> Iterator[Row]:
    """Yields runs; a round has all contestants, so that what changes on the machine meets all alike."""
    run = datetime.now(UTC).isoformat(timespec="seconds")
    for workload in options.workloads:
        for number in range(1, options.rounds + 1):
            for contestant in options.contestants:
                row = Row(
                    run=run,
                    machine=rig.machine(),
                    kernel=guest.machine.boot.release,
                    workload=workload,
                    contestant=contestant,
                    round=number,
                )
                yield _measured(guest, row)


def _measured(guest: Guest, row: Row) -> Row:
    try:
        found = rig.measure(guest, WORKLOADS[row.workload], CONTESTANTS[row.contestant])
    except CommandError as error:
        return replace(row, unavailable=str(error).strip().splitlines()[-1])
    return replace(row, figures=found)


if __name__ == "__main__":
    sys.exit(main())
