"""From the location of a registry, as people write it, to its storage."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from headrace.core.registry.local import LocalStorage
from headrace.core.registry.remote import RemoteStorage
from headrace.core.registry.storage import Storage

__all__ = ["open_storage"]


def open_storage(location: str) -> Storage:
    """Return the storage of a folder, a file:// URL, or any URL that fsspec has a driver for.

    Raises:
        RegistryUnreachableError: HR309, no driver.
    """
    if "://" not in location:
        return LocalStorage(Path(location).expanduser())
    if location.startswith("file://"):
        return LocalStorage(Path(unquote(urlsplit(location).path)))
    return RemoteStorage(location)
