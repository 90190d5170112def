"""A Grafana by its files: provisioned datasources, and dashboards with the queries of their panels.

Pure given a Tree. What provisioning files hold for the servers behind (passwords, tokens) is never looked at.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from auditor.errors import EvidenceError, TextError
from auditor.model import Dashboard, Fault, Grafana, Location
from auditor.sources.grafana.dashboards import parse_dashboard
from auditor.sources.grafana.provisioning import Mounted, Provisioned, read_provisioning
from auditor.tree import Tree

__all__ = ["Mounted", "is_provisioned", "read_grafana"]

_DASHBOARD_LIMIT = 500


def is_provisioned(tree: Tree, mounted: Mounted | None, environment: str) -> bool:
    """Whether provisioning files say anything of a composed Grafana."""
    return mounted is not None and bool(read_provisioning(tree, mounted, environment).files)


def read_grafana(tree: Tree, environment: str, mounted: Mounted | None, named: Iterable[str] | None) -> Grafana:
    """What a Grafana has by its files.

    mounted: what the composed one sees. named: the files of dashboards that the catalogue names; None: those that the
    provisioning files lead to. Raises EvidenceError where a named file cannot be read.
    """
    told = read_provisioning(tree, mounted, environment) if mounted else Provisioned()
    followed = list(dict.fromkeys(path for folder in told.folders for path in _json_in(tree, folder)))
    faults = list(told.faults)
    dashboards = []
    for path in list(followed if named is None else named)[:_DASHBOARD_LIMIT]:
        try:
            found = parse_dashboard(tree.read(path), path, environment, provisioned=path in followed)
        except (TextError, EvidenceError) as error:
            if isinstance(error, EvidenceError) and named is not None:
                raise
            faults.append(Fault("invalid-yaml", error.what, Location(path, error.line), environment=environment))
            continue
        if found is not None:
            dashboards.append(found)
    elsewhere = told.elsewhere if named is None else ()
    unseen = tuple(f"dashboards may stand in `{place}`, outside the project" for place in elsewhere)
    known = tuple(told.datasources) if told.datasources else None
    return Grafana(environment, False, known, _distinct(dashboards), unseen, tuple(faults))


def _json_in(tree: Tree, place: str) -> list[str]:
    if place.endswith(".json"):
        return [place] if tree.exists(place) else []
    return tree.glob(posixpath.join(place, "**/*.json"))


def _distinct(dashboards: list[Dashboard]) -> tuple[Dashboard, ...]:
    """Each dashboard once: of two with one uid Grafana keeps one."""
    return tuple({dashboard.key: dashboard for dashboard in reversed(dashboards)}.values())[::-1]
