"""Which page cache demotion leaves where it is, as filters. Pure.

Before: `features`. After: `schemes`, which puts these before the young filter: the first filter that matches a page
decides, and to look at a page's accessed bit clears it, which nothing that stays anyway needs.

A file that is read once, a backup say, is cold from its second minute on. It would be copied to the slow tier, fill it,
and keep demotion going for ever, since reclaim lets cache fill the fast nid up to the watermarks.
"""

from terrace_agent.damon.features import Feature
from terrace_agent.damon.tree import Filter, FilterType
from terrace_api.policy import PageCache

CANNOT_TELL_MAPPED = (
    "demotion.pageCache MappedOnly: this kernel's DAMON cannot tell mapped pages (no filter type 'unmapped'; Linux "
    "6.15 has it); no page cache is demoted"
)


def filters(wish: PageCache, features: frozenset[Feature]) -> tuple[Filter, ...]:
    """Returns the filters that reject what shall stay; each ends a page's way through the list."""
    allow = False if Feature.ALLOW_FILTERS in features else None
    match effective(wish, features):
        case PageCache.INCLUDE:
            return ()
        case PageCache.MAPPED_ONLY:
            return (Filter(type=FilterType.UNMAPPED, matching=True, allow=allow),)
        case PageCache.EXCLUDE:
            return (Filter(type=FilterType.ANON, matching=False, allow=allow),)


def effective(wish: PageCache, features: frozenset[Feature]) -> PageCache:
    """Returns what this kernel can do of `wish`: rather less than more is moved."""
    if wish is PageCache.MAPPED_ONLY and Feature.UNMAPPED not in features:
        return PageCache.EXCLUDE
    return wish
