"""What an installer settles on the spot, or is refused: the ground plane with its error, the microphone's level."""
