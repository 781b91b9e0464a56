"""Everything of Triptych but its pages."""

import os

# Threads of an OpenMP team wait for each other by spinning, by default for milliseconds. Where more threads
# want to run than there are cores (a training job beside the app, a browser on the same machine), a spinning
# thread keeps the one it waits for from running: two processes answering at once on two cores took 25 s with
# this short spin and 130 s without (benchmarks/LOG.md). libgomp reads it when torch is first imported.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
