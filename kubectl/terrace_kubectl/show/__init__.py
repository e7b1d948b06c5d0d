"""Views as text for a terminal.

Rule of this package: it decides nothing. Each module turns one view into renderables of rich; `terminal` prints them.

    table      tables and lines that look alike everywhere
    fleet, policy, node, explain, diff, doctor
    terminal   colours on a terminal only, the whole width in a pipe, JSON and YAML
"""
