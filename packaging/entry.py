"""Entry point of the frozen program."""

import multiprocessing
import sys

if __name__ == "__main__":
    multiprocessing.freeze_support()  # before all else: a child of multiprocessing goes no further than this line
    from cmr_viewer.__main__ import main

    sys.exit(main())
