"""``compactvl encode | embed`` and ``compactvl tokens info``: the token store."""

import argparse
from pathlib import Path

from compactvl.cli.arguments import add_out, add_settings, read_settings
from compactvl.command import Command


def _encode_arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    parser.add_argument("--dataset", type=Path, required=True, metavar="FOLDER", help="canonical data set")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="converted weights, for encoders that use them")
    add_out(parser, "the token store")


def _encode(args: argparse.Namespace) -> None:
    from compactvl.config.encoders import EncoderSettings
    from compactvl.dag.identity import tokens_made

    settings = read_settings(args.settings, EncoderSettings)
    made = tokens_made(args.settings, args.dataset, args.weights)
    from compactvl.files import only_writer
    from compactvl.training.device import lease

    with only_writer(args.out), lease():
        from compactvl.cli.threads import use_threads
        from compactvl.training.determinism import use_deterministic_algorithms

        use_threads(settings.threads)
        use_deterministic_algorithms()
        from compactvl.data.canonical import CanonicalSet
        from compactvl.vision.encode import encode

        encode(args.settings.stem, settings, CanonicalSet.open(args.dataset), args.weights, args.out, made)


def _embed_arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    parser.add_argument("--dataset", type=Path, required=True, metavar="FOLDER", help="canonical data set")
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="converted weights, for text encoders that use them"
    )
    add_out(parser, "the caption vectors (a folder)")


def _embed(args: argparse.Namespace) -> None:
    from compactvl.config.texts import TextEncoderSettings
    from compactvl.dag.identity import texts_made

    settings = read_settings(args.settings, TextEncoderSettings)
    made = texts_made(args.settings, args.dataset, args.weights)
    from compactvl.files import only_writer
    from compactvl.training.device import lease

    with only_writer(args.out), lease():
        from compactvl.cli.threads import use_threads
        from compactvl.training.determinism import use_deterministic_algorithms

        use_threads(settings.threads)
        use_deterministic_algorithms()
        from compactvl.data.canonical import CanonicalSet
        from compactvl.text.registry import load_text_encoder
        from compactvl.text.vectors import embed

        encoder, facts = load_text_encoder(args.settings.stem, settings, args.weights)
        embed(encoder, CanonicalSet.open(args.dataset), args.out, facts, made)


def _store_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("store", type=Path, metavar="PATH", help="a token store, e.g. cache/tokens/dinov2_s/scenes")


def _info(args: argparse.Namespace) -> None:
    from compactvl.vision.inspect import info

    print(info(args.store))


COMMANDS = [
    Command(
        "encode",
        "encode a data set's images as vision tokens",
        "compactvl encode --settings state/settings/encoders/dinov2_s.json --dataset data/sets/scenes "
        "--weights cache/weights/dinov2_s.safetensors --out cache/tokens/dinov2_s/scenes",
        _encode_arguments,
        _encode,
    ),
    Command(
        "embed",
        "embed a data set's captions as text vectors",
        "compactvl embed --settings state/settings/text_encoders/minilm.json --dataset data/sets/scenes "
        "--weights cache/weights/minilm.safetensors --out cache/texts/minilm/scenes",
        _embed_arguments,
        _embed,
    ),
    Command(
        "tokens info",
        "show what a token store holds",
        "compactvl tokens info cache/tokens/dinov2_s/scenes",
        _store_argument,
        _info,
    ),
]
