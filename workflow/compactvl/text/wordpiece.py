"""MiniLM's uncased WordPiece tokenizer, from the pinned package's own file."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tokenizers import Tokenizer

from compactvl.errors import UserError
from compactvl.records.intact import check_recorded

CLS, SEP, MASK, PAD, UNKNOWN = "[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]"


def canonical_caption(text: str) -> str:
    """Lower case, punctuation removed, single spaces (EDJE, released pre-processing of captions).

    Marks stay: the vowel signs of Hindi, Thai or Tamil are no punctuation, though no part of Python's ``\\w`` either.
    """
    text = re.sub(r"[\s\-/]+", " ", text.lower())
    text = re.sub(r"[^\w ]", lambda found: found[0] if unicodedata.category(found[0])[0] == "M" else "", text)
    return re.sub(r" +", " ", text).strip()


class WordPiece:
    """Captions to token ids, with [CLS] in front and [SEP] behind, by a ``tokenizer.json``.

    Attributes:
        backend: the tokenizer itself. cls, sep, mask, pad: ids of the special tokens.

    Raises:
        UserError: the file is missing or not a tokenizer with BERT's special tokens.
    """

    def __init__(self, path: str | Path) -> None:
        if not Path(path).is_file():
            raise UserError(f"{path} is missing: convert the text weights first (compactvl weights)")
        try:
            self.backend = Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises bare Exception
            raise UserError(f"{path} is not a tokenizer file: {error}") from error
        self.backend.no_truncation()
        self.backend.no_padding()
        ids = {token: self.backend.token_to_id(token) for token in (CLS, SEP, MASK, PAD, UNKNOWN)}
        if None in ids.values():
            raise UserError(f"{path} lacks BERT's special tokens {', '.join(k for k, v in ids.items() if v is None)}")
        self.cls, self.sep, self.mask, self.pad, self.unknown = ids.values()

    @classmethod
    def beside(cls, weights: Path) -> Self:
        """Open the tokenizer that came with converted weights.

        Raises:
            UserError: it is missing, or not what the weights' record says.
        """
        path = weights.with_suffix(".tokenizer.json")
        check_recorded(path, weights.with_suffix(".json"))
        return cls(path)

    def encode(self, captions: Sequence[str], longest: int) -> list[list[int]]:
        """Return [CLS] caption [SEP] for each caption, at most ``longest`` ids each, the caption cut to fit."""
        encodings = self.backend.encode_batch(
            [canonical_caption(caption) for caption in captions], add_special_tokens=False
        )
        return [[self.cls, *encoding.ids[: longest - 2], self.sep] for encoding in encodings]
