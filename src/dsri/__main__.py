"""Lets `python -m dsri` run the command."""

from dsri.cli import main

raise SystemExit(main())
