"""The unit: captures, perceives, judges and delivers; nothing of what it saw or heard outlives a few seconds."""
