"""Words of a text column: which are numbers, which mean a missing value, which are neither.

Work is done on the distinct words, in the order in which they first occur: a column of categories
costs next to nothing, however long.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

# In any case of letters. A dash is not among them: in accounts it means zero.
MISSING = ("", "NA", "N/A", "#N/A", "<NA>", "NaN", "null", "None", ".")
DECIMAL = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
NUMBER = rf"^(?:{DECIMAL}|[+-]?(?i:inf|infinity))$"
# 1,5 and 1,234,567.8 and 1'000: numbers to people, and no two countries read them alike.
GROUPED = re.compile(r"[+-]?[0-9]+(?:[,'_\s\u2019][0-9]+)+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")

_DECIMAL = re.compile(DECIMAL)
_MISSING = frozenset(word.lower() for word in MISSING)


def is_decimal(word: str) -> bool:
    """Whether the word is a decimal number, spaces around it ignored."""
    return _DECIMAL.fullmatch(word.strip()) is not None


def is_missing(word: str) -> bool:
    """Whether the word says that a value is missing."""
    return word.strip().lower() in _MISSING


def kept_apart(stray: list[str]) -> bool:
    """Whether all are numbers but for a decimal comma or a mark between groups of digits."""
    return all(GROUPED.fullmatch(word) for word in stray)


def remedy(word: str) -> str:
    """What to do about a word that is no number."""
    word = word.strip()
    if GROUPED.fullmatch(word):
        return "Write a decimal point, not a comma, and nothing between thousands."
    if re.fullmatch(r"[+-]?0[xXoObB][0-9a-fA-F]+", word):
        return "Write it as a decimal number."
    if re.search(r"[0-9]", word) and re.search(r"[%$€£<>≤≥]", word):
        return "Write the number alone, without the mark beside it."
    return "Correct it, or write NA if the value is missing."


@dataclass(frozen=True, eq=False)
class Words:
    """A text column: its words, spaces around them gone, and the distinct ones by kind."""

    words: Any
    distinct: Any
    is_number: Any

    @classmethod
    def of(cls, column: Any) -> Words:
        """From a pyarrow column of strings."""
        import pyarrow.compute as pc

        words = pc.utf8_trim_whitespace(column)
        distinct = words.unique()
        return cls(words, distinct, pc.match_substring_regex(distinct, NUMBER))

    @property
    def any_number(self) -> bool:
        """Whether the column is numeric."""
        return bool(self.is_number.true_count)

    @cached_property
    def stray(self) -> list[str]:
        """Distinct words that are neither numbers nor missing."""
        import pyarrow.compute as pc

        others = self.distinct.filter(pc.invert(self.is_number)).to_pylist()
        return [word for word in others if not is_missing(word)]

    def first_stray(self) -> tuple[int, int]:
        """The row of the first stray word, from 0, and how many values are stray."""
        import pyarrow as pa
        import pyarrow.compute as pc

        stray = pc.is_in(self.words, value_set=pa.array(self.stray))
        return pc.index(stray, True).as_py(), pc.sum(stray).as_py()

    def numbers(self) -> Any:
        """The column as float64, null where missing; there must be no stray word."""
        import pyarrow as pa
        import pyarrow.compute as pc

        words, known = self.distinct.to_pylist(), self.is_number.to_pylist()
        values = [float(w) if k else None for w, k in zip(words, known, strict=True)]
        codes = pc.index_in(self.words, value_set=self.distinct)
        return pa.chunked_array(
            [pa.array(values, pa.float64()).take(chunk) for chunk in codes.chunks]
        )
