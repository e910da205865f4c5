"""MiniLM's uncased WordPiece tokenizer, from the pinned package's own file."""

import html
import logging
import string
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import ftfy
from tokenizers import Tokenizer

from compactvl.errors import UserError
from compactvl.records.intact import check_recorded

log = logging.getLogger(__name__)
CLS, SEP, MASK, PAD, UNKNOWN = "[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]"
NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def canonical_caption(text: str) -> str:
    """Broken encodings and HTML entities mended, ASCII punctuation deleted, lower case, single spaces.

    As EDJE's release reads every caption, by open_clip's cleaning ``canonicalize``: "black-and-white" is "blackandwhite",
    and an underscore is a space. Other scripts' marks and punctuation stay.
    """
    text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return " ".join(text.replace("_", " ").translate(NO_PUNCTUATION).lower().split())


class WordPiece:
    """Texts to token ids, with [CLS] in front and [SEP] behind, by a ``tokenizer.json``.

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
        # "[SEP]" inside a text is text.
        self.backend.encode_special_tokens = True
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

    def encode(self, texts: Sequence[str], longest: int, *, canonical: bool = False) -> list[list[int]]:
        """Return [CLS] text [SEP] for each text, at most ``longest`` ids each, the text cut to fit.

        Args:
            canonical: whether texts go through :func:`canonical_caption` first.

        Raises:
            ValueError: ``longest`` has no place for [CLS] and [SEP].
        """
        if longest < 2:
            raise ValueError(f"longest {longest}: [CLS] and [SEP] need 2 ids")
        if canonical:
            texts = [canonical_caption(text) for text in texts]
        encodings = self.backend.encode_batch(list(texts), add_special_tokens=False)
        return [[self.cls, *encoding.ids[: longest - 2], self.sep] for encoding in encodings]

    def read(self, text: str, longest: int, what: str, *, canonical: bool = False) -> list[int]:
        """Return the ids of a text that somebody asks, as :meth:`encode` does; what is lost of it is told.

        Args:
            what: what to call the text, e.g. "the query".

        Raises:
            UserError: the text is not UTF-8, has no words, or none that is known among those that are read.
        """
        if any("\ud800" <= letter <= "\udfff" for letter in text):  # a byte of the command line that is not UTF-8
            raise UserError(f"{what} {text!r} is not UTF-8; write it in UTF-8")
        if not canonical_caption(text):
            raise UserError(f"{what} {text!r} has no words; say it in words")
        (ids,) = self.encode([text], sys.maxsize, canonical=canonical)
        pieces = ids[1:-1][: longest - 2]
        unknown = pieces.count(self.unknown)
        if unknown == len(pieces):
            raise UserError(f"the model knows no word of {what} {text!r}; say it in other words")
        if unknown:
            log.warning("the model does not know %d of %s's words", unknown, what)
        if len(ids) > longest:
            log.warning("%s is longer than the %d word pieces the model reads; its end is cut off", what, longest)
        return [self.cls, *pieces, self.sep]
