"""Where everything is, relative to the working folder: the one place that spells a path of the tree."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Paths of the tree under ``root``.

    Attributes:
        root: the working folder; snakemake and the console program run in it.
    """

    root: Path = Path()

    @property
    def made(self) -> list[Path]:
        """The folders in which every file has a record."""
        names = ("data/sets", "cache/weights", "cache/tokens", "cache/texts", "runs", "results")
        return [self.root / name for name in names]

    @property
    def sources(self) -> Path:
        """Archives as fetched from the package registries, and their ``.dvc`` files."""
        return self.root / "data" / "sources"

    def source(self, file: str) -> Path:
        """Archive of one source by its file name."""
        return self.sources / file

    def dataset(self, name: str) -> Path:
        """Folder of a canonical data set."""
        return self.root / "data" / "sets" / name

    def weights(self, name: str) -> Path:
        """Converted pretrained weights."""
        return self.root / "cache" / "weights" / f"{name}.safetensors"

    def tokens(self, encoder: str, dataset: str) -> Path:
        """Folder of a token store."""
        return self.root / "cache" / "tokens" / encoder / dataset

    def texts(self, encoder: str, dataset: str) -> Path:
        """Folder of a data set's caption vectors."""
        return self.root / "cache" / "texts" / encoder / dataset

    def settings(self, section: str, name: str) -> Path:
        """Resolved settings of a thing, or of a study's variant: rewritten only when their content changes."""
        return self.root / "state" / "settings" / section / f"{name}.json"

    def run(self, study: str, variant: str, seed: int) -> Path:
        """Folder of a trained variant."""
        return self.root / "runs" / study / variant / f"seed{seed}"

    def resume(self, study: str, variant: str, seed: int) -> Path:
        """Folder of a training job's resume state; gone after success."""
        return self.root / "state" / "resume" / study / variant / f"seed{seed}"

    @property
    def results(self) -> Path:
        """Folder of all results."""
        return self.root / "results"

    def result(self, study: str, variant: str, seed: int) -> Path:
        """Folder of a variant's results, one pair of files a benchmark."""
        return self.results / study / variant / f"seed{seed}"
