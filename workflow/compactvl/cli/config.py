"""``compactvl config check | show | describe``: the configuration without the DAG."""

import sys
from argparse import Namespace

from compactvl.cli.arguments import CONFIGFILES
from compactvl.command import argument, command


@command(
    "config check",
    "check every setting and every reference",
    "compactvl config check --configfile config/smoke.yaml",
    argument(
        "--files", action="store_true", help="also whether your own files are there: those that cannot be fetched"
    ),
    CONFIGFILES,
)
def _check(args: Namespace) -> None:
    from compactvl.config.overlay import load_config
    from compactvl.dag.plan import Plan

    plan = Plan(load_config(args.configfile))
    if args.files and (missing := plan.missing(plan.datasets())):
        print(*missing, f"{len(missing)} files or folders of your own are missing", sep="\n", file=sys.stderr)
        sys.exit(1)
    variants = sum(len(study.variants) for study in plan.studies.values())
    print(
        f"size {plan.root.size}: {len(plan.root.datasets)} data sets, {len(plan.tokens)} token stores, "
        f"{len(plan.studies)} studies, {variants} variants, {len(plan.trainings)} training and "
        f"{len(plan.evaluations)} evaluation jobs: no problem found"
    )


@command(
    "config show",
    "print the configuration with overlays, bases and defaults filled in",
    "compactvl config show studies.edje.variants --configfile config/smoke.yaml",
    argument("place", nargs="?", default="", help="part to show, e.g. studies.edje.variants.retriever"),
    CONFIGFILES,
)
def _show(args: Namespace) -> None:
    import yaml

    from compactvl.config.overlay import load_config
    from compactvl.dag.describe import find_place
    from compactvl.dag.plan import Plan

    plan = Plan(load_config(args.configfile))
    shown = plan.root.model_dump(mode="json")
    for name, resolved in plan.studies.items():
        variants = {key: variant.model_dump(mode="json") for key, variant in resolved.variants.items()}
        shown["studies"][name]["variants"] = variants
    part = find_place(shown, args.place, lambda node: node if isinstance(node, dict) else {})
    yaml.safe_dump(part, sys.stdout, sort_keys=False, allow_unicode=True, width=120)


@command(
    "config describe",
    "print what can be set in a section or kind: types, defaults and meanings",
    "compactvl config describe datasets.scenes",
    argument("place", nargs="?", default="", help="section or kind, e.g. datasets, datasets.scenes"),
)
def _describe(args: Namespace) -> None:
    from compactvl.dag.describe import describe

    print(describe(args.place))
