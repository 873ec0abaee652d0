"""The command `dsri`, and the rules that it shares with the template."""
