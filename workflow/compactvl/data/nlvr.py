"""NLVR (Suhr et al. 2017): is a statement true of a drawing of three boxes?

    {"identifier": "1572-0", "directory": "2", "sentence": "...", "label": "true", ...}

The drawing is ``<split>/images/<directory>/<split>-<identifier>-<0..5>.png``, once for each order of the boxes; ``<split>`` is
the name of the json file (train, dev, test). An identifier is presentation-position: up to four examples of a presentation
were judged by the same sentence, and share ``sentence_id``.
"""

from compactvl.data.answered_items import AGAIN, AnsweredItems, label_majority, read_split_files
from compactvl.data.curate import Curation
from compactvl.data.kinds.nlvr import Settings
from compactvl.errors import UserError

ANSWERS = ("false", "true")


def curate(settings: Settings, job: Curation) -> None:
    """Make the set: item_id, image_id, split, statement, label (place in false, true), sentence_id, type ("")."""
    items = AnsweredItems(job, settings)
    for line in read_split_files(settings.annotations):
        identifier, part = line.text("identifier"), line.path.stem
        presentation, _, position = identifier.partition("-")
        if not presentation or not position:
            raise UserError(f"{line.where}: 'identifier' is {identifier!r}, not presentation-position; {AGAIN}")
        name = f"{line.text('directory')}/{part}-{identifier}-{settings.permutation}.png"
        items.add(
            line.where,
            f"{part}-{identifier}",
            line.split,
            {"image_id": [f"{folder}{name}" for folder in (f"{part}/images/", "images/", "")]},
            statement=line.text("sentence"),
            label=line.label("label", ANSWERS),
            sentence_id=f"{part}-{presentation}",
            type="",
        )
    items.write(ANSWERS, majority=label_majority(items.table(), ANSWERS))
