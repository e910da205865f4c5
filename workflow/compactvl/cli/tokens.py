"""``compactvl encode | embed`` and ``compactvl tokens info``: the token store."""

from argparse import Namespace

from compactvl.cli.arguments import SETTINGS, out, read_settings
from compactvl.cli.threads import computing
from compactvl.command import command, path_argument
from compactvl.files import only_writer

DATASET = path_argument("--dataset", "canonical data set", "FOLDER", required=True)
WEIGHTS = path_argument("--weights", "converted weights, for encoders that use them")


@command(
    "encode",
    "encode a data set's images as vision tokens",
    "compactvl encode --settings state/settings/encoders/dinov2_s.json --dataset data/sets/scenes "
    "--weights cache/weights/dinov2_s.safetensors --out cache/tokens/dinov2_s/scenes",
    SETTINGS,
    DATASET,
    WEIGHTS,
    out("the token store"),
)
def _encode(args: Namespace) -> None:
    from compactvl.config.encoders import EncoderSettings
    from compactvl.dag.identity import vectors_made

    settings = read_settings(args.settings, EncoderSettings)
    made = vectors_made("encode", args.settings, args.dataset, args.weights)
    with only_writer(args.out), computing(settings.threads):
        from compactvl.data.canonical import CanonicalSet
        from compactvl.vision.encode import encode

        encode(args.settings.stem, settings, CanonicalSet.open(args.dataset), args.weights, args.out, made)


@command(
    "embed",
    "embed a data set's captions as text vectors",
    "compactvl embed --settings state/settings/text_encoders/minilm.json --dataset data/sets/scenes "
    "--weights cache/weights/minilm.safetensors --out cache/texts/minilm/scenes",
    SETTINGS,
    DATASET,
    WEIGHTS,
    out("the caption vectors (a folder)"),
)
def _embed(args: Namespace) -> None:
    from compactvl.config.texts import TextEncoderSettings
    from compactvl.dag.identity import vectors_made

    settings = read_settings(args.settings, TextEncoderSettings)
    made = vectors_made("embed", args.settings, args.dataset, args.weights)
    with only_writer(args.out), computing(settings.threads):
        from compactvl.data.canonical import CanonicalSet
        from compactvl.text.registry import load_text_encoder
        from compactvl.text.vectors import embed

        encoder, facts = load_text_encoder(args.settings.stem, settings, args.weights)
        embed(encoder, CanonicalSet.open(args.dataset), args.out, facts, made)


@command(
    "tokens info",
    "show what a token store holds",
    "compactvl tokens info cache/tokens/dinov2_s/scenes",
    path_argument("store", "a token store, e.g. cache/tokens/dinov2_s/scenes", "PATH"),
)
def _info(args: Namespace) -> None:
    from compactvl.vision.inspect import info

    print(info(args.store))
