"""What is measured at every epoch boundary: for the report's stability curves, never for selection."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from compactvl.data.canonical import CanonicalSet
from compactvl.evaluation.language import build_requests
from compactvl.evaluation.language_scores import score_texts
from compactvl.evaluation.language_tasks import LanguageTask
from compactvl.evaluation.texts import answer
from compactvl.records.layout import Layout
from compactvl.studies.gating.images import ImageVectors, open_images
from compactvl.studies.gating.model import GatedDecoder
from compactvl.studies.gating.scoring import DecoderScorer
from compactvl.studies.gating.settings import Decoder
from compactvl.text.bpe import TextTokenizer


class Monitor:
    """Accuracy on minimal pairs and ranked answers, perplexity of texts and captions.

    Args:
        texts: the sets of text lines. captions: the captioned sets. images: image vectors of the first captioned set.
    """

    def __init__(
        self,
        settings: Decoder,
        layout: Layout,
        tokenizer: TextTokenizer,
        texts: Sequence[CanonicalSet],
        captions: Sequence[CanonicalSet],
        images: ImageVectors | None,
    ) -> None:
        wanted = settings.monitor
        self._requests: list[pd.DataFrame] = []
        self._images: dict[str, ImageVectors] = {}
        self._settings, self._tokenizer = settings, tokenizer
        shown = captions[0].name if captions else None
        if wanted.pairs is not None:
            dataset = CanonicalSet.open(layout.dataset(wanted.pairs))
            self._add("pairs", dataset, "minimal_pairs", wanted.split)
        if wanted.vqa is not None:
            dataset = CanonicalSet.open(layout.dataset(wanted.vqa))
            own = settings.images and bool(dataset.manifest.get("vectors"))
            self._add("vqa", dataset, "ranked_answers", wanted.split, dataset.name if own else shown)
            self._images["vqa"] = open_images(settings.image, layout, dataset) if own else images
        if not self._requests:
            return
        if texts:
            self._add("text_perplexity", texts[0], "perplexity", "val")
        if captions:
            self._add("caption_perplexity", captions[0], "perplexity", "val", shown)
            self._images["caption_perplexity"] = images

    def _add(self, name: str, dataset: CanonicalSet, kind: str, split: str, images: str | None = None) -> None:
        column = {"text_column": dataset.text_column} if kind == "perplexity" else {}
        most = self._settings.monitor.items
        task = LanguageTask(kind=kind, dataset=dataset.name, images=images, split=split, max_items=most, **column)
        self._requests.append(build_requests(name, task, dataset.items, ("own",)))

    def __bool__(self) -> bool:
        return bool(self._requests)

    def __call__(self, model: GatedDecoder) -> dict[str, float]:
        """Return ``val_pairs``, ``val_vqa``, ``val_text_perplexity`` and ``val_caption_perplexity``, those asked for."""
        table = answer(pd.concat(self._requests), DecoderScorer(model, self._tokenizer, self._images))
        return {f"val_{name}": _value(rows) for name, rows in table.groupby("task", sort=False)}


def _value(rows: pd.DataFrame) -> float:
    kind = rows["kind"].iloc[0]
    if kind == "perplexity":
        return float(np.exp(-rows["log_prob"].sum() / rows["tokens"].sum()))
    scored = score_texts(kind, rows)["value"]
    group = rows.drop_duplicates("item_id").set_index("item_id")["group"]
    return float(scored.groupby(group.loc[scored.index].to_numpy()).mean().mean())
