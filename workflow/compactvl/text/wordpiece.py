"""MiniLM's uncased WordPiece tokenizer, from the pinned package's own file."""

import html
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import ftfy
from tokenizers import Tokenizer

from compactvl.errors import UserError
from compactvl.records.intact import check_recorded

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
        """
        if canonical:
            texts = [canonical_caption(text) for text in texts]
        encodings = self.backend.encode_batch(list(texts), add_special_tokens=False)
        return [[self.cls, *encoding.ids[: longest - 2], self.sep] for encoding in encodings]
