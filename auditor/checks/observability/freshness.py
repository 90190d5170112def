"""Is what is read still so, and has the way to the people ever been walked?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor import hearing
from auditor.inventory import Snapshot
from auditor.model import AlertmanagerConfig, Severity, SourceState
from auditor.registry import Problem, check

_SERVERS = {"prometheus-api": "prometheus", "alertmanager": "alertmanager", "grafana-api": "grafana", "loki": "loki"}


@check(
    SourceState,
    Severity.WARNING,
    fix="See why it stands still: its storage, its clock, or an address that leads to a copy.",
)
def stale_source(source: SourceState, snapshot: Snapshot) -> Iterator[Problem]:
    """A source answers, but with what was so some time ago.

    A Prometheus that has stopped scraping, or a copy behind a cache, goes on showing the last good day. Nothing that
    it tells counts: what rests on it is unknown, and the report is incomplete.

    Bad:
        compose: {services: {prometheus: {image: "prom/prometheus:v3.5.0"}}}
        targets: []
        sources: {prometheus-api: stale}
    Good:
        compose: {services: {prometheus: {image: "prom/prometheus:v3.5.0"}}}
        targets: []
    """
    if source.state != "stale":
        return
    kind, environment = source.name.partition(":")[0], source.environment
    server = snapshot.deployed(environment, _SERVERS[kind]) if environment and kind in _SERVERS else None
    yield Problem(
        f"the source `{source.name}` tells nothing of now: {source.detail or 'it stands still'}",
        service=server.name if server else None,
        key=source.name,
    )


@check(
    AlertmanagerConfig,
    Severity.INFO,
    fix="Send a test alert with `amtool alert add`, and see that it arrives.",
    needs=("prometheus-api",),
    either=("alertmanager", "alertmanager-config"),
)
def never_drilled(config: AlertmanagerConfig, snapshot: Snapshot) -> Iterator[Problem]:
    """No notification has gone out by a receiver in the last month.

    A revoked token or a renamed channel shows when the first real alert is lost. Told by the metrics of Alertmanager,
    where Prometheus scrapes them.

    Bad:
        compose:
          services: {alertmanager: {image: "prom/alertmanager:v0.28.1"}}
        alertmanager:
          route: {receiver: team}
          receivers: [{name: team, email_configs: [{to: "oncall@mycompany.net"}]}]
        targets: []
        notified: {email: 0}
    Good:
        compose:
          services: {alertmanager: {image: "prom/alertmanager:v0.28.1"}}
        alertmanager:
          route: {receiver: team}
          receivers: [{name: team, email_configs: [{to: "oncall@mycompany.net"}]}]
        targets: []
        notified: {email: 12}
    """
    sent = {one.kind: one.number for one in snapshot.notified if one.environment == config.environment}
    server = snapshot.deployed(config.environment, "alertmanager")
    for receiver in config.receivers:
        kinds = {one.kind: one for one in receiver.integrations if not hearing.astray(one, config, snapshot)}
        silent = [kind for kind in kinds if sent.get(kind) == 0]
        if receiver.name in hearing.used(config) and silent:
            yield Problem(
                f"receiver `{receiver.name}` has never been tried: nothing has gone out by {' or '.join(silent)}",
                tuple(kinds[kind].location for kind in silent),
                service=server.name if server else None,
                key=receiver.name,
            )
