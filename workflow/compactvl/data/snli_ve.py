"""SNLI-VE (Xie et al. 2019): is a hypothesis contradicted, entailed or left open by a photograph of Flickr30k?

    {"Flickr30K_ID": "2473737724", "pairID": "2473737724.jpg#0r1n", "sentence2": "...", "gold_label": "neutral", ...}

``sentence1``, the caption that SNLI's annotators saw in the photograph's place, is not read.
"""

from collections import Counter

from compactvl.data.answered_items import AnsweredItems, label_majority, read_split_files
from compactvl.data.curate import Curation
from compactvl.data.kinds.snli_ve import Settings

ANSWERS = ("contradiction", "entailment", "neutral")
UNDECIDED = "-"
"""SNLI's gold label where its annotators did not agree."""


def curate(settings: Settings, job: Curation) -> None:
    """Make the set: item_id, image_id, split, hypothesis, label (place in contradiction, entailment, neutral), type ("").

    ``item_id`` is the pairID; where there is none, split and line. The manifest counts the items without a gold label
    (``undecided``), which are left out.
    """
    items, undecided = AnsweredItems(job, settings), Counter(dict.fromkeys(settings.annotations.paths(), 0))
    for line in read_split_files(settings.annotations):
        if line.record.get("gold_label") == UNDECIDED:
            undecided[line.split] += 1
            continue
        name = f"{line.text('Flickr30K_ID').removesuffix('.jpg')}.jpg"
        items.add(
            line.where,
            f"{line.split}-{line.number}" if line.record.get("pairID") is None else line.text("pairID"),
            line.split,
            {"image_id": [name, f"images/{name}"]},
            hypothesis=line.text("sentence2"),
            label=line.label("gold_label", ANSWERS),
            type="",
        )
    items.write(ANSWERS, majority=label_majority(items.table(), ANSWERS), undecided=dict(undecided))
