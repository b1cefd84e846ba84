"""Note how emphatic a text is, before a model reads it and normalisation makes it tame."""

from __future__ import annotations

from pydantic import Field

from headrace import Catalog, Options, Record, hookimpl

__all__ = ["EmphasisOptions", "emphasis", "headrace_register"]


class EmphasisOptions(Options):
    """What a pipeline file may say of `emphasis`."""

    capitals: float = Field(
        default=0.7, gt=0, le=1, description="share of capitals among a text's letters from which it shouts"
    )
    letters: int = Field(default=8, ge=1, description="fewest letters of a text that can shout; OK does not")
    marks: int = Field(default=2, ge=1, description="exclamation marks in a row from which a text insists")


def emphasis(record: Record, options: EmphasisOptions) -> Record:
    """Return the record with the tag `emphasis`: `shouting`, `insisting` or `calm`."""
    return record.with_tag("emphasis", _emphasis_of(record.text, options))


def _emphasis_of(text: str, options: EmphasisOptions) -> str:
    letters = [letter for letter in text if letter.lower() != letter.upper()]  # not every script has capitals
    capitals = sum(letter.isupper() for letter in letters)
    if len(letters) >= options.letters and capitals >= options.capitals * len(letters):
        return "shouting"
    return "insisting" if "!" * options.marks in text else "calm"


@hookimpl
def headrace_register(catalog: Catalog) -> None:
    """Register the preprocess step `emphasis`."""
    catalog.preprocess("emphasis", emphasis, options=EmphasisOptions)
