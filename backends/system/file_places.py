"""Opens the files that servers share, by the address that the settings name: a folder or a bucket."""

from __future__ import annotations

from pathlib import Path

from backends.system.shared_files import FolderFiles, SharedFiles


def open_files(address: str) -> SharedFiles:
    """The files at an address: a folder, or a bucket (s3://bucket/prefix, also gs:// and az://).

    Raises UserError when it cannot be used.
    """
    if "://" not in address:
        return FolderFiles(Path(address).expanduser().absolute())
    from backends.system.bucket_files import BucketFiles  # of the extra `scale`

    return BucketFiles(address)
