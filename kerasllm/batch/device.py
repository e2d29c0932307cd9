"""Whether a device is there: `python -m kerasllm.batch.device gpu` says nothing where it is.

Only Keras can tell, whose import costs seconds and memory, which the batch's own process does without.
"""

from __future__ import annotations

import json
import sys

from kerasllm.errors import InputError


def main(device: str) -> int:
    """Print what is wrong with it: in English and Chinese, as one line of JSON."""
    try:
        from kerasllm.training import devices

        devices.used(device)
    except InputError as error:
        print(json.dumps([str(error), error.zh]))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
