"""The API server: how to reach it, and the three kinds of objects that the operator reads and writes there.

Rule of this package: it is the only one that imports `kubernetes` and the only one that knows paths, verbs and JSON.
It decides nothing: lists and watches come out as values of `fleet`, writes come in as values.

    connection   where the API server is, and who we are
    requests     GET, watch, server-side apply; HTTP errors as `errors`
    objects      the three kinds: paths, and JSON to slim values
    reflector    a paged list and an endless watch, kept as a mapping of values
"""
