"""A report as one HTML page that needs nothing else: no script, no font, no picture from anywhere.

Before: `report`, `pictures`, `heat`. After: a file.
"""

from importlib import resources

from jinja2 import Environment, StrictUndefined

from terrace_api import __version__
from terrace_api.units import display_bytes
from terrace_kubectl import pictures
from terrace_kubectl.heat import heat_map
from terrace_kubectl.report import ReportView


def page(view: ReportView) -> str:
    """Returns the page."""
    source = (resources.files("terrace_kubectl") / "page.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    environment.filters["bytes"] = display_bytes
    tiered = bool(view.points[-1].tiers)
    return environment.from_string(source).render(
        view=view,
        version=__version__,
        use=pictures.use(view.points) if tiered else None,
        heat=heat_map(view.points, view.tracks) if view.tracks else None,
        migrations=pictures.migrations(view.points, view.tracks) if view.tracks else None,
        observed=pictures.observed(view.observed) if view.observed else None,
    )
