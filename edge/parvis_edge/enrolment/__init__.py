"""A unit's identity: a key that never leaves it, the certificate that its hub gives it for a claim, and the renewal of both."""
