"""What every engine decides the same way: which nid promotes or demotes to which, how fast, how far, and when not.

Rule: nothing here knows how pages move. `health` reads the node; everything else is pure. An engine puts its own files
behind what these modules say, and never the other way round.
"""
