"""Hands the answers to the package that places the staged files (cookiecutter-stacks/placing).

Cookiecutter renders this file, then runs it in the repository. Answers come in as data, never as
source text.
"""

import os
import sys

# A hook runs from the temporary folder, where others may have put a json.py.
if os.path.dirname(__file__) in sys.path:
    sys.path.remove(os.path.dirname(__file__))
sys.path.insert(0, os.path.abspath("cookiecutter-stacks"))
sys.dont_write_bytecode = True  # the folder is removed in the end
import json  # noqa: E402 - only now it is Python's own

from placing.main import main  # noqa: E402 - only now it is found

main(json.loads(r"""{{ cookiecutter | tojson }}"""))
