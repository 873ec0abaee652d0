"""Runs an image here as the cluster will, and says in words what would go wrong there.

    python3 openshift/image.py test IMAGE              start IMAGE as openshift/ says, and ask its
                                                       readiness probe; a job's image has to end
                                                       well on what example/ holds
    python3 openshift/image.py rollout IMAGE@DIGEST    print the commands that bring IMAGE to the
                                                       cluster

Needs Python 3.9, Docker, and kubectl or oc. Exit status 0: it works; 1: it does not, and the reason
is printed; 2: it was not tried.
"""

from __future__ import annotations

from pathlib import Path

from dsri.image.manifests import NOT_TRIED, stop
from dsri.image.rollout import rollout
from dsri.image.trial import test

COMMANDS = {"test": test, "rollout": rollout}


def main(words: list[str], folder: Path, usage: str) -> None:
    """Run the command that `words` name on the manifests in `folder`."""
    if len(words) != 2 or words[0] not in COMMANDS:  # noqa: PLR2004 - a command and its image
        stop(usage.strip(), NOT_TRIED)
    COMMANDS[words[0]](words[1], folder)
