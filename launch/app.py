"""What `triptych demo` serves: the router, started from a folder with no `pages` beside it.

Until `st.navigation` has run once, Streamlit 1.67 takes a folder of that name beside the started script for
its own list of pages: the first visit to /documents on a fresh server met "Page not found".
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
