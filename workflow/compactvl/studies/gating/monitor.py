"""What is measured at every epoch boundary, on validation items: for the report's stability curves, never for selection."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from compactvl.config.language_benchmarks import LanguageTask
from compactvl.data.canonical import CanonicalSet
from compactvl.evaluation.language import build_requests
from compactvl.evaluation.language_scores import SCORES
from compactvl.layout import Layout
from compactvl.studies.gating.images import ImageVectors
from compactvl.studies.gating.model import GatedDecoder
from compactvl.studies.gating.scoring import DecoderScorer, answer
from compactvl.studies.gating.settings import Decoder
from compactvl.studies.gating.streams import text_column
from compactvl.text.bpe import TextTokenizer


class Monitor:
    """Accuracy on minimal pairs and ranked answers, perplexity of texts and captions, all on validation splits.

    Args:
        captions: the captioned sets. texts: the sets of text lines. images: image vectors of the first captioned set.
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
        wanted, most = settings.monitor, settings.monitor.items
        tasks: dict[str, tuple[LanguageTask, CanonicalSet]] = {}
        if wanted.pairs is not None:
            dataset = CanonicalSet.open(layout.dataset(wanted.pairs))
            tasks["pairs"] = (
                LanguageTask(kind="minimal_pairs", dataset=dataset.name, split="val", max_items=most),
                dataset,
            )
        if wanted.vqa is not None:
            dataset = CanonicalSet.open(layout.dataset(wanted.vqa))
            task = LanguageTask(
                kind="ranked_answers", dataset=dataset.name, images=captions[0].name, split="val", max_items=most
            )
            tasks["vqa"] = task, dataset
        for name, sets in (("text", texts), ("caption", captions)):
            if tasks and sets:
                task = LanguageTask(
                    kind="perplexity",
                    dataset=sets[0].name,
                    images=sets[0].name if name == "caption" else None,
                    split="val",
                    text_column=text_column(sets[0]),
                    max_items=most,
                )
                tasks[f"{name}_perplexity"] = task, sets[0]
        self._requests = [
            build_requests(name, task, dataset.items, ("own",)) for name, (task, dataset) in tasks.items()
        ]
        self._settings, self._tokenizer = settings, tokenizer
        self._images: Mapping[str, ImageVectors] = (
            {} if images is None else dict.fromkeys(("vqa", "caption_perplexity"), images)
        )

    def __bool__(self) -> bool:
        return bool(self._requests)

    def __call__(self, model: GatedDecoder) -> dict[str, float]:
        """Return ``val_pairs``, ``val_vqa``, ``val_text_perplexity`` and ``val_caption_perplexity``, those asked for."""
        scorer = DecoderScorer(model, self._tokenizer.pad, self._images, self._settings.precision)
        table = answer(pd.concat(self._requests), scorer, self._tokenizer, self._settings.shape.length)
        return {f"val_{name}": _value(rows) for name, rows in table.groupby("task", sort=False)}


def _value(rows: pd.DataFrame) -> float:
    kind = rows["kind"].iloc[0]
    if kind == "perplexity":
        return float(np.exp(-rows["log_prob"].sum() / rows["tokens"].sum()))
    scored = SCORES[kind](rows)["value"]
    group = rows.drop_duplicates("item_id").set_index("item_id")["group"]
    return float(scored.groupby(group.loc[scored.index].to_numpy()).mean().mean())
