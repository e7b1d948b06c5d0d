"""Makes the testbed's fixtures known to all tests; see `testbed.fixtures`."""

from hypothesis import settings

pytest_plugins = ["testbed.fixtures", "golden.update", "contract.option"]

settings.register_profile("any machine", deadline=None)  # a busy machine is no defect
settings.load_profile("any machine")
