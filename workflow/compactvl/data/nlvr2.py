"""NLVR2 (Suhr et al. 2019): is a statement true of a pair of photographs?

    {"identifier": "train-10171-0-0", "sentence": "...", "label": "True", "directory": 4, ...}

An identifier is split-set-pair-sentence; the photographs are ``split-set-pair-img0.png`` and ``-img1.png``, whatever format
they have. Only train.json has a directory. All pairs of a set that were judged by the same sentence share the identifier but
for the pair: the official ``eval/metrics.py`` counts consistency over these, and so does ``sentence_id``.
"""

from compactvl.data.answered_items import AGAIN, AnsweredItems, Line, label_majority, read_split_files
from compactvl.data.curate import Curation
from compactvl.data.kinds.nlvr2 import Settings
from compactvl.errors import UserError

ANSWERS = ("false", "true")


def curate(settings: Settings, job: Curation) -> None:
    """Make the set: item_id, image_0, image_1, split, statement, label (place in false, true), sentence_id, type ("")."""
    items = AnsweredItems(job, settings)
    for line in read_split_files(settings.annotations):
        identifier = line.text("identifier")
        parts = identifier.split("-")
        if len(parts) != 4:
            raise UserError(f"{line.where}: 'identifier' is {identifier!r}, not split-set-pair-sentence; {AGAIN}")
        part, group, pair, sentence = parts
        items.add(
            line.where,
            identifier,
            line.split,
            {f"image_{side}": _places(line, part, f"{part}-{group}-{pair}-img{side}.png") for side in (0, 1)},
            statement=line.text("sentence"),
            label=line.label("label", ANSWERS),
            sentence_id=f"{part}-{group}-{sentence}",
            type="",
        )
    items.write(ANSWERS, majority=label_majority(items.table(), ANSWERS))


def _places(line: Line, part: str, name: str) -> list[str]:
    """Return the paths a photograph may have: as distributed, without ``images``, or all in one folder."""
    directory = line.record.get("directory")
    below = [] if directory is None else [f"images/{part}/{directory}", f"{part}/{directory}", f"{directory}"]
    return [*(f"{folder}/{name}" for folder in (*below, part, f"images/{part}")), name]
