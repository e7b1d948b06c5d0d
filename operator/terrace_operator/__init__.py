"""The operator: compiles TieringPolicies into one NodeTiering per node and rolls their statuses up.

Rule of this package: `select`, `rank`, `compile` and `rollup` are pure; only `handlers` imports kopf, only
`cluster` talks to the API server. Every step is a function of the whole current state, never of what changed.
"""
