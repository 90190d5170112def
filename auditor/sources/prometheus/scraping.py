"""Scrape jobs of Prometheus, and the labels that each of their targets ends up with after relabelling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from auditor.compose.secrets import looks_secret
from auditor.errors import SLIP, did_you_mean
from auditor.model import Address, Location, Relabelling, ScrapeJob, ScrapeTarget
from auditor.regexp import regexp
from auditor.relabel import ACTIONS, Rule, relabel
from auditor.sources.logs.reading import asked, engine_filters
from auditor.sources.prometheus.reading import Reading
from auditor.yamlfile import Mapping, Sequence, Value, locate

_PORT = regexp(r":([0-9]{1,5})")
_HOST = regexp(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_JOB_KEYS = frozenset(
    {
        "job_name", "scrape_interval", "scrape_timeout", "scrape_protocols", "fallback_scrape_protocol",
        "scrape_classic_histograms", "always_scrape_classic_histograms", "convert_classic_histograms_to_nhcb",
        "metrics_path", "honor_labels", "honor_timestamps", "track_timestamps_staleness", "scheme", "params",
        "enable_compression", "basic_auth", "authorization", "oauth2", "bearer_token", "bearer_token_file",
        "follow_redirects", "enable_http2", "tls_config", "proxy_url", "no_proxy", "proxy_from_environment",
        "proxy_connect_header", "http_headers", "static_configs", "relabel_configs", "metric_relabel_configs",
        "body_size_limit", "sample_limit", "label_limit", "label_name_length_limit", "label_value_length_limit",
        "target_limit", "keep_dropped_targets", "scrape_failure_log_file", "native_histogram_bucket_limit",
        "native_histogram_min_bucket_factor", "metric_name_validation_scheme", "metric_name_escaping_scheme",
        "extra_scrape_metrics", "scrape_native_histograms",
        *(f"{name}_sd_configs" for name in (
            "azure", "consul", "digitalocean", "docker", "dockerswarm", "dns", "ec2", "eureka", "file", "gce",
            "hetzner", "http", "ionos", "kubernetes", "kuma", "lightsail", "linode", "marathon", "nerve", "nomad",
            "openstack", "ovhcloud", "puppetdb", "scaleway", "serverset", "stackit", "triton", "uyuni", "vultr", "aws",
        )),
    }
)  # fmt: skip
_TARGET_FILES = regexp(r"[^*]*(?:\*[^/]*)?\.(?:json|yml|yaml|JSON|YML|YAML)")
_HIDDEN = "__"  # labels that begin so are gone after relabelling


def address_of(target: str, scheme: str) -> Address | None:
    """A scrape target as an address: `host:port`, `[::1]:port`, or a host whose port follows from the scheme."""
    if target.startswith("["):
        host, bracket, rest = target[1:].partition("]")
        known = bool(bracket and host)
    else:
        host, colon, port = target.partition(":")
        rest = colon + port
        known = _HOST.fullmatch(host) is not None
    match = _PORT.fullmatch(rest)
    if not known or (rest and match is None):
        return None
    port_number = int(match[1]) if match else _DEFAULT_PORTS.get(scheme)
    if port_number is not None and not 0 < port_number < 65_536:
        return None
    return Address(host, port_number, scheme)


def text(value: Value) -> str:
    """A label value as Prometheus keeps it."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Found:
    """A target before relabelling: its labels, and where it is written."""

    labels: dict[str, str]
    location: Location


@dataclass(slots=True)
class _Job:
    """One scrape job while it is read."""

    reading: Reading
    item: Mapping
    path: str
    name: str
    scheme: str
    metrics_path: str
    rules: list[Rule] = field(default_factory=list)
    certain: bool = True  # every rule could be read
    unseen: set[str] = field(default_factory=set)  # where further targets may come from than those that were found
    judged: bool = True  # every rule is of a kind that is known


def jobs(reading: Reading, root: Mapping) -> Iterator[ScrapeJob]:
    """Every scrape job, those of `scrape_config_files` included."""
    names: set[str] = set()
    for job in _all(reading, root):
        if job.name in names:
            reading.fault(f"two scrape jobs are called `{job.name}`", job.location)
        names.add(job.name)
        yield job


def _all(reading: Reading, root: Mapping) -> Iterator[ScrapeJob]:
    for item in reading.mappings(root, "scrape_configs"):
        yield job_of(reading, item, reading.path)
    for pattern in reading.patterns(root, "scrape_config_files"):
        if not pattern.files:
            yield ScrapeJob(reading.environment, pattern.pattern, pattern.location, (), ("scrape_config_files",))
        for name in pattern.files or ():
            content = reading.parsed(name)
            if isinstance(content, Mapping):
                for item in reading.mappings(content, "scrape_configs", name):
                    yield job_of(reading, item, name)
            elif content is not None:
                reading.fault("a file of scrape configurations is a mapping", Location(name, locate(content)))


def job_of(reading: Reading, item: Mapping, path: str, unseen: str | None = None) -> ScrapeJob:
    """One scrape job. unseen: where it has further targets from, which are not known here."""
    name = reading.text(item, "job_name", "", path)
    location = Location(path, locate(item, "job_name"))
    if not name:
        reading.fault("a scrape job without `job_name`", location)
    job = _Job(
        reading,
        item,
        path,
        name,
        reading.text(item, "scheme", "http", path),
        reading.text(item, "metrics_path", "/metrics", path),
    )
    for key in item.keys() - _JOB_KEYS:
        if help := did_you_mean(key, _JOB_KEYS, cutoff=SLIP):  # else of a newer version
            reading.fault(f"unknown key `{key}` in scrape job `{name}`: {help}", reading.at(item, key, path))
    job.unseen.update([unseen] if unseen else ())
    job.rules = list(_rules(job))
    found = [*_static(job, item, path)]
    discovery = [key for key, value in item.items() if key.endswith("_sd_configs") and value]
    for kind, read in (("file_sd_configs", _from_files), ("dns_sd_configs", _from_names)):
        if kind in discovery:
            told = list(read(job))
            found += told
            if told and kind not in job.unseen:
                discovery.remove(kind)
    targets, dropped, unclear = _relabelled(job, found)
    discovery += sorted(job.unseen - {*discovery})
    engine = discovery == ["docker_sd_configs"]
    asked_of: list[str] = []
    if discovery and (constant := _constant_address(job)) is not None:
        targets.append(constant)
        asked_of, discovery = discovery, []
    elif unclear:
        discovery.append("relabel_configs")
    metrics = _metrics_after(job)
    return ScrapeJob(
        reading.environment,
        name,
        location,
        tuple(targets),
        tuple(discovery),
        tuple(dropped),
        metrics.dropped,
        metrics.kept,
        tuple(dict.fromkeys("*" if rule.action == "labelmap" else rule.target for rule in job.rules if rule.target)),
        tuple(_of_engine(job)) if engine and job.certain and job.judged else None,
        tuple(_engines(job)) if engine else (),
        job.metrics_path,
        item.get("honor_labels") is True,
        tuple(_asks(job)),
        tuple(asked_of),
        metrics.written,
    )


def _of_engine(job: _Job) -> Iterator[Relabelling]:
    """What the filters of an engine and the job's rules do with each of its containers."""
    for source in job.reading.mappings(job.item, "docker_sd_configs", job.path):
        yield from engine_filters(job.reading.mappings(source, "filters", job.path))
    yield from map(_as_written, job.rules)


def _as_written(rule: Rule) -> Relabelling:
    action = "?" if rule.action == "hashmod" else rule.action
    return Relabelling(action, rule.sources, rule.separator, rule.regex, rule.target, rule.replacement)


def _engines(job: _Job) -> Iterator[str]:
    for source in job.reading.mappings(job.item, "docker_sd_configs", job.path):
        yield from asked(source.get("host")) or ("",)


# What a discovery is told of whom it asks, and which key says so.
_SERVERS = {
    "http_sd_configs": "url", "consul_sd_configs": "server", "docker_sd_configs": "host", "nomad_sd_configs": "server",
    "dockerswarm_sd_configs": "host", "eureka_sd_configs": "server", "puppetdb_sd_configs": "url",
}  # fmt: skip


def _asks(job: _Job) -> Iterator[tuple[Address, Location]]:
    """The addresses that discoveries ask for targets."""
    for kind, key in _SERVERS.items():
        for source in job.reading.mappings(job.item, kind, job.path):
            told = source.get(key)
            scheme, slashes, rest = told.partition("://") if isinstance(told, str) else ("", "", "")
            host = (rest if slashes else scheme).partition("/")[0].rpartition("@")[2]
            if scheme != "unix" and "$" not in host and (address := address_of(host, scheme)):
                yield address, job.reading.at(source, key, job.path)


# --- which targets there are ---------------------------------------------------------------------------------------


def _static(job: _Job, item: Mapping, path: str) -> Iterator[Found]:
    for group in job.reading.mappings(item, "static_configs", path):
        yield from _group(job, group, path)


def _group(job: _Job, group: Mapping, path: str) -> Iterator[Found]:
    written = job.reading.mapping(group, "labels", path)
    labels = {name: text(value) for name, value in written.items() if not looks_secret(name)}
    targets = job.reading.items(group, "targets", path)
    for index, target in enumerate(targets):
        location = job.reading.at(targets, index, path)
        if not isinstance(target, str):
            job.reading.fault(f"a target of job `{job.name}` is no `host:port`", location)
        elif "$" in target or "{{" in target:  # filled in by whatever makes the file; its host is not known here
            job.unseen.add("variables in `targets`")
        else:
            yield Found(labels | {"__address__": target}, location)


def _from_files(job: _Job) -> Iterator[Found]:
    for source in job.reading.mappings(job.item, "file_sd_configs", job.path):
        for pattern in job.reading.patterns(source, "files"):
            if not _TARGET_FILES.fullmatch(pattern.pattern):
                said = (
                    f"Prometheus would refuse `{pattern.pattern}`: files of targets end in `.json`, `.yml` or `.yaml`"
                )
                job.reading.fault(f"{said}, and only their names may have a `*`", pattern.location)
            if not pattern.files:  # something may write them when it runs
                job.unseen.add("file_sd_configs")
            for name in pattern.files or ():
                yield from _from_file(job, name)


def _from_file(job: _Job, name: str) -> Iterator[Found]:
    content = job.reading.parsed(name)
    if not isinstance(content, Sequence):
        job.unseen.add("file_sd_configs")
        if content is not None:
            job.reading.fault("a file of targets is a list of groups", Location(name, locate(content)))
        return
    for group in content:
        if isinstance(group, Mapping):
            for found in _group(job, group, name):
                yield Found(found.labels | {"__meta_filepath": name}, found.location)


def _from_names(job: _Job) -> Iterator[Found]:
    """The names of `dns_sd_configs` for addresses; what a name resolves to is not known here, who answers to it is."""
    for source in job.reading.mappings(job.item, "dns_sd_configs", job.path):
        if str(source.get("type", "SRV")).upper() not in ("A", "AAAA") or not isinstance(source.get("port"), int):
            job.unseen.add("dns_sd_configs")
            continue
        names = job.reading.items(source, "names", job.path)
        for index, name in enumerate(names):
            if isinstance(name, str):
                labels = {"__address__": f"{name}:{source['port']}", "__meta_dns_name": name, "instance": ""}
                yield Found(labels, job.reading.at(names, index, job.path))


# --- what becomes of them ------------------------------------------------------------------------------------------


def _rules(job: _Job, key: str = "relabel_configs") -> Iterator[Rule]:
    for item in job.reading.mappings(job.item, key, job.path):
        action = item.get("action")
        newer = isinstance(action, str) and action.lower() not in ACTIONS and not did_you_mean(action.lower(), ACTIONS)
        try:
            if not newer:
                yield _rule(job, item)
        except ValueError as error:
            job.reading.fault(f"{error} (job `{job.name}`)", Location(job.path, locate(item)))
            job.certain = False
        if newer:
            job.judged = False


def _rule(job: _Job, item: Mapping) -> Rule:
    def told(name: str, default: str) -> str:
        value = item.get(name)
        return default if value is None else text(value)

    modulus = item.get("modulus")
    return Rule(
        told("action", "replace").lower(),
        tuple(text(name) for name in job.reading.items(item, "source_labels", job.path)),
        told("separator", ";"),
        told("regex", "(.*)"),
        told("target_label", ""),
        told("replacement", "$1"),
        modulus if isinstance(modulus, int) else 0,
    )


def alert_relabelling(reading: Reading, alerting: Mapping) -> tuple[Relabelling, ...]:
    """What is done to the labels of alerts before they are sent."""
    job = _Job(reading, alerting, reading.path, "alerting", "", "")
    return tuple(
        Relabelling(rule.action, rule.sources, rule.separator, rule.regex, rule.target, rule.replacement)
        for rule in _rules(job, "alert_relabel_configs")
        if rule.action != "hashmod"
    )


def _defaults(job: _Job) -> dict[str, str]:
    parameters = job.reading.mapping(job.item, "params", job.path)
    first = {
        f"__param_{name}": text(values[0])
        for name, values in parameters.items()
        if isinstance(values, Sequence) and values
    }
    return {"job": job.name, "__scheme__": job.scheme, "__metrics_path__": job.metrics_path, **first}


def _relabelled(job: _Job, found: list[Found]) -> tuple[list[ScrapeTarget], list[ScrapeTarget], bool]:
    """The targets that stay, those that a rule drops, and whether the address of one cannot be told."""
    if not job.judged:
        return [], [], True
    defaults = _defaults(job)
    targets: dict[tuple[tuple[str, str], ...], ScrapeTarget] = {}
    dropped: list[ScrapeTarget] = []
    unclear = not job.certain
    for one in found:
        before = defaults | one.labels
        after = relabel(before, job.rules)
        kept = after if after is not None else before
        address = address_of(kept.get("__address__", ""), kept.get("__scheme__", job.scheme))
        if address is None:
            unclear = unclear or bool(job.rules)
            if not job.rules and "/" not in before["__address__"]:  # a URL is for a prober that is not known here
                job.reading.fault(f"a target of job `{job.name}` is no `host:port`", one.location)
            continue
        target = _target(job, one, kept, address)
        if after is None:
            dropped.append(target)
        else:
            targets.setdefault(tuple(sorted(kept.items())), target)
    return list(targets.values()), dropped, unclear


def _target(job: _Job, one: Found, kept: dict[str, str], address: Address) -> ScrapeTarget:
    labels = {name: value for name, value in kept.items() if not name.startswith(_HIDDEN)}
    if one.labels.get("instance") != "":  # empty: the instance is an address that only a resolver knows
        labels.setdefault("instance", kept["__address__"])
    rewritten = kept["__address__"] != one.labels["__address__"]
    return ScrapeTarget(
        job.reading.environment,
        labels.get("job", job.name),
        address,
        (_constant_place(job, kept["__address__"]) if rewritten else None) or one.location,
        kept.get("__metrics_path__", job.metrics_path),
        labels,
        kept.get("__param_target"),
        one.location,
    )


def _constant_address(job: _Job) -> ScrapeTarget | None:
    """The one address that whatever is discovered becomes, as with the blackbox exporter."""
    for replacement, place, always in _written_addresses(job):
        if always and (address := address_of(replacement, job.scheme)):
            labels = {"job": job.name}
            return ScrapeTarget(job.reading.environment, job.name, address, place, job.metrics_path, labels)
    return None


def _constant_place(job: _Job, address: str) -> Location | None:
    """The line of the rule that writes just this address."""
    return next((place for replacement, place, _ in _written_addresses(job) if replacement == address), None)


def _written_addresses(job: _Job) -> Iterator[tuple[str, Location, bool]]:
    """The addresses that rules write as they stand, their lines, and whether they write them for every target."""
    for item in job.reading.mappings(job.item, "relabel_configs", job.path):
        replacement = item.get("replacement")
        writes = item.get("target_label") == "__address__" and str(item.get("action", "replace")).lower() == "replace"
        if writes and isinstance(replacement, str) and "$" not in replacement:
            yield replacement, job.reading.at(item, "replacement", job.path), "regex" not in item


@dataclass(frozen=True, slots=True)
class _Metrics:
    """What a job does to metrics: expressions for names that are thrown away, for those that alone are kept, and rules
    that give series other labels or names."""

    dropped: tuple[str, ...]
    kept: tuple[str, ...]
    written: tuple[Relabelling, ...]


def _metrics_after(job: _Job) -> _Metrics:
    rules = list(_rules(job, "metric_relabel_configs"))
    by_name = [rule for rule in rules if rule.sources == ("__name__",)]
    return _Metrics(
        tuple(rule.regex for rule in by_name if rule.action == "drop"),
        tuple(rule.regex for rule in by_name if rule.action == "keep"),
        tuple(_as_written(rule) for rule in rules if rule.action not in _CHOOSE),
    )


_CHOOSE = frozenset({"keep", "drop", "keepequal", "dropequal"})


def alertmanager_targets(reading: Reading, item: Mapping) -> Iterator[ScrapeTarget]:
    """The static addresses of one item below `alerting: alertmanagers:`."""
    job = _Job(
        reading,
        item,
        reading.path,
        "alertmanagers",
        reading.text(item, "scheme", "http"),
        reading.text(item, "path_prefix", "/"),
    )
    job.rules = list(_rules(job))
    yield from _relabelled(job, list(_static(job, item, reading.path)))[0]
