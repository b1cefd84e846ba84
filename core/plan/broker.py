"""What can be wrong with the `broker` section of a file, beside single values."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.core.config.broker import SECRET_KEYS, broker_faults
from headrace.core.config.document import Document
from headrace.core.config.errors import BrokerSettingsError, SecretInFileError
from headrace.core.config.pipeline import PipelineFile
from headrace.core.errors import HeadraceError

__all__ = ["broker_problems"]


def broker_problems(document: Document, envelope: PipelineFile | None) -> Iterator[HeadraceError]:
    """Yield every password that stands in the file, and what does not go together."""
    for key in SECRET_KEYS:
        path = ("broker", key)
        if document.get(*path) is not None and not document.is_from_environment(path, wholly=True):
            yield SecretInFileError(
                f"broker.{key} stands in the file",
                mend=f'write {key}: "${{NAME}}" and set that variable, or use {key}_file',
                place=document.key_place(path),
            )
    if envelope is not None:
        for found in broker_faults(envelope.broker):
            yield BrokerSettingsError(
                f"broker.{found.key}: {found.fault}", mend=found.mend, place=document.key_place(("broker", found.key))
            )
