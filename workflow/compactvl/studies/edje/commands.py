"""``compactvl rerank | compress``: EDJE's online and offline ends."""

from argparse import Namespace

from compactvl.command import argument, command, path_argument
from compactvl.errors import UserError
from compactvl.files import only_writer

RUN = path_argument("--run", "a joint encoder's run, runs/edje/<variant>/seed<n>", "FOLDER", required=True)
TOKENS = path_argument("--tokens", "a token store of the encoder it was trained on", "FOLDER", required=True)


@command(
    "rerank",
    "rank a store's images for a query",
    'compactvl rerank --run runs/edje/edje/seed0 --tokens cache/tokens/dinov2_s/scenes --query "two dogs left of a cake" --top 5',
    RUN,
    TOKENS,
    argument("--query", required=True, metavar="TEXT", help="what the image should show"),
    argument("--top", type=int, default=10, metavar="K", help="how many to print (default: 10)"),
)
def _rerank(args: Namespace) -> None:
    from compactvl.studies.edje.rerank import Reranker

    if args.top < 1:
        raise UserError(f"--top {args.top}: give a number of at least 1")
    for image_id, score in Reranker.open(args.run, args.tokens).rank(args.query, top=args.top):
        print(f"{image_id}\t{score:.4f}")


@command(
    "compress",
    "store a run's compressed tokens",
    "compactvl compress --run runs/edje/edje/seed0 --tokens cache/tokens/dinov2_s/scenes --out cache/compressed/scenes",
    RUN,
    TOKENS,
    argument("--storage", choices=("fp16", "int8", "fp8"), default="fp16", help="number format (default: fp16)"),
    path_argument("--out", "the new store, a folder of its own", "FOLDER", required=True),
)
def _compress(args: Namespace) -> None:
    from compactvl.dag.digest import source_digest
    from compactvl.studies.edje.compress import compress_store

    code = source_digest([compress_store.__module__])
    with only_writer(args.out):
        compress_store(args.run, args.tokens, args.out, args.storage, code=code)
