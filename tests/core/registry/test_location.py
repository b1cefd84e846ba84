"""From what people write to a storage."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.core.registry.errors import RegistryUnreachableError
from headrace.core.registry.local import LocalStorage
from headrace.core.registry.location import open_storage


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    storage = open_storage(f"file://{tmp_path}/with%20blank")
    assert isinstance(storage, LocalStorage)
    assert storage.root == tmp_path / "with blank"


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_storage("~/models").location == f"{tmp_path}/models"


@pytest.mark.provokes("HR309")
@pytest.mark.parametrize("url", ["nosuch://bucket/models", "s3:/x://"])
def test_a_url_without_a_driver_is_told(url: str) -> None:
    with pytest.raises(RegistryUnreachableError) as caught:
        open_storage(url)
    assert url in caught.value.fault
    assert "driver" in caught.value.mend
