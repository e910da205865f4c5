"""The data a report shows beside results: pictures of a canonical set, facts of a token store. Absent is ``None``."""

from pathlib import Path

from compactvl.data.canonical import CanonicalSet
from compactvl.records.record import MANIFEST, read_record


def open_set(sets: str | Path, name: str) -> CanonicalSet | None:
    """Open a canonical data set for its pictures, or return ``None`` where it is not on disk."""
    folder = Path(sets) / name
    return CanonicalSet.open(folder) if (folder / MANIFEST).is_file() else None


def local_token_count(tokens: str | Path, dataset: str) -> int | None:
    """Return the tokens an image has in the (first) encoder's store of a data set, or ``None`` without a store."""
    for path in sorted(Path(tokens).glob(f"*/{dataset}/{MANIFEST}")):
        if shape := read_record(path).get("shape"):
            return int(shape[0])
    return None
