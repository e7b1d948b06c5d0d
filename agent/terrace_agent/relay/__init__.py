"""A way for the agent to have stores made that it must not be able to make itself.

Rule: the agent has no capability. `client` hands a store to the sidecar over a socket in a folder that only these two
containers mount; `server`, all that runs there, makes it if `numa_balancing.allowed` says so, and answers with the
errno. It keeps no state: what was changed, and how to bring it back, is in the agent's journal.

One line of JSON each way: `{"path": ..., "value": ...}` and `{"errno": 0}`.
"""
