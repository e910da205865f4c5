"""Answer questions about stored images with a trained run: the online stage as a library.

answerer = Answerer.open("runs/dide/dual_distilled/seed0", "cache/tokens/dinov2_s/scenes")
answerer.answer("test-00000", ["how many dogs are there ?"])

A dual encoder computes an image once, whatever is asked about it, and can keep that in a file.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import safe_open, save_file
from torch import Tensor

from compactvl.errors import UserError
from compactvl.files import atomic_path, read_json
from compactvl.nn.compute import autocast
from compactvl.records.intact import check_files
from compactvl.records.record import manifest_digest
from compactvl.studies.dide.build import open_run
from compactvl.studies.dide.images import StoredImages
from compactvl.studies.dide.model import DualEncoder, FusionEncoder
from compactvl.studies.dide.settings import Dual, Fusion, TokenImages
from compactvl.studies.dide.train import ANSWERS
from compactvl.studies.pieces import open_tokenizer
from compactvl.text.batches import TokenBatch
from compactvl.text.wordpiece import WordPiece
from compactvl.vision.identity import check_encoder
from compactvl.vision.store import TokenStore


class Answerer:
    """A run bound to a token store.

    Args:
        model: in evaluation mode. answers: its task's. several: whether several can be right. run: identifies it.
        features: file in which pooled images are kept, or ``None``.
    """

    def __init__(
        self,
        model: FusionEncoder | DualEncoder,
        images: StoredImages,
        tokenizer: WordPiece,
        answers: list[str],
        several: bool,
        run: str,
        features: Path | None = None,
    ) -> None:
        self.model, self.images, self.tokenizer, self.answers = model, images, tokenizer, answers
        self._several, self._run, self._file = several, run, features
        self._features = {} if features is None else self._read(features)

    @classmethod
    def open(cls, run: str | Path, tokens: str | Path, features: Path | None = None) -> "Answerer":
        """Open a run and a store by their folders.

        Raises:
            UserError: either is missing, unfinished or corrupt; they do not belong together; or ``features`` is another run's.
        """
        model = open_run(run, Fusion, Dual)
        settings, store = model.settings, TokenStore.open(tokens)
        if not isinstance(settings.images, TokenImages):
            raise UserError(f"{run} reads pixels; choose a run that reads tokens of a store")
        if settings.image_pair:
            raise UserError(f"{run} answers about two images at once; choose a run of a task with one")
        if features is not None and isinstance(model, FusionEncoder):
            raise UserError(
                f"{run} is a fusion encoder, which computes every image anew for every question: no --features"
            )
        check_encoder(store, run)
        check_files(run, ANSWERS)
        task, images = read_json(Path(run) / ANSWERS), StoredImages(store, settings.images)
        return cls(model, images, open_tokenizer(run), **task, run=manifest_digest(run), features=features)

    @torch.inference_mode()
    def answer(self, image_id: str, questions: Sequence[str], top: int = 1) -> list[list[tuple[str, float]]]:
        """Return (answer, probability) of the best ``top`` answers to each question, best first.

        Probabilities are each answer's own (sigmoid) where the task lets several be right, else they sum to 1.

        Raises:
            UserError: the store has no such image, ``top`` is below 1, or see
                :meth:`compactvl.text.wordpiece.WordPiece.read`.
        """
        if top < 1:
            raise UserError(f"top {top}: ask for 1 answer or more")
        longest = self.model.settings.trunk.longest
        rows = [self.tokenizer.read(text, longest, f"question {n}") for n, text in enumerate(questions, 1)]
        texts = TokenBatch.of(rows, device=self.model.device)
        with autocast(self.model.device, self.model.settings.precision):
            if isinstance(self.model, DualEncoder):
                image = self._feature(image_id).to(self.model.device).expand(len(rows), -1)
                logits = self.model.answer(self.model.text_features(texts), [image])
            else:
                place = torch.zeros(len(rows), dtype=torch.int64, device=self.model.device)
                logits = self.model(texts, [self.images.read([image_id])], place)
        chances = logits.float().sigmoid() if self._several else logits.float().softmax(-1)
        best, order = chances.topk(min(top, len(self.answers)))
        return [
            [(self.answers[i], p) for i, p in zip(*pair, strict=True)]
            for pair in zip(order.tolist(), best.tolist(), strict=True)
        ]

    def _feature(self, image_id: str) -> Tensor:
        """A pooled image, float32 (1, d), computed once."""
        if image_id not in self._features:
            found, _ = self.model.image_features(self.images.read([image_id]))
            self._features[image_id] = found.float().cpu()
            if self._file is not None:
                with atomic_path(self._file) as temporary:
                    save_file(self._features, temporary, {"run": self._run})
        return self._features[image_id]

    def _read(self, path: Path) -> dict[str, Tensor]:
        if not path.is_file():
            return {}
        try:
            with safe_open(path, "pt") as file:
                of = (file.metadata() or {}).get("run")
                kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise UserError(f"{path} is not a file of features ({error}); delete it, or name another one") from error
        if of != self._run:
            raise UserError(f"{path} has features of another run; name another file for this one")
        return kept
