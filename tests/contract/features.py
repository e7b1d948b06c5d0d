"""The features that a kernel has, real or simulated, found as the engine finds them."""

from terrace_agent.damon.features import Feature
from terrace_agent.damon.patience import Patience
from terrace_agent.damon.probe import Prober
from terrace_agent.hostfs import HostFs


def features_of(fs: HostFs) -> frozenset[Feature]:
    """Returns the features of a kernel on which nobody uses DAMON."""
    return Prober(fs, Patience()).stage()
