"""`/proc/zoneinfo` as values. Pure.

The format is `zoneinfo_show_print()` in mm/vmstat.c: every zone of every online nid, the empty ones cut short after
`protection`. Fields of the per-CPU page sets end in a colon (`high:`), so they never collide with the watermarks.
"""

import re

from terrace_agent.topology.facts import Zone

_HEAD = re.compile(r"^Node (\d+), zone +(\S+)$", re.MULTILINE)
_FIELD = re.compile(r"^ +(?:pages )?(free|boost|low|high|spanned) +(\d+)$", re.MULTILINE)
_PROTECTION = re.compile(r"^ +protection: \(([\d, ]*)\)$", re.MULTILINE)
_START_PFN = re.compile(r"^ +start_pfn: +(\d+)$", re.MULTILINE)


def parse_zoneinfo(text: str) -> tuple[Zone, ...]:
    """Returns the zones in the kernel's order.

    Raises:
        ValueError: a zone lacks a field that every kernel since 5.4 prints.
    """
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return tuple(_zone(int(head[1]), head[2], text[head.end() : end]) for head, end in zip(heads, ends, strict=True))


def _zone(nid: int, name: str, body: str) -> Zone:
    fields: dict[str, int] = {}
    for key, value in _FIELD.findall(body):
        fields.setdefault(key, int(value))
    protection = _PROTECTION.search(body)
    if protection is None or not {"free", "low", "high", "spanned"} <= fields.keys():
        raise ValueError(f"zone {name} of node {nid}")
    start = _START_PFN.search(body)
    return Zone(
        nid=nid,
        name=name,
        free_pages=fields["free"],
        boost_pages=fields.get("boost", 0),
        low_pages=fields["low"],
        high_pages=fields["high"],
        spanned_pages=fields["spanned"],
        protection=tuple(int(number) for number in protection[1].split(",") if number.strip()),
        start_pfn=int(start[1]) if start and fields["spanned"] else None,
    )
