"""The repositories that this template made: which version each is on, and what became of its last update."""
