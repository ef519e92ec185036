"""What the hub asks of a unit: each command is checked, kept over restarts, obeyed and acknowledged."""
