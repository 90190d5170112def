"""What a reader keeps of an engine from one look to the next. Most of it only saves work."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from auditor.model import Container, Usage
from auditor.sources.docker import usage
from auditor.sources.docker.samples import Samples
from auditor.sources.docker.surroundings import Kept
from auditor.sources.docker.unchanged import Look


@dataclass(frozen=True, slots=True)
class Known:
    """A container as it was last inspected. cores: how many it may use, where it has a limit."""

    look: Look
    container: Container
    cores: float | None
    inspected: float


@dataclass(slots=True)
class Memory:
    """Of one engine, until a look fails; `ends` beyond that.

    `usages` and `peaks` are also written by whoever samples beside the looks.
    """

    returned: bool = False  # the last look failed: the engine may be starting
    api: str | None = None  # what stands before a path
    known: dict[str, Known] = field(default_factory=dict)
    ends: dict[str, tuple[datetime, bool]] = field(default_factory=dict)  # when each ended, and whether it was told to
    moment: tuple[float, float] | None = None  # of the last list, by the engine's clock and by ours
    around: Kept = field(default_factory=Kept)
    usages: dict[str, Usage] = field(default_factory=dict)
    unsampled: list[str] = field(default_factory=list)  # why samples are missing
    peaks: dict[str, tuple[int | None, float | None]] = field(default_factory=dict)  # bytes, cores, since the last look
    sampled: float = float("-inf")
    cpus: int | None = None  # of the host
    _peaking: threading.Lock = field(default_factory=threading.Lock)

    def cores(self, container: str) -> float | None:
        """How many cores a container may use."""
        known = self.known.get(container)
        return (known.cores if known else None) or self.cpus

    def keep(self, found: Samples, moment: float) -> None:
        """Samples that were taken beside the looks."""
        self.cpus = found.cpus or self.cpus
        self.unsampled = found.unread
        kept = {}
        for id, sample in found.usages.items():
            cores = self.cores(id)
            kept[id] = usage.with_ratio(sample, self.usages.get(id), cores)
            with self._peaking:
                self.peaks[id] = usage.highest(self.peaks.get(id), kept[id], cores)
        self.usages, self.sampled = kept, moment

    def peaks_since(self) -> Mapping[str, tuple[int | None, float | None]]:
        """The most that each container was seen to use since this was asked last."""
        with self._peaking:
            peaks, self.peaks = self.peaks, {}
        return peaks
