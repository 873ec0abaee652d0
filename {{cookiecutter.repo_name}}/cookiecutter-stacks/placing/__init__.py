"""Places the staged files in a repository, and prints the next steps: what the hook runs.

It uses the standard library and Jinja2, which cookiecutter brings; it is removed with the rest of
the staging folder. `main.py` reads from top to bottom as what happens.
"""
