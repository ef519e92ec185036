"""Delivery: judgements become messages, are kept on disk, and leave for the broker; none is lost on the way."""
