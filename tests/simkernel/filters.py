"""Which pages a running scheme's filters let through, as the kernel decides it (Linux mm/damon/paddr.c). Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_DIRECTORY = re.compile(r"contexts/0/schemes/(\d+)/(ops_filters|filters)/(\d+)/type")


@dataclass(frozen=True, kw_only=True)
class Page:
    """What filters can look at.

    Attributes:
        memcg: of the cgroup that it is charged to; None for a page that is charged to none.
    """

    memcg: str | None
    young: bool = True
    anon: bool = True
    mapped: bool = True


def passes(files: Mapping[str, str], scheme: int, page: Page) -> bool:
    """Returns whether the scheme acts on the page.

    The first filter that matches decides. What none matches is accepted, but after a last filter that allows; kernels
    without `ops_filters` accept it in any case, those without `allow` reject whatever a filter matches.
    """
    allows = False
    for directory in _filters(files, scheme):
        allows = files.get(f"{directory}/allow") == "Y"
        if _matches(files, directory, page) == (files[f"{directory}/matching"] == "Y"):
            return allows
    has_default_reject = f"contexts/0/schemes/{scheme}/ops_filters/nr_filters" in files
    return not (allows and has_default_reject)


def _filters(files: Mapping[str, str], scheme: int) -> Iterator[str]:
    found = sorted(
        (match[2], int(match[3]), path.rpartition("/")[0])
        for path in files
        if (match := _DIRECTORY.fullmatch(path)) and int(match[1]) == scheme
    )
    # Linux adds those of ops_filters before those of the old directory (`damon_sysfs_mk_scheme()`).
    yield from (directory for _, _, directory in sorted(found, key=lambda entry: (entry[0] != "ops_filters", entry[1])))


def _matches(files: Mapping[str, str], directory: str, page: Page) -> bool:
    match files[f"{directory}/type"]:
        case "memcg":
            return page.memcg is not None and page.memcg == files[f"{directory}/memcg_path"]
        case "young":
            return page.young
        case "anon":
            return page.anon
        case "unmapped":
            return not page.mapped
        case other:
            raise NotImplementedError(f"no kernel behaviour is simulated for filters of type {other!r}")
