"""Walks from the camera to the broker, step by step, and says for the first thing that fails what to do; stops and changes nothing."""
