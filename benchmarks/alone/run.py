"""One contestant in a process of its own: python run.py MODULE FILE TARGET [HOW ...].

Prints a line of JSON for everything it finds: the setting, the seconds that it took, and the weights, the intercept
first. Runs with any Python that has the contestant's packages: nothing of descend is needed here.
"""

import json
import sys
import warnings
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

STATUS = Path("/proc/self/status")


def main():
    module, file, target, *how = sys.argv[1:]
    warnings.simplefilter("ignore")
    try:
        contestant = import_module(module)
        tell(versions={name: version(name) for name in contestant.PACKAGES})
        for setting, seconds, weights in contestant.run(file, target, *how):
            tell(setting=setting, seconds=seconds, weights=[float(weight) for weight in weights], peak=peak())
    except ModuleNotFoundError as error:
        tell(absent=str(error))


def tell(**facts):
    print(json.dumps(facts), flush=True)


def peak():
    """Return the most bytes that this process has held, None where the system cannot tell."""
    lines = STATUS.read_text().splitlines() if STATUS.exists() else []
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), None)


if __name__ == "__main__":
    main()
