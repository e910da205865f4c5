"""The word-piece tokenizer of a run: copied into it in training, opened from it afterwards."""

import shutil
from pathlib import Path

from compactvl.files import atomic_path
from compactvl.records.intact import check_files
from compactvl.studies.base import Job
from compactvl.text.wordpiece import WordPiece

TOKENIZER = "tokenizer.json"


def copy_tokenizer(job: Job, weights: str) -> str:
    """Copy the tokenizer of converted weights into a job's run, so that it can be used anywhere; return the file's name."""
    with atomic_path(job.output / TOKENIZER) as temporary:
        shutil.copyfile(job.layout.weights(weights).with_suffix(".tokenizer.json"), temporary)
    return TOKENIZER


def open_tokenizer(run: str | Path) -> WordPiece:
    """Open the tokenizer of a finished run.

    Raises:
        UserError: it is missing, or not what the run's manifest says.
    """
    check_files(run, TOKENIZER)
    return WordPiece(Path(run) / TOKENIZER)
