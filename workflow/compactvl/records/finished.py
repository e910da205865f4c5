"""Work that is already done: a job whose outputs are there, whole and made by an equal job, is not done again.

Snakemake runs a job again whenever something before it ran, even to the same bytes, and whenever times were scrambled or
it was killed before it noted the job's end. The key in the provenance (:mod:`compactvl.dag.identity`) knows better.

Snakemake removes the outputs of a job before it runs, except those of ``update()``, which it puts back when the job
fails, with new times: then old results would pass for new ones. So all outputs are of ``update()`` but the record, which
whatever comes after asks for: it is there only after a job that succeeded. Its content is in the provenance too.
"""

import os
from pathlib import Path
from typing import Any

from compactvl.errors import UserError
from compactvl.files import sha256_file
from compactvl.records.record import provenance_path, read_record, write_record


def keep(record: str | Path, key: str) -> bool:
    """Keep the outputs that ``record`` vouches for if a job of this key made them and all are whole.

    Returns:
        Whether they were kept; then the record is there, with the bytes it had, and all are dated now.
    """
    record = Path(record)
    try:
        provenance = read_record(provenance_path(record))
        body: dict[str, Any] = provenance["record"]
        files = {**body["files"], **provenance.get("files", {})}
        if provenance["key"] != key or any(sha256_file(record.parent / name) != files[name] for name in files):
            return False
    except (UserError, KeyError):
        # Missing, damaged or not finished: it is made again.
        return False
    for path in (*(record.parent / name for name in files), provenance_path(record)):
        os.utime(path)
    write_record(record, body)
    return True


def discard(record: str | Path) -> None:
    """Remove a record and its provenance, so that a job that is interrupted is never taken for finished."""
    for path in (Path(record), provenance_path(record)):
        path.unlink(missing_ok=True)
