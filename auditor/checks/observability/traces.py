"""Do spans get to where traces are kept?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor import shipping
from auditor.checks.gaps.causes import missing
from auditor.checks.observability.metrics import deployed
from auditor.inventory import Service, Snapshot
from auditor.model import Definition, Evidence, LogShipper, Project, Reference, Severity
from auditor.reach import answer
from auditor.regexp import regexp
from auditor.registry import Problem, check

_EXPORTS = regexp(
    r"`-{0,2}(?:OTEL_EXPORTER_(?:OTLP_(?:TRACES_)?|JAEGER_|ZIPKIN_)\w*|JAEGER_(?:AGENT_HOST|ENDPOINT|COLLECTOR_\w+)"
    r"|ZIPKIN_\w+|\w*ZIPKIN_ENDPOINT|DD_AGENT_HOST|DD_TRACE_AGENT_URL|\w*TRACING\w*|KONG_TRACING\w*|\w*OTLP_ENDPOINT"
    r"|tracing\.\S*|\S*otlp\S*endpoint\S*)`",
    re.IGNORECASE,
)
_KEEPS = frozenset({"jaeger", "jaeger-v2", "tempo", "zipkin"})


@check(
    Project,
    Severity.INFO,
    fix="Point the services' exporters at it, for example with `OTEL_EXPORTER_OTLP_ENDPOINT`.",
    needs=("compose",),
)
def tracing_not_connected(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A store of traces gets none, or spans are sent to what is not there.

    The trace that would explain a slow request does not exist. Settings of services and the pipelines of collectors
    are looked at; code that names its own address is not.

    Bad:
        compose:
          services:
            jaeger: {image: "jaegertracing/all-in-one:1.68.0"}
            web: {image: "registry.example/web:1"}
    Good:
        compose:
          services:
            jaeger: {image: "jaegertracing/all-in-one:1.68.0"}
            web:
              image: registry.example/web:1
              environment: {OTEL_EXPORTER_OTLP_ENDPOINT: "http://jaeger:4317"}
    """
    environment = project.environment
    for definition, reference in _told(environment, snapshot):
        if _EXPORTS.search(reference.where):
            yield from _astray(definition, reference, environment, snapshot)
    for shipper in shipping.shippers_of(environment, snapshot):
        yield from _lost(shipper, snapshot)
    stores = [s for s in snapshot.of_kind(environment, "tracing") if s.component and s.component.key in _KEEPS]
    if not stores:
        return
    fed = set(_fed(environment, snapshot))
    unread = _by_collectors(environment, snapshot, fed)
    for store in stores:
        if unread or not deployed(store, snapshot):
            continue
        if store.name not in fed:
            place = store.definition.location if store.definition else store.location
            yield Problem(
                f"`{store.name}` keeps traces, but no setting in `{environment}` sends it any",
                (place,) if place else (),
                service=store.name,
            )


def _told(environment: str, snapshot: Snapshot) -> Iterator[tuple[Definition, Reference]]:
    for definition in snapshot.definitions(environment).values():
        if definition.active:
            yield from ((definition, reference) for reference in definition.references)


def _fed(environment: str, snapshot: Snapshot) -> Iterator[str]:
    """Whom the settings of services name, by what answers there."""
    for definition, reference in _told(environment, snapshot):
        service = snapshot.service_of(definition)
        found = answer(reference.address, service, environment, snapshot)
        if found is not None and not _only_shows(service):
            yield found.service.name


def _only_shows(service: Service | None) -> bool:
    """Whether a service is told of a store so that it can read there."""
    return service is not None and service.component is not None and service.component.kind == "dashboard"


def _astray(definition: Definition, reference: Reference, environment: str, snapshot: Snapshot) -> Iterator[Problem]:
    """A setting that sends spans to nothing, or to a port where nothing listens."""
    host, port = reference.address.host, reference.address.port
    if snapshot.outside(host):
        return
    service, shown = snapshot.called(definition), f"{host}:{port}" if port else host
    said = f"{reference.where} sends the spans of `{service}` to {shown}"
    if not snapshot.provided(environment, host):
        name = snapshot.missing_name(environment, host)
        yield Problem(
            f"{said}, which nothing in `{environment}` provides",
            (reference.location,),
            (Evidence("compose", said, reference.location.path, reference.location.line),),
            service=service,
            key=reference.where,
            cause=missing(name),
        )
        return
    found = answer(reference.address, snapshot.service_of(definition), environment, snapshot)
    if found is not None and found.served is False:
        told = f"{said}, a port that `{found.service.name}` does not listen on"
        yield Problem(told, (reference.location,), service=service, key=reference.where)


def _lost(shipper: LogShipper, snapshot: Snapshot) -> Iterator[Problem]:
    """The exporters of a collector's pipelines of traces that lead to nothing."""
    for out in dict.fromkeys(out for one in shipper.traces for out in one.outputs):
        if out.address is not None and (why := shipping.fault(out, shipper, snapshot)):
            host, name = out.address.host, snapshot.known_as(shipper.environment, shipper.service)
            provided = snapshot.provided(shipper.environment, host)
            cause = None if provided else missing(snapshot.missing_name(shipper.environment, host))
            said = f"`{shipper.service}` sends spans to {why}"
            yield Problem(said, (out.location,), service=name, key=f"{host}:{out.address.port}", cause=cause)


def _by_collectors(environment: str, snapshot: Snapshot, fed: set[str]) -> bool:
    """Adds whom collectors send spans to; whether the pipelines of one of them are not known."""
    unread = False
    for shipper in shipping.shippers_of(environment, snapshot):
        if shipper.component not in ("otel-collector", "alloy"):
            continue
        unread = unread or shipper.unread is not None or shipper.component == "alloy"
        for out in (out for one in shipper.traces for out in one.outputs if out.address is not None):
            asker = shipping.service_of(shipper, snapshot)
            found = answer(out.address, asker, environment, snapshot) if out.address else None
            if found is not None:
                fed.add(found.service.name)
    return unread
