"""The repositories that the template made: their versions, and what became of their updates."""
