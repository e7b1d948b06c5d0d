"""Makes the testbed's fixtures known to all tests; see `testbed.fixtures`."""

from hypothesis import settings

pytest_plugins = ["testbed.fixtures", "testbed.once_more", "golden.update", "contract.option"]

# How long an example takes is the machine's business: a busy one must not turn a property red.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
