"""The registry: references resolve, versions keep apart, and half a model is none."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.core.errors import HeadraceError
from headrace.core.registry.errors import (
    HashMismatchError,
    InvalidNameError,
    ManifestUnreadableError,
    ModelFileMissingError,
    ModelReferenceError,
    RegistryUnreachableError,
    UnknownModelError,
    UnknownVersionError,
    VersionTakenError,
)
from headrace.core.registry.folder import ModelSource
from headrace.core.registry.local import LocalStorage
from headrace.core.registry.storage import Storage
from headrace.core.registry.store import Registry

MakeSource = Callable[..., ModelSource]


def storage_of(registry: Registry) -> Storage:
    return registry._storage


def error_of(call: Callable[[], Any]) -> HeadraceError:
    with pytest.raises(HeadraceError) as caught:
        call()
    return caught.value


# -- what is registered


def test_a_registered_model_resolves_by_version_and_by_alias(registry: Registry, source: MakeSource) -> None:
    added = registry.add(source(), "reviews", alias="prod")
    assert added.reference == "reviews@1"
    assert registry.resolve("reviews@1") == registry.resolve("reviews@prod") == added
    registry.check(added)
    registry.verify(added)


def test_versions_count_up_and_never_change(registry: Registry, source: MakeSource) -> None:
    first, second = (registry.add(source(graph), "reviews") for graph in (b"one", b"two"))
    assert (first.reference, second.reference) == ("reviews@1", "reviews@2")
    assert registry.resolve("reviews@1") == first
    assert (registry.files(first) / "onnx/model.onnx").read_bytes() == b"one"
    assert (registry.files(second) / "onnx/model.onnx").read_bytes() == b"two"


def test_a_number_can_be_chosen_and_counting_goes_on_from_there(registry: Registry, source: MakeSource) -> None:
    registry.add(source(), "reviews", version=7)
    assert registry.next_version("reviews") == 8
    assert registry.add(source(), "reviews").version == 8
    assert registry.add(source(), "reviews", version=2).version == 2


def test_an_alias_moves_and_the_others_stay(registry: Registry, source: MakeSource) -> None:
    registry.add(source(), "reviews", alias="prod")
    registry.add(source(), "reviews", alias="next")
    registry.set_alias("reviews", "prod", 2)
    assert registry.aliases("reviews") == {"next": 2, "prod": 2}
    assert registry.aliases("nothing") == {}


def test_the_manifest_says_when_and_from_where(local: Registry, source: MakeSource) -> None:
    manifest = local.add(source(lineage={"folder": "model"}, inputs=("input_ids",)), "reviews")
    assert manifest.created == "2023-11-14T22:13:20Z"
    assert (manifest.lineage, manifest.inputs) == ({"folder": "model"}, ("input_ids",))
    assert {path: file.size for path, file in manifest.files.items()} == {"onnx/model.onnx": 7, "tokenizer.json": 2}


def test_everything_is_listed_by_name_and_number(registry: Registry, source: MakeSource) -> None:
    for name in ("reviews", "mail", "reviews"):
        registry.add(source(), name, alias="prod")
    found = [(listed.name, listed.version, listed.aliases) for listed in registry.list()]
    assert found == [("mail", 1, ("prod",)), ("reviews", 1, ()), ("reviews", 2, ("prod",))]


def test_an_empty_registry_lists_nothing(registry: Registry) -> None:
    assert registry.list() == ()


def test_what_is_no_model_is_not_listed(local: Registry, source: MakeSource) -> None:
    local.add(source(), "reviews")
    root = Path(local.location)
    (root / "README.md").write_text("a registry")
    for folder in (".git/1", "reviews/drafts", "reviews/01", "empty"):
        (root / folder).mkdir(parents=True)
    assert [listed.name for listed in local.list()] == ["reviews"]


def test_a_damaged_version_is_listed_with_what_is_wrong_and_does_not_hide_the_others(
    registry: Registry, source: MakeSource
) -> None:
    registry.add(source(), "reviews")
    registry.add(source(), "reviews")
    storage_of(registry).write("reviews/1/manifest.json", b"{")
    broken, whole = registry.list()
    assert broken.manifest is None
    assert isinstance(broken.problem, ManifestUnreadableError)
    assert whole.manifest is not None


def test_a_source_folder_of_links_is_copied_as_files(local: Registry, source: MakeSource, tmp_path: Path) -> None:
    given = source(b"behind a link")
    assert given.graph
    blob = tmp_path / "blob"
    (given.folder / given.graph).rename(blob)
    (given.folder / given.graph).symlink_to(blob)
    path = local.files(local.add(given, "reviews")) / given.graph
    assert path.read_bytes() == b"behind a link"
    assert not path.is_symlink()


# -- references that do not resolve


@pytest.mark.provokes("HR301")
def test_a_bare_name_is_refused_with_the_versions_and_aliases_there_are(registry: Registry, source: MakeSource) -> None:
    registry.add(source(), "reviews", alias="prod")
    registry.add(source(), "reviews")
    error = error_of(lambda: registry.resolve("reviews"))
    assert isinstance(error, ModelReferenceError)
    assert str(error) == "HR301 'reviews' names no version; write reviews@2; versions: 1, 2; aliases: prod"


@pytest.mark.provokes("HR302")
def test_an_unknown_name_is_refused_with_the_nearest(registry: Registry, source: MakeSource) -> None:
    registry.add(source(), "reviews")
    error = error_of(lambda: registry.resolve("revews@1"))
    assert isinstance(error, UnknownModelError)
    assert error.mend == "did you mean 'reviews'?"


@pytest.mark.provokes("HR302")
def test_an_empty_registry_says_how_to_fill_it(registry: Registry) -> None:
    error = error_of(lambda: registry.resolve("reviews@1"))
    assert registry.location in error.fault
    assert "headrace model import" in error.mend


@pytest.mark.provokes("HR303")
@pytest.mark.parametrize(
    ("reference", "mend"),
    [
        ("reviews@9", "versions: 1; aliases: prod"),
        ("reviews@prd", "did you mean 'prod'? versions: 1; aliases: prod"),
        ("reviews@canary", "versions: 1; aliases: prod"),
    ],
)
def test_an_unknown_version_or_alias_is_refused_with_those_there_are(
    registry: Registry, source: MakeSource, reference: str, mend: str
) -> None:
    registry.add(source(), "reviews", alias="prod")
    error = error_of(lambda: registry.resolve(reference))
    assert isinstance(error, UnknownVersionError)
    assert error.mend == mend


@pytest.mark.provokes("HR303")
def test_an_alias_of_a_version_that_is_gone_says_so(registry: Registry, source: MakeSource) -> None:
    registry.add(source(), "reviews")
    registry.set_alias("reviews", "prod", 9)
    assert "reviews@prod means reviews@9" in error_of(lambda: registry.resolve("reviews@prod")).fault


@pytest.mark.provokes("HR304")
@pytest.mark.parametrize("data", [b"{", b"[]", b'{"prod": "one"}', b"\xff"])
def test_damaged_aliases_are_told_and_do_not_hide_the_versions(
    registry: Registry, source: MakeSource, data: bytes
) -> None:
    registry.add(source(), "reviews")
    storage_of(registry).write("reviews/aliases.json", data)
    error = error_of(lambda: registry.resolve("reviews@prod"))
    assert isinstance(error, ManifestUnreadableError)
    assert "aliases.json is damaged" in error.fault
    assert registry.resolve("reviews@1").version == 1
    assert [listed.version for listed in registry.list()] == [1]


# -- files that are not whole


@pytest.mark.provokes("HR305")
def test_a_missing_file_is_found_without_reading_the_others(local: Registry, source: MakeSource) -> None:
    manifest = local.add(source(), "reviews")
    (Path(local.location) / "reviews/1/onnx/model.onnx").unlink()
    error = error_of(lambda: local.check(manifest))
    assert isinstance(error, ModelFileMissingError)
    assert "onnx/model.onnx" in error.fault


@pytest.mark.provokes("HR305")
def test_a_file_of_another_size_is_found_without_reading_it(registry: Registry, source: MakeSource) -> None:
    manifest = registry.add(source(), "reviews")
    storage_of(registry).write("reviews/1/tokenizer.json", b"{} ")
    assert "has 3 bytes; its manifest says 2" in error_of(lambda: registry.check(manifest)).fault


@pytest.mark.provokes("HR306")
def test_a_changed_file_of_the_same_size_passes_the_check_and_never_the_verification(
    registry: Registry, source: MakeSource
) -> None:
    manifest = registry.add(source(), "reviews")
    storage_of(registry).write("reviews/1/tokenizer.json", b"[]")
    registry.check(manifest)
    for look in (registry.verify, registry.files):
        error = error_of(lambda look=look: look(manifest))  # type: ignore[misc]
        assert isinstance(error, HashMismatchError)
        assert "reviews@1: tokenizer.json" in error.fault


# -- imports that fail, die or meet


@pytest.mark.provokes("HR307")
def test_a_version_that_exists_is_refused_and_stays_as_it_was(registry: Registry, source: MakeSource) -> None:
    first = registry.add(source(b"one"), "reviews")
    error = error_of(lambda: registry.add(source(b"two"), "reviews", version=1))
    assert isinstance(error, VersionTakenError)
    assert error.mend == "leave --version away to make it reviews@2"
    registry.verify(first)


@pytest.mark.provokes("HR308")
def test_a_bad_name_or_alias_registers_nothing(registry: Registry, source: MakeSource) -> None:
    with pytest.raises(InvalidNameError):
        registry.add(source(), "../reviews")
    with pytest.raises(InvalidNameError):
        registry.add(source(), "reviews", alias="v2")
    assert registry.list() == ()


@pytest.mark.provokes("HR309")
def test_an_import_that_fails_leaves_nothing_and_its_number_free(
    local: Registry, source: MakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = LocalStorage.upload

    def full(self: LocalStorage, path: Path, to: str) -> None:
        if to.endswith("tokenizer.json"):
            raise RegistryUnreachableError("no space")
        upload(self, path, to)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "upload", full)
        with pytest.raises(RegistryUnreachableError):
            local.add(source(), "reviews", version=1)
    assert local.list() == ()
    assert local.add(source(), "reviews", version=1).version == 1


@pytest.mark.provokes("HR307")
def test_an_import_that_dies_before_the_manifest_leaves_no_version(local: Registry, source: MakeSource) -> None:
    given = source()
    pid = os.fork()
    if not pid:
        LocalStorage.write = lambda *_: os._exit(9)  # type: ignore[method-assign]
        local.add(given, "reviews")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    assert (Path(local.location) / "reviews/1/onnx/model.onnx").exists()

    assert local.list() == ()
    assert isinstance(error_of(lambda: local.resolve("reviews@1")), UnknownModelError)
    error = error_of(lambda: local.add(given, "reviews", version=1))
    assert "was begun by another import" in error.fault
    assert f"remove {local.location}/reviews/1" in error.mend
    assert local.add(given, "reviews").version == 2


def test_two_imports_at_once_do_not_share_a_version(local: Registry, source: MakeSource) -> None:
    given, gate = [source(f"graph {at}".encode()) for at in range(8)], threading.Barrier(8)
    added = []

    def add(one: ModelSource) -> None:
        gate.wait()
        added.append(local.add(one, "reviews", alias=f"from-{one.folder.name[-8:]}"))

    threads = [threading.Thread(target=add, args=(one,)) for one in given]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(manifest.version for manifest in added) == [*range(1, 9)]
    assert len(local.aliases("reviews")) == 8
    for manifest in added:
        local.verify(manifest)


def test_the_manifest_is_written_last(local: Registry, source: MakeSource, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, write = [], LocalStorage.write

    def watched(self: LocalStorage, path: str, data: bytes) -> None:
        seen.append((path, sorted(one.name for one in (self.root / path).parent.rglob("*") if one.is_file())))
        write(self, path, data)

    monkeypatch.setattr(LocalStorage, "write", watched)
    local.add(source(), "reviews")
    assert seen == [("reviews/1/manifest.json", ["model.onnx", "tokenizer.json"])]


def test_what_lies_in_the_folder_is_what_people_can_read(local: Registry, source: MakeSource) -> None:
    local.add(source(), "reviews", alias="prod")
    root = Path(local.location)
    assert json.loads((root / "reviews/1/manifest.json").read_text())["name"] == "reviews"
    assert json.loads((root / "reviews/aliases.json").read_text()) == {"prod": 1}
