"""Takes models that the maintainers have signed: fetched, proved on this unit, exchanged between two frames, and given back if they fail.

A command of the hub names a model; the TUF repository's metadata decide whether it may be taken. Two slots hold what has been fetched;
what the program was shipped with is the last resort, so that a unit always has one good model.
"""
