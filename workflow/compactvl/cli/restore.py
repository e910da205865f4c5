"""``compactvl restore``: after a checkout or a pull, tell Snakemake that what is here is up to date, if it is."""

import subprocess
import sys
from argparse import Namespace

from compactvl.cli.arguments import CONFIGFILES
from compactvl.command import argument, command
from compactvl.errors import UserError


@command(
    "restore",
    "mark what 'dvc checkout' or 'dvc pull' brought as up to date, if every hash, setting and key agrees",
    "compactvl restore --configfile config/smoke.yaml",
    CONFIGFILES,
    argument("-n", "--dry-run", action="store_true", help="check everything, mark nothing"),
)
def _restore(args: Namespace) -> int:
    from compactvl.config.overlay import load_config
    from compactvl.dag.plan import Plan
    from compactvl.dag.restore import descriptions, made_otherwise, tracked_changes, unknown_overlays
    from compactvl.dag.settings_files import write_settings_files
    from compactvl.records.verify import verify

    absent, problems = tracked_changes()
    if unknown := unknown_overlays(args.configfile):
        raise UserError(
            f"{unknown[0]}: dvc.lock does not say that anything was made with it; "
            "name it under deps and cmd in dvc.yaml, then 'dvc commit --force' after a run"
        )
    plan = Plan(load_config(args.configfile))
    for path in absent:
        print(f"{path}: not here")
    made = {record: describe for record, describe in descriptions(plan) if record.is_file()}
    if not problems and not made:
        raise UserError("nothing to restore: no output of the pipeline is here; run 'dvc pull' or 'dvc checkout'")
    # Provenance names settings files: they are written first.
    write_settings_files(plan)
    problems += verify(plan.layout.made, plan.layout)[0] or made_otherwise(made)
    if problems:
        print("\n".join(problems))
        print(f"{len(problems)} problem(s): nothing was marked as up to date")
        return 1
    if args.dry_run:
        print(f"{len(made)} records are as they would be made; without -n they are marked as up to date")
        return 0
    # Forced: also what Snakemake would not run gets a record, so that a later change of it is seen.
    overlays = ["--configfile", *map(str, args.configfile)] if args.configfile else []
    touch = [sys.executable, "-m", "snakemake", "--cores", "all", "--touch", "--forceall", *map(str, made)]
    done = subprocess.run([*touch, "--quiet", "all", *overlays], capture_output=True, text=True)
    if done.returncode != 0:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise UserError(f"snakemake --touch failed: {' '.join(lines[-3:])}; run 'snakemake -n' to see why")
    print(f"{len(made)} records are as they would be made, and marked as up to date")
    return 0
