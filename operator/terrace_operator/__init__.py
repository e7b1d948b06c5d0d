"""The operator: compiles TieringPolicies into one NodeTiering per node and rolls their statuses up.

Rule of this package: every step is a function of the whole current state, never of what changed. `fleet` holds that
state as values; the modules marked *pure* decide; only `handlers` imports kopf and only `cluster` talks to the API
server.

Flow of one pass (`reconcile`):

    cluster ─► fleet ─► select ► rank ► assign ─► progress ► rollout ► decide ─► node_writes ─┐
                          └───────────► standing ─► tally ► verdict ► rollup ─► pace ─────────┴─► cluster

Every replica reads; `elector` says which one may write, and for how long.
"""
