"""The door to buckets: `shared_files.SharedFiles` in S3, or in what speaks its language.

Enters: an address (s3://bucket/prefix), and what AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
and AWS_REGION say. Leaves: objects, by obstore. A bucket that keeps versions keeps removed bytes too: obstore
does not list those, so they are found and removed by boto3. A put is whole or not at all, as S3 has it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from backends.datatypes import UserError
from backends.system.shared_files import StoredFile

try:
    import boto3
    import obstore
    from botocore.exceptions import BotoCoreError, ClientError
    from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError, PreconditionError
    from obstore.store import from_url
except ImportError as error:
    raise UserError(f"Files in a bucket need the package {error.name}: pip install -e '.[scale]'.") from error

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


class BucketFiles:
    """Files in a bucket, below a prefix."""

    def __init__(self, address: str) -> None:
        """Raises UserError when the address names no bucket."""
        parts = urlsplit(address)
        self.name = f"The bucket {parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
        self._bucket, self._prefix = parts.netloc, parts.path.strip("/")
        self._versions: Any = None
        endpoint = next((os.environ[each] for each in ENDPOINTS if os.environ.get(each)), None)
        given: dict[str, Any] = {"client_options": {"allow_http": True}} if _plain(endpoint) else {}
        if endpoint is not None and parts.scheme == "s3":
            given["endpoint"] = endpoint
        with self._told():
            self._store = from_url(address, **given)
            if parts.scheme == "s3":
                self._versions = boto3.client(
                    "s3", endpoint_url=endpoint, region_name=os.environ.get("AWS_REGION")
                )

    @property
    def limits(self) -> tuple[str, ...]:
        """What removing cannot reach."""
        said = ["What was copied from the bucket (replication, backups, locked versions) keeps its bytes."]
        if self._versions is None:
            said.append("Earlier versions of objects were not read: that is done in S3 alone.")
        return tuple(said)

    def get(self, key: str) -> StoredFile | None:
        """What lies under a key."""
        with self._told():
            try:
                found = obstore.get(self._store, key)
                return StoredFile(bytes(found.bytes()), str(found.meta["e_tag"]))
            except (NotFoundError, FileNotFoundError):
                return None

    def holds(self, key: str) -> bool:
        """Whether something lies under a key."""
        with self._told():
            try:
                obstore.head(self._store, key)
            except (NotFoundError, FileNotFoundError):
                return False
            return True

    def put(self, key: str, data: bytes) -> None:
        """Keep bytes under a key."""
        with self._told():
            obstore.put(self._store, key, data)

    def swap(self, key: str, data: bytes, mark: str | None) -> bool:
        """Keep them if what lies there still has this mark."""
        with self._told():
            try:
                mode: Any = "create" if mark is None else {"e_tag": mark}
                # Conditions hold for one request: in parts it would be several.
                obstore.put(self._store, key, data, mode=mode, use_multipart=False)
            except (AlreadyExistsError, PreconditionError, NotFoundError, FileNotFoundError):
                return False
            return True

    def remove(self, key: str) -> None:
        """Remove an object with every version of it and the marks that say it was removed."""
        with self._told():
            if self._versions is None:
                obstore.delete(self._store, key)
                return
            for version in self._listed(key):
                if version["Key"] == self._inside(key):
                    self._versions.delete_object(
                        Bucket=self._bucket, Key=version["Key"], VersionId=version["VersionId"]
                    )

    def keys(self, prefix: str = "") -> list[str]:
        """Every key that begins so, of objects and of earlier versions."""
        with self._told():
            if self._versions is None:
                listed = (each["path"] for batch in obstore.list(self._store) for each in batch)
                return sorted(path for path in listed if path.startswith(prefix))
            found = {self._outside(version["Key"]) for version in self._listed(prefix)}
            return sorted(found)

    def dumps(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Every object with each of its versions."""
        if self._versions is None:
            for key in self.keys():
                found = self.get(key)
                yield f"{self.name}: {key}", iter([found.data] if found is not None else [])
            return
        with self._told():
            versions = [version for version in self._listed("") if "Size" in version]
        for version in versions:
            at = {"Key": version["Key"], "VersionId": version["VersionId"]}
            named = f"{self.name}: {self._outside(version['Key'])} (version {version['VersionId']})"
            yield named, self._blocks(at)

    def _blocks(self, at: dict[str, str]) -> Iterator[bytes]:
        with self._told():
            try:
                body = self._versions.get_object(Bucket=self._bucket, **at)["Body"]
            except self._versions.exceptions.NoSuchKey:  # removed meanwhile
                return
            yield from body.iter_chunks(1 << 20)

    def _listed(self, prefix: str) -> Iterator[dict[str, Any]]:
        """Every version and every mark of a removal; those of a bucket without versions are called `null`."""
        pages = self._versions.get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=self._bucket, Prefix=self._inside(prefix)):
            yield from page.get("Versions", ())
            yield from page.get("DeleteMarkers", ())

    def _inside(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key

    def _outside(self, key: str) -> str:
        return key[len(self._prefix) + 1 :] if self._prefix else key

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the bucket refuses becomes a sentence."""
        try:
            yield
        except (BaseError, BotoCoreError, ClientError, ValueError, OSError) as error:
            first = str(error).strip().partition("\n")[0]
            raise UserError(f"{self.name} does not answer as it should: {first[:300]}") from error


def _plain(endpoint: str | None) -> bool:
    return endpoint is not None and endpoint.startswith("http://")
