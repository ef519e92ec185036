"""Offers models to units that run already, through a TUF repository: who may say so is written in its root, and signed offline."""
