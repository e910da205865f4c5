"""The online stage in one run: pairs/s from memory and store, with online vision features, and of other code.

    python benchmarks/online.py [--variant edje] [--threads 2] [--batches 1 16 64 256]

Needs the demo's run of the variant. Beside it: transformers' eager fp32 BertModel on vectors of the same length, and, if
sentence-transformers is installed, its CrossEncoder with a BERT of the same sizes and as many tokens. Targets: 2 × the
pairs/s of that BertModel, 20 × those with vision features computed online. Prints JSON.
"""

import argparse
import json
import tempfile
from pathlib import Path

import torch

from compactvl.evaluation.benchmarks.efficiency import Settings as EfficiencyBenchmark
from compactvl.evaluation.efficiency import environment, measure
from compactvl.records.layout import Layout
from compactvl.studies.base import Job
from compactvl.studies.edje.efficiency import Online, cross_encoder, transformers_bert
from compactvl.studies.edje.settings import JointEncoder


def main() -> None:
    """Measure one run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", default="edje", help="a trained joint variant (default: edje)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dataset", default="scenes", help="whose test pairs are scored (default: scenes)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: 2)")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16, 64, 256])
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    layout = Layout()
    text = layout.settings("edje", args.variant).read_text(encoding="utf-8")
    settings = JointEncoder.model_validate_json(text)
    job = Job("edje", args.variant, args.seed, settings, layout, Path())
    rates: dict[str, dict[int, float]] = {}

    def time(name: str, size: int, call) -> None:
        if call is not None:
            rates.setdefault(name, {})[size] = round(size / measure(call, repeats=9, seconds=4.0).median, 1)

    with tempfile.TemporaryDirectory(prefix="compactvl-online-") as folder:
        online = Online(job, EfficiencyBenchmark(kind="efficiency", dataset=args.dataset), Path(folder))
        for size in args.batches:
            time("memory", size, online.from_memory(size))
            time("store", size, online.from_store(size))
            time("transformers BertModel, eager fp32", size, transformers_bert(online, size))
        largest = max(args.batches)
        time("online vision features", min(64, largest), online.from_pixels(min(64, largest)))
        time("sentence-transformers CrossEncoder", largest, cross_encoder(online, largest))
    best = {name: max(row.values()) for name, row in rates.items()}
    report = {
        "environment": environment(threads=args.threads, precision=settings.precision),
        "tokens": online.model.tokens,
        "kb_per_image": online.kb_per_image,
        "pairs_per_s": rates,
        "times_bert_model": {
            size: round(rate / rates["transformers BertModel, eager fp32"][size], 2)
            for size, rate in rates["memory"].items()
        },
        "times_online_features": round(best["store"] / best["online vision features"], 1),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
