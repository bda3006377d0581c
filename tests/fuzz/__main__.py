"""Fuzzing by coverage: `make fuzz SECONDS=60 TARGET=cpim`; without TARGET all, one after another.

What is new goes into `build/fuzz/NAME`; an input on which a target fails is put into the corpus,
and the exit status is 1.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import atheris

CORPUS = Path(__file__).parent / "corpus"
FOUND = Path("build/fuzz")


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one target for so long; ends the process."""
    with atheris.instrument_imports(include=["sylk", "sylk_conference"]):
        from tests.fuzz.targets import MAX_SIZE, TARGETS, check

    found, kept = FOUND / name, CORPUS / name
    for folder in (found, kept):
        folder.mkdir(parents=True, exist_ok=True)
    for number, word in enumerate(TARGETS[name].words):
        (kept / f"word{number}").write_bytes(word)
    options = [f"-max_total_time={seconds}", f"-max_len={MAX_SIZE}", f"-artifact_prefix={kept}/"]
    options += ["-print_final_stats=1", "-verbosity=1"]
    atheris.Setup([sys.argv[0], *options, str(found), str(kept)], lambda data: check(name, data))
    atheris.Fuzz()


def main() -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--target", default="")
    parser.add_argument("--alone", action="store_true", help="in this process")
    options = parser.parse_args()
    if options.alone:
        fuzz(options.target, options.seconds)
        return 0
    from tests.fuzz.targets import TARGETS

    failed: list[str] = []
    for name in [options.target] if options.target else TARGETS:
        command = [sys.executable, "-m", "tests.fuzz", "--alone", "--target", name]
        done = subprocess.run([*command, "--seconds", str(options.seconds)], check=False)
        if done.returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "nothing failed")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
