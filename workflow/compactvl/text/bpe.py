"""Byte-level BPE tokenizers: one trained on given texts, or a published one, as ``[BOS] text [EOS]``."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from compactvl.errors import UserError
from compactvl.files import atomic_path

PAD, EOS, BOS = "[PAD]", "[EOS]", "[BOS]"
SPECIAL = (PAD, EOS, BOS)


def train_bpe(texts: Iterable[str], vocabulary: int, *, lowercase: bool) -> Tokenizer:
    """Train a tokenizer of ``vocabulary`` entries, the three special tokens and 256 bytes included.

    A text is cut at spaces and punctuation and each piece is encoded as if a space stood before it, so that a word has
    the same tokens wherever it stands, and "word." the same as "word .".
    """
    tokenizer = Tokenizer(models.BPE())
    if lowercase:
        tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def published(name: str) -> Tokenizer:
    """Load a tokenizer of the Hub, or of a folder with ``tokenizer.json``, and add the special tokens.

    Raises:
        UserError: it cannot be had.
    """
    try:
        file = Path(name) / "tokenizer.json"
        tokenizer = Tokenizer.from_file(str(file)) if file.is_file() else Tokenizer.from_pretrained(name)
    except Exception as error:  # tokenizers raises bare Exception
        raise UserError(
            f"tokenizer {name!r} cannot be loaded ({error}); check the name and the network, or give a folder with tokenizer.json"
        ) from error
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, path: str | Path) -> None:
    """Write ``tokenizer.json`` atomically."""
    with atomic_path(path) as temporary:
        tokenizer.save(str(temporary))


class TextTokenizer:
    """Texts to ids, by a ``tokenizer.json`` with the special tokens.

    Attributes:
        backend: the tokenizer itself. pad, eos, bos: ids of the special tokens. size: number of entries.

    Raises:
        UserError: the file is missing, or not such a tokenizer.
    """

    def __init__(self, path: str | Path) -> None:
        if not Path(path).is_file():
            raise UserError(f"{path} is missing: train the tokenizer's variant first")
        try:
            self.backend = Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises bare Exception
            raise UserError(f"{path} is not a tokenizer file ({error}); train the tokenizer's variant again") from error
        self.backend.no_truncation()
        self.backend.no_padding()
        # "[EOS]" inside a text is text.
        self.backend.encode_special_tokens = True
        ids = [self.backend.token_to_id(token) for token in SPECIAL]
        if None in ids:
            raise UserError(f"{path} lacks one of the special tokens {', '.join(SPECIAL)}")
        self.pad, self.eos, self.bos = ids
        self.size = self.backend.get_vocab_size()

    def pieces(self, texts: Sequence[str]) -> list[list[int]]:
        """Return each text's ids, without special tokens."""
        return [encoding.ids for encoding in self.backend.encode_batch_fast(list(texts), add_special_tokens=False)]

    def encode(self, texts: Sequence[str], longest: int) -> list[list[int]]:
        """Return [BOS] text [EOS] for each text, at most ``longest`` ids each, the text cut to fit.

        Raises:
            ValueError: ``longest`` has no place for [BOS] and [EOS].
        """
        if longest < 2:
            raise ValueError(f"longest {longest}: [BOS] and [EOS] need 2 ids")
        return [[self.bos, *ids[: longest - 2], self.eos] for ids in self.pieces(texts)]
