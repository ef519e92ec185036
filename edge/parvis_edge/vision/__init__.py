"""From frames to a scene: what moves, what a detector names, what stays, and where that is on the ground; memory of seconds only."""
