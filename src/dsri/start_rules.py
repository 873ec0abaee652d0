"""What runc, crun, CRI-O and Docker say where a container's command cannot be started.

These are words of the container's runtime, not of the program: the same words in a program's own
log may mean something else (dsri.log_rules).
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class StartRule:
    """Why a command cannot be started, and what to do.

    `name` is the rule's, `sign` the words by which a message shows it."""

    name: str
    sign: str
    what: str
    fix: str


# Where several fit, the first one counts.
START_RULES = (
    StartRule(
        "exec-format",
        r"exec format error",
        "It was built for another processor, or it is a script whose first line is not #!/bin/sh "
        "or the like (nothing may stand before it, not even a byte order mark).",
        "docker build --platform linux/amd64; for a script, write #!/bin/sh as its first line.",
    ),
    StartRule(
        "user",
        r"unable to find (user|group)|no matching entries in (passwd|group) file",
        "The image's USER is a name that its /etc/passwd or /etc/group does not have.",
        "in the Dockerfile, write USER 1001:0 instead.",
    ),
    StartRule(
        "mount",
        r"error mounting|prepare subPath",
        "A folder or file of the manifests cannot be mounted where it should be.",
        "in openshift/, correct mountPath and subPath: a file is mounted on a file, a folder on a "
        "folder.",
    ),
    StartRule(
        "folder",
        r"chdir|mkdir cwd|cannot mkdir|\bcwd\b[^\n]*(denied|no such|not a directory)",
        "It cannot be started in its working folder.",
        "in the Dockerfile, let WORKDIR name a folder, and open it: RUN chmod a+rx FOLDER.",
    ),
    StartRule(
        "no-command",
        r"no command specified",
        "The image says no command.",
        'in the Dockerfile, write CMD ["PROGRAM", "ARGUMENT"].',
    ),
    StartRule(
        "one-word",
        r'exec: "[^"\n/]\S* [^"\n]*": executable file not found',
        "Its command and the arguments are written as one word, and no program has that name.",
        'give each a word of its own: CMD ["PROGRAM", "ARGUMENT"] in the Dockerfile, or command in '
        "openshift/.",
    ),
    StartRule(
        "library",
        r"error while loading shared libraries",
        "A library that it needs is not in the image.",
        "in the Dockerfile, install the package that has the file that is named above.",
    ),
    StartRule(
        "interpreter",
        r"(?m)^exec (container process[^\n]*?`?)?\S+: no such file"
        r"|(env|sh): [^\n]*: no such file or directory[^\n]*|bad interpreter",
        "What it starts is there, but not the program that reads it: a script has Windows line "
        "ends, or its first line (#!) names a program that is not in the image; a program needs "
        "another C library.",
        "in the Dockerfile, RUN sed -i 's/\\r$//' SCRIPT, and in git a line `*.sh text eol=lf` in "
        ".gitattributes; or install the program that its first line names.",
    ),
    StartRule(
        "not-executable",
        r"permission denied|is a directory",
        "What it starts may not be executed by its user: it has no execute bit, it is a folder, or "
        "it lies in a folder that only its owner may enter.",
        "in the Dockerfile, COPY --chmod=755 SCRIPT /, or RUN chmod a+rx SCRIPT and each folder "
        "above it.",
    ),
    StartRule(
        "missing",
        r"no such file|not found|not a directory",
        "The command, or a file that it needs, is not in the image, or not in $PATH, or it has no "
        "execute bit.",
        "correct CMD or ENTRYPOINT in the Dockerfile (command in openshift/, where it is said "
        "there); see that .dockerignore does not leave the file out; RUN chmod a+rx FILE.",
    ),
)


def start_rule(message: str) -> StartRule | None:
    """Return why a command cannot be started, as a runtime's message says; None where unknown."""
    for rule in START_RULES:
        if re.search(rule.sign, message, re.IGNORECASE):
            return rule
    return None
