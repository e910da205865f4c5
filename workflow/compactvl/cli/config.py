"""``compactvl config check | show | describe``: the configuration without the DAG."""

import argparse
import sys

from compactvl.cli.arguments import add_configfiles
from compactvl.command import Command


def _check(args: argparse.Namespace) -> None:
    from compactvl.config.overlay import load_config
    from compactvl.dag.plan import Plan

    plan = Plan(load_config(args.configfile))
    variants = sum(len(study.variants) for study in plan.studies.values())
    print(
        f"size {plan.root.size}: {len(plan.root.datasets)} data sets, {len(plan.tokens)} token stores, "
        f"{len(plan.studies)} studies, {variants} variants, {len(plan.trainings)} training and "
        f"{len(plan.evaluations)} evaluation jobs: no problem found"
    )


def _show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("place", nargs="?", default="", help="part to show, e.g. studies.edje.variants.retriever")
    add_configfiles(parser)


def _show(args: argparse.Namespace) -> None:
    import yaml

    from compactvl.config.base import did_you_mean
    from compactvl.config.overlay import load_config
    from compactvl.dag.plan import Plan
    from compactvl.errors import UserError

    plan = Plan(load_config(args.configfile))
    shown = plan.root.model_dump(mode="json")
    for name, resolved in plan.studies.items():
        variants = {key: variant.model_dump(mode="json") for key, variant in resolved.variants.items()}
        shown["studies"][name]["variants"] = variants
    place = []
    for key in filter(None, args.place.split(".")):
        if not isinstance(shown, dict) or key not in shown:
            known = did_you_mean(key, shown) if isinstance(shown, dict) else ""
            raise UserError(f'{".".join(place) or "config"}: has no "{key}"{known}')
        place.append(key)
        shown = shown[key]
    yaml.safe_dump(shown, sys.stdout, sort_keys=False, allow_unicode=True, width=120)


def _describe_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("place", nargs="?", default="", help="section or kind, e.g. datasets, datasets.scenes")


def _describe(args: argparse.Namespace) -> None:
    from compactvl.dag.describe import describe

    print(describe(args.place))


COMMANDS = [
    Command(
        "config check",
        "check every setting and every reference",
        "compactvl config check --configfile config/smoke.yaml",
        add_configfiles,
        _check,
    ),
    Command(
        "config show",
        "print the configuration with overlays, bases and defaults filled in",
        "compactvl config show studies.edje.variants --configfile config/smoke.yaml",
        _show_arguments,
        _show,
    ),
    Command(
        "config describe",
        "print what can be set in a section or kind: types, defaults and meanings",
        "compactvl config describe datasets.scenes",
        _describe_arguments,
        _describe,
    ),
]
