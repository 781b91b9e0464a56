"""What a helper process may know of this one's environment: enough to run, and nothing that may be a key.

Enters: nothing. Leaves: variables. It knows no key by name, so it lets through only what is known harmless.
"""

from __future__ import annotations

import os

_NAMES = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP",
    "VIRTUAL_ENV", "SYSTEMROOT", "DYLD_LIBRARY_PATH", "LD_LIBRARY_PATH", "LD_PRELOAD",
})  # fmt: skip
_BEGINNINGS = ("LC_", "PYTHON", "OMP_", "OPENBLAS_", "MKL_", "XDG_")


def environment_without_secrets() -> dict[str, str]:
    """The variables that a process without secrets gets."""
    return {
        name: value for name, value in os.environ.items() if name in _NAMES or name.startswith(_BEGINNINGS)
    }
