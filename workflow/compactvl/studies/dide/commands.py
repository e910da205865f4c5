"""``compactvl answer``: questions about stored images."""

from argparse import Namespace

from compactvl.command import argument, command, path_argument


@command(
    "answer",
    "answer questions about a stored image",
    "compactvl answer --run runs/dide/dual_distilled/seed0 --tokens cache/tokens/dinov2_s/scenes --image test-00000 "
    '--question "how many dogs are there ?"',
    path_argument("--run", "a run that answers, runs/dide/<variant>/seed<n>", "FOLDER", required=True),
    path_argument("--tokens", "a token store of the encoder it was trained on", "FOLDER", required=True),
    argument("--image", required=True, metavar="ID", help="id of an image of the store"),
    argument("--question", required=True, action="append", metavar="TEXT", help="may be given several times"),
    argument("--top", type=int, default=3, metavar="K", help="how many answers to print (default: 3)"),
    path_argument("--features", "keep the images' features of a dual encoder here, and use those that are there"),
)
def _answer(args: Namespace) -> None:
    from compactvl.studies.dide.answering import Answerer

    answers = Answerer.open(args.run, args.tokens, args.features).answer(args.image, args.question, args.top)
    for question, found in zip(args.question, answers, strict=True):
        for answer, chance in found:
            print(f"{question}\t{answer}\t{chance:.3f}")
