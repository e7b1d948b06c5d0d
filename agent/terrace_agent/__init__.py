"""The node agent: makes the kernel of one node do what its NodeTiering says, and says what is true.

Rule of this package: decisions are pure functions of frozen values (each module says so in its first line); host
files are reached through `hostfs` only, the API server through `cluster` only. Nothing outside an engine's folder
knows that engine's files.

Flow: observe -> plan -> apply -> verify -> report (see ARCHITECTURE.md).
"""
