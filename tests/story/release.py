"""A version of Terrace: its chart, and the images that a node of the testbed holds for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from testbed import images
from testbed.first_release import TAG as FIRST_TAG
from testbed.first_release import first_release

ROOT = Path(__file__).parents[2]
_CHART = "deploy/helm/terrace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What is installed.

    Attributes:
        root: the repository's root, as it is or was.
        tag: of both images.
        settings: values of the chart beside the images, as in `operator.replicas=1`.
    """

    root: Path
    tag: str
    settings: tuple[str, ...] = ()

    @property
    def chart(self) -> Path:
        """The chart's directory."""
        return self.root / _CHART

    def images(self) -> tuple[Path, ...]:
        """The docker-archives of its images, built if they are not there yet."""
        return images.project_images(self.root, self.tag)

    def arguments(self) -> tuple[str, ...]:
        """What helm is told beside the command and the name: chart and settings."""
        chosen = (
            f"operator.image.repository={images.OPERATOR_IMAGE.rpartition(':')[0]}",
            f"agent.image.repository={images.AGENT_IMAGE.rpartition(':')[0]}",
            f"imageTag={self.tag}",
            "operator.image.pullPolicy=Never,agent.image.pullPolicy=Never",
            *self.settings,
        )
        return (str(self.chart), *(word for one in chosen for word in ("--set", one)))


# Two operators would share the one node and its few CPUs.
THIS = Release(root=ROOT, tag=images.TAG, settings=("operator.replicas=1",))


def first() -> Release:
    """The first release, which knew one operator only.

    Raises:
        BedError: this clone does not have it.
    """
    return Release(root=first_release(), tag=FIRST_TAG)
