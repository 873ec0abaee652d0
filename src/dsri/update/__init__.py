"""Brings what changed in the template into a repository that it made."""


class Stopped(Exception):
    """Why there is no update, in words for whoever reads it; nothing was changed."""
