"""The kubectl plugin: shows what Terrace does on a cluster, why, and what is in the way. It changes nothing.

Rule of this package: views are frozen values, computed from objects by pure functions; what prints them holds no
decision. Only `connection` imports kubernetes. Whatever the operator decides is computed by the operator's own pure
modules (`.importlinter` names them): a second implementation would drift from what it foretells. None of them needs
kopf, and this package's extra does not install it.

Flow of one command:

    connection ─► cluster ─► objects ─► fleet ─► a view (fleet_view, policy_view, node_view, ...) ─► show ─► terminal
                                                   │                                             └─► JSON, YAML
                                                   └─► report: page (HTML with pictures)
"""
