"""Capture: from a file, a stream or a device to frames and blocks of sound, each with the time at which it was taken."""
