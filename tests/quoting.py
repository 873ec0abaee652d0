"""Which printed commands Windows PowerShell 5.1 would change.

It takes the double quotes away that stand within an argument of a program (openshift/oc#813)."""

import re

QUOTED = re.compile(r""""(?:\\.|[^"\\])*"|'[^']*'""")


def arguments_that_powershell_changes(command):
    """The quoted arguments of a command that have a double quote within."""
    found = []
    for argument in QUOTED.findall(command):
        if '"' in argument[1:-1]:
            found.append(argument)
    return found
