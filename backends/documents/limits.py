"""What a file may cost: its size, what it unpacks to, its pages, rows and characters, seconds and memory.

One place, so that the readers, the process they run in and the words shown to the user agree.
"""

from __future__ import annotations

MB = 1024 * 1024

MAX_BYTES = 50 * MB
MAX_UNPACKED = 500 * MB  # of a zip-based format (docx, xlsx, epub ...) and of a zip of files
MAX_PAGES = 3000
MAX_ROWS = 1_000_000
MAX_CHARACTERS = 20_000_000
MAX_SECONDS = 60.0  # to read one file
MAX_MEMORY = 2048 * MB  # address space of the process that reads
MAX_ZIP_FILES = 1000
MAX_NESTED = 3  # files within files within files: a mail in a mail, a zip in it
MAX_ZIP_BYTES = 200 * MB
RECOGNITION_SECONDS = 120.0  # of waiting for text recognition, of one file
