"""Every stress test by its name: what the command line and the page choose from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from backends.measure.stress.erasure import erasure
from backends.measure.stress.form import form
from backends.measure.stress.freshness import freshness
from backends.measure.stress.injection import injection
from backends.measure.stress.latency import latency
from backends.measure.stress.noise import noise
from backends.measure.stress.records import Result, Run, StressTest

TESTS: Mapping[StressTest, Callable[[Run], Result]] = {
    "freshness": freshness,
    "erasure": erasure,
    "format": form,
    "noise": noise,
    "injection": injection,
    "latency": latency,
}
