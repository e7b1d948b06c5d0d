"""Names like the one that is not there. Pure.

Before: a name that a person wrote, and those that there are. After: the error that says so.
"""

from collections.abc import Iterable
from difflib import get_close_matches

_MOST = 5


def there_are(name: str, known: Iterable[str]) -> str:
    """Returns in words the names that are close to `name`, else the first few of all."""
    names = sorted(known)
    if not names:
        return "there is none at all"
    close = get_close_matches(name, names, n=_MOST) or names[:_MOST]
    more = ", ..." if len(close) < len(names) else ""
    return f"there {'is' if len(names) == 1 else 'are'} {', '.join(close)}{more}"
