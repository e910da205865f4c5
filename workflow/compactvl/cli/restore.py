"""``compactvl restore``: after a checkout or a pull, tell Snakemake that what is here is up to date, if it is."""

import argparse

from compactvl.cli.arguments import add_configfiles
from compactvl.command import Command


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_configfiles(parser)
    parser.add_argument("-n", "--dry-run", action="store_true", help="check everything, mark nothing")


def _restore(args: argparse.Namespace) -> int:
    from compactvl.config.overlay import load_config
    from compactvl.dag.plan import Plan
    from compactvl.dag.restore import made_here, tracked_changes, unknown_overlays
    from compactvl.errors import UserError

    absent, problems = tracked_changes()
    if unknown := unknown_overlays(args.configfile):
        raise UserError(
            f"{unknown[0]}: dvc.lock does not say that anything was made with it; "
            "name it under deps and cmd in dvc.yaml, then 'dvc commit --force' after a run"
        )
    plan = Plan(load_config(args.configfile))
    for path in absent:
        print(f"{path}: not here")
    targets = made_here(plan)
    if not problems and not targets:
        raise UserError("nothing to restore: no output of the pipeline is here; run 'dvc pull' or 'dvc checkout'")
    problems += _damage(plan)
    if problems:
        print("\n".join(problems))
        print(f"{len(problems)} problem(s): nothing was marked as up to date")
        return 1
    if args.dry_run:
        print(f"{len(targets)} targets are as recorded; without -n they are marked as up to date")
        return 0
    # Forced: also what Snakemake would not run gets a record, so that a later change of it is seen.
    _snakemake(args, "--touch", "--forceall", *targets)
    print(f"{len(targets)} targets are as recorded, and marked as up to date")
    return 0


def _damage(plan) -> list[str]:
    """Return what is wrong with any record, or with the code and settings behind it."""
    from compactvl.dag.restore import made_otherwise
    from compactvl.dag.settings_files import write_settings_files
    from compactvl.records.verify import verify

    # First of all: provenance names settings files.
    write_settings_files(plan)
    return verify(plan.layout.made, plan.layout)[0] or made_otherwise(plan)


def _snakemake(args: argparse.Namespace, *arguments: str) -> None:
    import subprocess
    import sys

    from compactvl.errors import UserError

    command = [sys.executable, "-m", "snakemake", "--cores", "all", *arguments, "--quiet", "all"]
    if args.configfile:
        command += ["--configfile", *map(str, args.configfile)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise UserError(f"snakemake --touch failed: {' '.join(lines[-3:])}; run 'snakemake -n' to see why")


COMMANDS = [
    Command(
        "restore",
        "mark what 'dvc checkout' or 'dvc pull' brought as up to date, if every hash, setting and key agrees",
        "compactvl restore --configfile config/smoke.yaml",
        _arguments,
        _restore,
    )
]
