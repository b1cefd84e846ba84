"""From texts to token ids: the model's own tokenizer, cut at its longest text, and telling so."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from headrace.core.registry.errors import ModelLengthError
from headrace.core.wire.json import replace_surrogates
from headrace.plugins.models.errors import ModelLibraryError, TokenizerUnreadableError

__all__ = ["Encoded", "Tokenizer", "open_tokenizer"]

# No language packs more than about 6 characters into a token on average; 16 leave room for odd texts.
_HEAD_CHARACTERS_PER_TOKEN = 16


class Encoded(NamedTuple):
    """A text as the model sees it; `type_ids` None means that all are 0, as in most models for a single text."""

    ids: Sequence[int]
    type_ids: Sequence[int] | None
    truncated: bool


class Tokenizer(Protocol):
    """Encodes texts, each by itself: nothing is padded."""

    pad_id: int

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Return the texts' token ids, special tokens included, at least one a text."""


def open_tokenizer(folder: Path, file: str | None, max_tokens: int) -> Tokenizer:
    """Return the tokenizer of a model.

    Args:
        folder: the model's folder.
        file: its tokenizer.json; None lets transformers read the folder.
        max_tokens: longest text, special tokens included.

    Raises:
        TokenizerUnreadableError: HR324.
        ModelLengthError: HR312, not even the special tokens fit.
        ModelLibraryError: HR328, `tokenizers` or `transformers` cannot be imported.
    """
    # Inference keeps the threads busy; a pool of one thread a core would fight with it. The user's choice stands.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    tokenizer = _slow_or_fast(folder) if file is None else _from_file(folder / file)
    if not hasattr(tokenizer, "encode_batch_fast"):
        return _SlowTokenizer(tokenizer, max_tokens)
    return _FastTokenizer(tokenizer, max_tokens)


class _FastTokenizer:
    """A tokenizer of the `tokenizers` library."""

    def __init__(self, tokenizer: Any, max_tokens: int) -> None:
        _refuse_short(max_tokens, tokenizer.num_special_tokens_to_add(False))
        self.pad_id = _pad_id(tokenizer)
        direction = (tokenizer.truncation or {}).get("direction", "right")
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_tokens, direction=direction)
        self._tokenizer = tokenizer
        self._has_types = any(tokenizer.encode("a").type_ids)
        self._head = max_tokens * _HEAD_CHARACTERS_PER_TOKEN if direction == "right" else None

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Return the texts' token ids."""
        return [self._encoded(at, whole) for at, whole in zip(self._heads(texts), texts, strict=True)]

    def _heads(self, texts: Sequence[str]) -> list[tuple[Any, bool]]:
        """Encode the beginning of very long texts only: a megabyte costs 0.7 s, and all but 512 tokens are cut off."""
        heads = texts if self._head is None else [_head(text, self._head) for text in texts]
        return [(e, head is not text) for e, head, text in zip(self._batch(heads), heads, texts, strict=True)]

    def _encoded(self, encoding: tuple[Any, bool], whole: str) -> Encoded:
        found, is_head = encoding
        if is_head and not found.overflowing:  # long words: the beginning has too few tokens to be sure
            found = self._batch([whole])[0]
        types = found.type_ids if self._has_types else None
        ids = found.ids
        return Encoded(ids, types, bool(found.overflowing)) if ids else Encoded([self.pad_id], None, False)

    def _batch(self, texts: Sequence[str]) -> list[Any]:
        try:
            return list(self._tokenizer.encode_batch_fast(texts))
        except (UnicodeEncodeError, TypeError):  # the library's answer to a lone surrogate
            return list(self._tokenizer.encode_batch_fast([replace_surrogates(text) for text in texts]))


class _SlowTokenizer:
    """A tokenizer of transformers that is written in Python."""

    def __init__(self, tokenizer: Any, max_tokens: int) -> None:
        _refuse_short(max_tokens, tokenizer.num_special_tokens_to_add(pair=False))
        self.pad_id = int(tokenizer.pad_token_id or 0)
        self._tokenizer, self._max_tokens = tokenizer, max_tokens

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Return the texts' token ids."""
        return [self._encoded(replace_surrogates(text)) for text in texts]

    def _encoded(self, text: str) -> Encoded:
        found = self._tokenizer(text, return_token_type_ids=True, verbose=False)
        truncated = len(found["input_ids"]) > self._max_tokens
        if truncated:
            found = self._tokenizer(text, return_token_type_ids=True, truncation=True, max_length=self._max_tokens)
        ids = found["input_ids"]
        return Encoded(ids, found["token_type_ids"], truncated) if ids else Encoded([self.pad_id], None, False)


def _head(text: str, characters: int) -> str:
    """Return the beginning of a long text up to a white space, so that no word is cut; else the text itself."""
    if len(text) <= characters:
        return text
    at = text.rfind(" ", 0, characters)
    return text[:at] if at > 0 else text


def _from_file(path: Path) -> Any:
    try:
        from tokenizers import Tokenizer as Library
    except ImportError as error:
        raise ModelLibraryError(f"tokenizers cannot be imported: {error}", mend="reinstall tokenizers") from error
    try:
        return Library.from_file(str(path))
    except Exception as error:
        raise _unreadable(error) from error


def _slow_or_fast(folder: Path) -> Any:
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise ModelLibraryError(f"transformers cannot be imported: {error}", mend="reinstall transformers") from error
    try:
        found = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise _unreadable(error) from error
    return getattr(found, "backend_tokenizer", None) or found


def _pad_id(tokenizer: Any) -> int:
    """Which id pads makes no difference, because padding is masked; one of the vocabulary it must be."""
    padding = tokenizer.padding
    if padding:
        return int(padding["pad_id"])
    known = (tokenizer.token_to_id(token) for token in ("[PAD]", "<pad>"))
    return next((id for id in known if id is not None), 0)


def _refuse_short(max_tokens: int, special: int) -> None:
    if max_tokens <= special:
        raise ModelLengthError(
            f"max_tokens is {max_tokens}, and the tokenizer adds {special} special tokens to every text",
            mend=f"raise max_tokens to at least {special + 1}",
        )


def _unreadable(error: Exception) -> TokenizerUnreadableError:
    said = " ".join(str(error).split())[:300]
    return TokenizerUnreadableError(
        f"its tokenizer cannot be loaded: {said}", mend="save it again with save_pretrained, or update"
    )
