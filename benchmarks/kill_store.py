"""Kills a reader at random work hundreds of times, and checks after each kill that nothing is lost and undo walks.

    python benchmarks/kill_store.py --kills 500 [--seed 1] [--each 25]

Each kill is SIGKILL to a program that paints, changes several frames, sets regions, imports, marks ED and ES, says
facts, accepts, undoes and redoes, in the first or a blinded second read, a random moment after one of its actions.
After each the workspace is opened: the database is whole; both reads show what they last told to be on disk, or what
they were just writing; undo to the start gives the predictions, and redo to the end the last state. Ends with 1 at the
first that is not so, and says the seed. POSIX.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.app.killing import Killer, Tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--each", type=int, default=25, help="kills of one workspace, which grows meanwhile")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    tally, begun, workspaces = Tally(), time.perf_counter(), 0
    with tempfile.TemporaryDirectory() as place:
        while tally.kills < arguments.kills:
            workspaces += 1
            seed = arguments.seed * 10_000 + workspaces
            with Killer(Path(place) / str(workspaces), random.Random(seed), tally) as killer:
                for _ in range(min(arguments.each, arguments.kills - tally.kills)):
                    killer.run_and_kill()
                    try:
                        killer.check()
                    except Exception:
                        print(f"After kill {tally.kills}, workspace of seed {seed}:", file=sys.stderr)
                        raise
    print(f"kills                          {tally.kills}")
    print(f"workspaces                     {workspaces}")
    print(f"acknowledged actions           {tally.actions}")
    print(f"kills in the middle of a write {tally.in_a_write}")
    print(f"steps undone and redone        {tally.steps_walked}")
    print(f"longest line of undo           {tally.longest_line}")
    print(f"lost                           0, in {time.perf_counter() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
