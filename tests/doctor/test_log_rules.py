"""What a log says of the rule that was broken: a word in a path or in another word says nothing."""

import time

import pytest

from dsri.log_rules import broken_rule

LOGS = [
    ("denied", "/app/import.sh: Permission denied"),
    ("denied", "/srv/reports/x: Permission denied"),
    ("denied", "sh: support: Permission denied"),
    ("denied", "exec: exporter: Permission denied"),
    ("denied", "PermissionError: [Errno 13] Permission denied: '/data/export/port.txt'"),
    ("denied", "cannot open /opt/transport/listen: Permission denied"),
    ("denied", "open /etc/bind/named.conf: permission denied"),
    ("denied", "viewport.js: EACCES: permission denied"),
    ("denied", "report important: Permission denied"),
    ("denied", "./binder: Permission denied"),
    ("denied", "portal: permission denied"),
    ("denied", "passport.py: Permission denied"),
    ("denied", "listener.log: Permission denied"),
    ("denied", "2026-11-24T10:30:15 permission denied: /data/x"),
    ("denied", "Permission denied: /data/x at 10:30:15"),
    ("denied", "Error: EACCES: permission denied, open '/data/x' at main.js:12:34"),
    ("denied", "Permission denied (file:///app/x.js:10:22)"),
    ("denied", "could not open serial port /dev/ttyUSB0: Permission denied"),
    ("denied", "failed to bind mount /x: permission denied"),
    (
        "denied",
        "PermissionError: [Errno 13] Permission denied: '/data/x'\nINFO: Listening on http://0.0.0.0:8080",
    ),
    ("denied", "INFO: listening on 8080\nPermission denied: /data"),
    ("denied", "Permission denied: '/opt/app-root/port'"),
    ("denied", "C:\\port: Permission denied"),
    ("denied", "export PORT=8080; /entry.sh: Permission denied"),
    ("denied", "bash: ./port-forward.sh: Permission denied"),
    ("denied", "bash: ./listen.sh: Permission denied"),
    ("denied", "bash: bind.py: Permission denied"),
    ("low-port", "nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)"),
    ("low-port", "Error: listen EACCES: permission denied 0.0.0.0:80"),
    ("low-port", "listen tcp :80: bind: permission denied"),
    ("low-port", "OSError: [Errno 13] Permission denied: ('0.0.0.0', 80)"),
    (
        "low-port",
        "PermissionError: [Errno 13] error while attempting to bind on address ('0.0.0.0', 80): permission denied",
    ),
    ("low-port", "(13)Permission denied: AH00072: make_sock: could not bind to address [::]:80"),
    (
        "low-port",
        "java.net.SocketException: Permission denied\n\tat sun.nio.ch.Net.bind0(Native Method)",
    ),
    ("low-port", "  s.bind(('', 443))\nPermissionError: [Errno 13] Permission denied"),
    ("low-port", "Can't connect to ('0.0.0.0', 80)\n[Errno 13] Permission denied"),
    ("low-port", 'Permission denied - bind(2) for "0.0.0.0" port 80 (Errno::EACCES)'),
    ("low-port", "Error: Permission denied (os error 13) binding to 0.0.0.0:80"),
    ("low-port", "createTcpServer: cannot open port 80: Permission denied"),
    ("low-port", "[error] Cannot listen on *:80: Permission denied"),
    ("low-port", "caddy: listening on :443: listen tcp :443: bind: permission denied"),
    ("low-port", "Starting server on localhost:80 - Permission denied"),
    ("needs-root", "chown: changing ownership of '/x': Operation not permitted"),
    ("needs-root", "lchown /x: operation not permitted"),
    ("needs-root", "os.setuid(33): PermissionError"),
    ("denied", "/app/chown.sh: Permission denied"),
    ("denied", "/opt/setuid-helper: Permission denied"),
    ("not-found", "/bin/chown.sh: not found"),
    ("denied", "./chown-data: Permission denied"),
    ("not-found", "pam_sepermit.so: no such file or directory"),
    ("needs-root", "setgid() failed"),
    ("needs-root", "This program needs root"),
    ("denied", "rootless requires rootlesskit: Permission denied"),
]


@pytest.mark.parametrize("rule, log", LOGS)
def test_the_rule_that_a_log_tells_of(rule, log):
    assert broken_rule(log) == rule


@pytest.mark.parametrize("words", ["permission denied ", "listen ", "port 80 ", ":80 ", "('a', "])
def test_no_long_line_keeps_it_busy(words):
    began = time.monotonic()
    broken_rule(words * 2000)
    assert time.monotonic() - began < 5
