"""Seconds to `import cadenza` against `import torch`, and the size of an environment for musicians.

    python benchmarks/startup.py --json startup.json

Protocol. Each import is timed inside a fresh Python process; the processes take turns, one unmeasured round
warms the disk cache, and figures are medians. `import cadenza` imports its parts when they are first used, so
`all of cadenza` is timed too: every public name, which is what composing needs.

The environment: a new virtual environment, `pip install` of this working tree without extras, and the bytes
that it then takes on disk (pip included). Nothing named torch may be importable in it.

Floors: `import cadenza` in under a third of the time of `import torch`; under 400 MB; no torch.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import protocol

ROOT = Path(__file__).parents[1]
IMPORTS = {
    "import cadenza": "import cadenza",
    "all of cadenza": "import cadenza; [getattr(cadenza, name) for name in cadenza.__all__]",
    "import torch": "import torch",
}
FLOOR_TIMES = 3.0
FLOOR_MEGABYTES = 400.0


def main() -> int:
    """Measures both; status 1 where a floor fails."""
    parser = protocol.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--no-size", action="store_true", help="leave out the environment")
    options = parser.parse_args()
    protocol.on_one_thread(options.cpu)

    contenders: dict[str, Callable[[], float]] = {
        name: lambda code=code: import_seconds(code) for name, code in IMPORTS.items()
    }
    times = protocol.medians(protocol.interleaved(contenders, options.rounds))
    rows = [(name, t, t / times["import torch"]) for name, t in times.items()]
    protocol.table(("", "seconds", "of import torch"), rows)
    times_torch = times["import torch"] / times["import cadenza"]
    held = protocol.floor("import torch / import cadenza", times_torch, FLOOR_TIMES)
    results: dict[str, Any] = {"machine": protocol.machine("numpy", "torch"), "import_seconds": times}
    if not options.no_size:
        size = environment()
        results["environment"] = size
        print(f"\nbase environment: {size['megabytes']:.0f} MB; largest: {size['largest']}")
        held &= protocol.floor("room below 400 MB", FLOOR_MEGABYTES - size["megabytes"], 0, "MB")
        print("holds: no torch in it" if not size["torch"] else "FAILS: torch is in it")
        held &= not size["torch"]
    protocol.write_json(options.json, results)
    return 0 if held else 1


def import_seconds(code: str) -> float:
    """What some imports take in a fresh process, without the start of Python itself."""
    timed = f"import time; begun = time.perf_counter(); {code}; print(time.perf_counter() - begun)"
    return float(said(Path(sys.executable), timed))


def said(python: Path, code: str) -> str:
    """What a line of Python prints in a fresh process."""
    run = subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True)
    return run.stdout.strip()


def environment() -> dict[str, Any]:
    """Megabytes of a fresh environment with the package, its largest parts, and whether torch is there."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "environment"
        venv.create(home, with_pip=True)
        python = home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        install = [str(python), "-m", "pip", "install", "--quiet", "--quiet", str(ROOT)]
        constraints = ROOT / "constraints.txt"
        if constraints.exists():
            install += ["--constraint", str(constraints)]
        subprocess.run(install, check=True)
        packages = Path(said(python, "import sysconfig; print(sysconfig.get_path('purelib'))"))
        parts = {path.name: megabytes(path) for path in packages.iterdir()}
        largest = sorted(parts, key=lambda name: -parts[name])[:5]
        return {
            "megabytes": megabytes(home),
            "torch": said(python, "import importlib.util; print(importlib.util.find_spec('torch'))")
            != "None",
            "largest": {name: round(parts[name], 1) for name in largest},
        }


def megabytes(path: Path) -> float:
    """What a file or folder takes on disk, as `du` counts: whole blocks, links not followed."""
    stats = [p.lstat() for p in (path, *path.rglob("*"))]
    return sum(getattr(s, "st_blocks", -(-s.st_size // 512)) for s in stats) * 512 / 1e6


if __name__ == "__main__":
    sys.exit(main())
