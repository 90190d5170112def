"""Whether the logs of each service are taken by a shipper, and get to a place where somebody can read them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from functools import lru_cache

from auditor.discovered import container_labels, followed
from auditor.frozen import dataclass
from auditor.inventory import HOST_MACHINE, LOCAL_HOSTS, Service, Snapshot
from auditor.model import (
    Address,
    Definition,
    Location,
    LogInput,
    LogLine,
    LogOutput,
    LogShipper,
    LogStore,
    Mount,
)
from auditor.reach import answer, sees_socket

SHIPPING_DRIVERS = frozenset(
    {"loki", "grafana/loki-docker-driver", "fluentd", "gelf", "syslog", "splunk", "awslogs", "gcplogs"}
)
_ENGINE_FILES = "/var/lib/docker/containers"
_NEEDS_NO_ADDRESS = frozenset(
    {
        "file", "s3", "aws_s3", "aws_cloudwatch_logs", "cloudwatch_logs", "gcp_stackdriver_logs", "stackdriver",
        "datadog", "datadog_logs", "gcp_cloud_storage", "azure_blob", "azure_monitor_logs", "splunk_hec_logs",
        "kinesis_streams",
        "bigquery", "azure", "awscloudwatchlogs", "googlecloud", "new_relic", "axiom", "papertrail", "sematext_logs",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shipment:
    """What files say of a service's logs. shipped: None where they do not tell. text: how, or why not.

    broken: a shipper takes them, and cannot send them anywhere.
    """

    shipped: bool | None
    text: str
    location: Location | None = None
    broken: bool = False


def shipment(service: Service, snapshot: Snapshot) -> Shipment:
    """Whether a service's logs leave its container for a store, by the drivers and the configurations of shippers."""
    return _shipments(snapshot, service.environment)[service.name]


@lru_cache(maxsize=8)
def _shipments(snapshot: Snapshot, environment: str) -> Mapping[str, Shipment]:
    mine = [service for service in snapshot.services if service.environment == environment]
    return {service.name: _shipment(service, snapshot) for service in mine}


def _shipment(service: Service, snapshot: Snapshot) -> Shipment:
    definition = service.definition
    if definition is None:
        return Shipment(False, "it is not composed, so nothing ships its logs")
    driver = definition.logging_driver
    if driver in SHIPPING_DRIVERS:
        return _by_driver(definition, snapshot)
    if driver == "none":
        return Shipment(False, "its logging driver is `none`", definition.place("logging.driver", "logging"))
    shippers = shippers_of(service.environment, snapshot)
    found = [made for shipper in shippers for made in _by_shipper(service, definition, shipper, snapshot)]
    told = _by_itself(service, definition, snapshot)
    if told is not None:
        found.append(told)
    best = min(
        found, key=lambda made: (made.shipped is not True, made.shipped is not None, not made.broken), default=None
    )
    if best is not None:
        return best
    names = ", ".join(f"`{shipper.service}`" for shipper in shippers)
    if names:
        return Shipment(False, f"no input of {names} takes its logs", shippers[0].location)
    return Shipment(False, "no log shipper is composed and its logging driver ships nothing")


def _by_driver(definition: Definition, snapshot: Snapshot) -> Shipment:
    """What becomes of what a logging driver sends: the engine does that, on the host, where no service has a name."""
    address, environment = definition.logging_address, definition.environment
    place, by = definition.place("logging.options", "logging.driver", "logging"), definition.logging_driver
    if address is None or snapshot.outside(address.host):
        return Shipment(True, f"logging driver `{by}`", place)
    shown = f"{address.host}:{address.port}" if address.port else address.host
    said = f"logging driver `{by}` sends to {shown}"
    if address.host not in LOCAL_HOSTS | HOST_MACHINE:
        if snapshot.provider(environment, address.host):
            return Shipment(False, f"{said}, a name that the engine cannot resolve: only containers can", place)
        return Shipment(True, f"logging driver `{by}`", place)
    found = answer(address, None, environment, snapshot)
    shippers = shippers_of(environment, snapshot)
    if found is None:  # the host's own daemon, where nothing of the project is there to take logs
        meant = any(one.unread or any(i.kind == "receive" for i in one.inputs) for one in shippers)
        there = "and no service publishes that port" if meant else "on the host"
        return Shipment(None if meant else True, f"{said}, {there}", place)
    shipper = next((one for one in shippers if service_of(one, snapshot) is found.service), None)
    if shipper is None:
        return Shipment(True, f"{said}, which is `{found.service.name}`", place)
    if shipper.unread is not None:
        return Shipment(None, f"{said}, which is `{shipper.service}`; {shipper.unread}", place)
    inputs = [one for one in shipper.inputs if one.kind == "receive"]
    if not inputs:
        return Shipment(False, f"{said}, which is `{shipper.service}`, but no input of it receives logs", place)
    waiting = [one for one in inputs if one.port is None or found.port in (None, one.port)]
    if not waiting:
        return Shipment(False, f"{said}, but no input of `{shipper.service}` listens on {found.port}", place)
    sent = [_sent(one, shipper, snapshot, certain=True) for one in waiting]
    return min(sent, key=lambda made: (made.shipped is not True, made.shipped is not None))


def fed_by_drivers(shipper: LogShipper, snapshot: Snapshot) -> bool:
    """Whether the logging driver of a service sends to a shipper, at a port that it publishes."""
    environment, own = shipper.environment, service_of(shipper, snapshot)
    definitions = snapshot.definitions(environment).values()
    sending = (one for one in definitions if one.active and one.logging_driver in SHIPPING_DRIVERS)
    local = (one.logging_address for one in sending if one.logging_address)
    found = (answer(one, None, environment, snapshot) for one in local if one.host in LOCAL_HOSTS | HOST_MACHINE)
    return own is not None and any(one is not None and one.service is own for one in found)


@lru_cache(maxsize=8)
def shippers_of(environment: str, snapshot: Snapshot) -> tuple[LogShipper, ...]:
    """The log shippers of an environment that are meant to run."""
    found = (shipper for shipper in snapshot.log_shippers if shipper.environment == environment)
    return tuple(shipper for shipper in found if _is_meant(shipper, snapshot))


def _is_meant(shipper: LogShipper, snapshot: Snapshot) -> bool:
    service = service_of(shipper, snapshot)
    return service is not None and snapshot.excuse(service) is None


def service_of(shipper: LogShipper, snapshot: Snapshot) -> Service | None:
    """The service that a shipper is."""
    return snapshot.service(shipper.environment, snapshot.known_as(shipper.environment, shipper.service))


def _by_shipper(
    service: Service, definition: Definition, shipper: LogShipper, snapshot: Snapshot
) -> Iterator[Shipment]:
    if shipper.unread is not None:
        yield Shipment(None, shipper.unread, shipper.location)
        return
    for one in shipper.inputs:
        taken = _takes(one, service, definition, shipper, snapshot)
        if taken is not False:
            yield _sent(one, shipper, snapshot, certain=taken is True)


def _sent(one: LogInput, shipper: LogShipper, snapshot: Snapshot, *, certain: bool) -> Shipment:
    """What becomes of what an input takes."""
    by = f"`{shipper.service}`"
    faults = [fault(out, shipper, snapshot) for out in one.outputs]
    if one.outputs and all(faults):
        return Shipment(
            False, f"{by} takes its logs and sends them to {faults[0]}", one.outputs[0].location, broken=True
        )
    if why := engine_fault(one, shipper, snapshot):
        return Shipment(False, f"{by} {why}", one.location, broken=True)
    if not certain:
        return Shipment(None, f"whether {by} takes its logs cannot be told from its configuration", one.location)
    if one.unclear:
        return Shipment(None, f"{by} takes its logs, but {one.unclear}", one.location)
    if one.sends or any(_arrives(out, why) for out, why in zip(one.outputs, faults, strict=True)):
        return Shipment(True, f"{by} takes its logs and sends them on", one.location)
    if one.outputs:
        return Shipment(None, f"{by} takes its logs, and where it sends them is not told", one.location)
    return Shipment(False, f"{by} takes its logs and sends them nowhere", one.location, broken=True)


def _arrives(out: LogOutput, why: str | None) -> bool:
    return why is None and (out.address is not None or out.kind in _NEEDS_NO_ADDRESS)


def fault(out: LogOutput, shipper: LogShipper, snapshot: Snapshot) -> str | None:
    """Why nothing arrives at an output; None where something may."""
    address, environment = out.address, shipper.environment
    if address is None or snapshot.outside(address.host):
        return None
    shown = f"{address.host}:{address.port}" if address.port else address.host
    if not snapshot.provided(environment, address.host):
        return f"{shown}, which nothing in `{environment}` provides"
    found = answer(address, service_of(shipper, snapshot), environment, snapshot)
    if found is not None and found.reached is False:
        return f"{shown}, with which it shares no network"
    if found is not None and found.served is False:
        return f"{shown}, a port that `{found.service.name}` does not listen on"
    return None


def engine_fault(one: LogInput, shipper: LogShipper, snapshot: Snapshot) -> str | None:
    """Why an input cannot ask the engine for logs; None where it may."""
    reader = snapshot.definitions(shipper.environment).get(shipper.service)
    if one.kind != "engine" or not one.paths or reader is None:
        return None
    scheme, _, place = one.paths[0].partition("://")
    if scheme == "unix":
        if any(variable.name == "DOCKER_HOST" for variable in reader.variables):
            return None
        return None if sees_socket(reader, place) else f"asks the engine at {place}, which is not mounted"
    host, _, port = place.rpartition(":")
    address = Address(host, int(port) if port.isdecimal() else None)
    if host in LOCAL_HOSTS | HOST_MACHINE:
        return None
    why = fault(LogOutput("engine", address, one.location), shipper, snapshot)
    return f"asks the engine at {why}" if why else None


def _by_itself(service: Service, definition: Definition, snapshot: Snapshot) -> Shipment | None:
    """Whether a service is told where the log store, or a shipper that others send to, is."""
    environment = service.environment
    if service.component and service.component.kind in ("dashboard", "log_store", "log_shipper", "metrics"):
        return None
    receiving = {s.service for s in shippers_of(environment, snapshot) if any(i.kind == "receive" for i in s.inputs)}
    if not receiving and not snapshot.of_kind(environment, "log_store"):
        return None
    for reference in definition.references:
        found = answer(reference.address, service, environment, snapshot)
        there = found.service if found else None
        if there is not None and there.component is not None and there.component.kind == "log_store":
            return Shipment(True, f"{reference.where} names the log store `{there.name}`", reference.location)
        if there is not None and there.definition is not None and there.definition.name in receiving:
            said = f"{reference.where} names `{there.name}`, and whether it sends its logs there is not told"
            return Shipment(None, said, reference.location)
    return None


# --- what an input takes -------------------------------------------------------------------------------------------


def _takes(
    one: LogInput, service: Service, definition: Definition, shipper: LogShipper, snapshot: Snapshot
) -> bool | None:
    if one.kind == "engine":
        return followed(one.rules, container_labels(definition, snapshot)).kept
    if one.kind == "files":
        return _reads(one, definition, shipper, snapshot)
    if one.kind == "journal":
        return definition.logging_driver == "journald"
    return None if one.kind == "unknown" else False


def _reads(one: LogInput, definition: Definition, shipper: LogShipper, snapshot: Snapshot) -> bool:
    """Whether files that are read are the engine's of its containers, or lie where the service keeps its own."""
    reader = snapshot.definitions(shipper.environment).get(shipper.service)
    if reader is None:
        return False
    for path in one.paths:
        mount = _nearest(reader, path)
        if mount is None or mount.source is None:
            continue
        rest = path[len(mount.target.rstrip("/")) :].lstrip("/")
        on_host = posixpath.join(mount.source, rest)
        if mount.kind == "bind" and on_host.startswith(_ENGINE_FILES):
            if definition.logging_driver in (None, "json-file"):
                return True
        elif reader is not definition and any(_shared(mount, other, on_host) for other in definition.mounts):
            return True
    return False


def _nearest(reader: Definition, path: str) -> Mount | None:
    within = [m for m in reader.mounts if path == m.target or path.startswith(f"{m.target.rstrip('/')}/")]
    return max(within, key=lambda mount: len(mount.target), default=None)


def _shared(mount: Mount, other: Mount, on_host: str) -> bool:
    if other.read_only or other.source is None or other.kind != mount.kind:
        return False
    return other.source == mount.source or on_host.startswith(f"{other.source.rstrip('/')}/")


# --- what the store has --------------------------------------------------------------------------------------------


def store_of(environment: str, snapshot: Snapshot) -> LogStore | None:
    """What the running log store of an environment told."""
    return next((store for store in snapshot.log_stores if store.environment == environment), None)


def lines_of(service: Service, store: LogStore, snapshot: Snapshot) -> tuple[LogLine, ...]:
    """What the store has under a label that names a service or its container."""
    names = _names(service, snapshot)
    return tuple(line for line in store.lines if line.value.lstrip("/") in names)


def _names(service: Service, snapshot: Snapshot) -> set[str]:
    names = {service.name, *(service.entry.aliases if service.entry else ())}
    names.update(container.name for container in service.containers)
    definition = service.definition
    if definition is not None:
        project = snapshot.project(service.environment)
        names.update({definition.name, definition.container_name or definition.name})
        if project and project.name:
            names.update(f"{project.name}{sign}{definition.name}{sign}1" for sign in "-_")
            names.add(f"{project.name}/{definition.name}")
    return names


def names_anybody(store: LogStore, snapshot: Snapshot) -> bool:
    """Whether the labels of a store name services at all, so that one that is missing there says something."""
    mine = (service for service in snapshot.services if service.environment == store.environment)
    return any(lines_of(service, store, snapshot) for service in mine)
