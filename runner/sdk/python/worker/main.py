"""Starts the worker; the runner runs this file with frames on descriptors 3 and 4."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

if __name__ == "__main__":
    if sys.version_info < (3, 8):
        sys.exit("Python 3.8 or newer is needed, this is " + sys.version.split()[0])
    # The folder of this file must not shadow what user code imports.
    rest = [p for p in sys.path if p != HERE]
    sys.path[:] = [HERE] + rest
    from functionmesh import worker

    sys.path[:] = rest
    sys.exit(worker.main(os.path.join(os.path.dirname(HERE), "shim")))
