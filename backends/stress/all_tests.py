"""Every stress test by its name: what the command line and the page choose from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from backends.stress.forgetting import erasure
from backends.stress.form import form
from backends.stress.freshness import freshness
from backends.stress.injection import injection
from backends.stress.latency import latency
from backends.stress.noise import noise
from backends.stress.records import Result, StressRun, StressTest

TESTS: Mapping[StressTest, Callable[[StressRun], Result]] = {
    "freshness": freshness,
    "erasure": erasure,
    "format": form,
    "noise": noise,
    "injection": injection,
    "latency": latency,
}
