"""``compactvl rerank | compress``: EDJE's online and offline ends."""

import argparse
from pathlib import Path

from compactvl.command import Command


def _run_and_tokens(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run", type=Path, required=True, metavar="FOLDER", help="a joint encoder's run, runs/edje/<variant>/seed<n>"
    )
    parser.add_argument(
        "--tokens", type=Path, required=True, metavar="FOLDER", help="a token store of the encoder it was trained on"
    )


def _rerank_arguments(parser: argparse.ArgumentParser) -> None:
    _run_and_tokens(parser)
    parser.add_argument("--query", required=True, metavar="TEXT", help="what the image should show")
    parser.add_argument("--top", type=int, default=10, metavar="K", help="how many to print (default: 10)")


def _rerank(args: argparse.Namespace) -> int | None:
    from compactvl.errors import UserError
    from compactvl.studies.edje.rerank import Reranker

    if args.top < 1:
        raise UserError(f"--top {args.top}: give a number of at least 1")
    for image_id, score in Reranker.open(args.run, args.tokens).rank(args.query, top=args.top):
        print(f"{image_id}\t{score:.4f}")


def _compress_arguments(parser: argparse.ArgumentParser) -> None:
    _run_and_tokens(parser)
    parser.add_argument(
        "--storage", choices=("fp16", "int8", "fp8"), default="fp16", help="number format (default: fp16)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the new store, a folder of its own")


def _compress(args: argparse.Namespace) -> int | None:
    from compactvl.dag.digest import source_digest
    from compactvl.files import only_writer
    from compactvl.studies.edje.compress import compress_store

    code = source_digest([compress_store.__module__])
    with only_writer(args.out):
        compress_store(args.run, args.tokens, args.out, args.storage, code=code)


COMMANDS = [
    Command(
        "rerank",
        "rank a store's images for a query",
        'compactvl rerank --run runs/edje/edje/seed0 --tokens cache/tokens/dinov2_s/scenes --query "two dogs left of a cake" --top 5',
        _rerank_arguments,
        _rerank,
    ),
    Command(
        "compress",
        "store a run's compressed tokens",
        "compactvl compress --run runs/edje/edje/seed0 --tokens cache/tokens/dinov2_s/scenes --out cache/compressed/scenes",
        _compress_arguments,
        _compress,
    ),
]
