"""Write the lock files from the .in files, with the versions and archive hashes pip resolves on this machine.

    .venv/bin/python envs/lock.py                 # take the newest versions that fit
    .venv/bin/python envs/lock.py --keep          # keep the locked versions, add what is new

The locks are for CPython 3.11 on Linux x86-64. PyTorch and the GPU libraries it brings are apart, because which build
is right depends on the machine: to have another one, install it instead of requirements-torch.lock.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
TORCH = re.compile(r"^(torch|torchvision|triton|nvidia-.*|cuda-.*)$")
HEAD = "# Made by envs/lock.py: CPython 3.11, Linux x86-64.\n"


def resolve(inputs: list[Path], constraints: list[str]) -> dict[str, tuple[str, str]]:
    """Return name → (version, SHA-256 of the archive) of everything pip would install."""
    with tempfile.TemporaryDirectory() as folder:
        report, limits = Path(folder) / "report.json", Path(folder) / "constraints.txt"
        limits.write_text("\n".join(constraints))
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--constraint", str(limits), "--report", str(report)]
        for path in inputs:
            command += ["-r", str(path)]
        subprocess.run(command, check=True)
        items = json.loads(report.read_text())["install"]
    found = {}
    for item in items:
        name = re.sub(r"[-_.]+", "-", item["metadata"]["name"]).lower()
        found[name] = (item["metadata"]["version"], item["download_info"]["archive_info"]["hashes"]["sha256"])
    return found


def write(path: Path, packages: dict[str, tuple[str, str]]) -> None:
    """Write one lock file, sorted by name."""
    pins = sorted(packages.items())
    lines = [f"{name}=={version} \\\n    --hash=sha256:{digest}" for name, (version, digest) in pins]
    path.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{path}: {len(packages)} packages")


def locked(path: Path) -> list[str]:
    """Return the pins of a lock file, without hashes."""
    return re.findall(r"^[^\s#]+==[^\s]+", path.read_text(encoding="utf-8"), re.MULTILINE) if path.is_file() else []


def main() -> None:
    """Resolve and write the three locks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="keep the versions already locked")
    parser.add_argument("--constraint", type=Path, help="a file of further pins, e.g. a pip freeze")
    args = parser.parse_args()
    torch, core, dev = (HERE / f"requirements{part}.lock" for part in ("-torch", "", "-dev"))
    pins = [pin for path in (torch, core, dev) for pin in locked(path)] if args.keep else []
    if args.constraint:
        pins += args.constraint.read_text(encoding="utf-8").split()
    everything = resolve([HERE / "requirements.in", HERE / "requirements-dev.in"], pins)
    needed = resolve([HERE / "requirements.in"], [f"{name}=={version}" for name, (version, _) in everything.items()])
    write(torch, {name: pin for name, pin in needed.items() if TORCH.match(name)})
    write(core, {name: pin for name, pin in needed.items() if not TORCH.match(name)})
    write(dev, {name: pin for name, pin in everything.items() if name not in needed})


if __name__ == "__main__":
    main()
