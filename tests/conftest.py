"""Makes the testbed's fixtures known to all tests; see `testbed.fixtures`."""

pytest_plugins = ["testbed.fixtures", "golden.update", "contract.option"]
