"""From a pinned public source to a quantised, measured model with a card."""

import os

# The model runtime's official builds report to their maker unless told before they are loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
