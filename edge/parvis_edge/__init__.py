"""The unit: captures, perceives, judges and delivers; nothing of what it saw or heard outlives a few seconds."""

import os

# The model runtime's official builds (from 1.29 on) write an identifier of the machine into the user's cache and report to their
# maker, unless told before they are loaded. A unit tells nobody anything but its messages.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# One thread a sense: linear algebra that spreads over the cores waits for them whenever anything else runs, and a block of sound
# is filtered in a millisecond.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
