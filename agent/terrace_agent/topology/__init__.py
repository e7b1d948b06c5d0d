"""Which NUMA nodes this machine has, which are fast and which are slow, and why.

`read` gathers what sysfs and proc say, `discover` (pure) turns it into a `Topology`, `floor` (pure) says how much of
a nid must stay free. Nothing here stores anything.
"""
