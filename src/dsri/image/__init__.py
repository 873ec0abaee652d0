"""Tries an image locally as the cluster will run it, and prints the commands that deploy it."""
