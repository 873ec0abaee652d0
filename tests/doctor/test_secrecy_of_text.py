"""What of a text may be shown."""

import time

import pytest
from situation import DIGEST

from dsri.doctor.hide import hide, tail

HIDE = [
    "password=hunter2",
    '"password": "hunter2"',
    "DB_PASSWORD: hunter2",
    "token is hunter2",
    "http://0.0.0.0:8888/lab?token=hunter2",
    "postgres://app:hunter2@db:5432/x",
    "Authorization: Bearer hunter2",
    "export API_KEY='hunter2'",
    "Cookie: session=hunter2; a=b",
    "ghp_hunter2hunter2hunter2hunter2",
    "github_pat_hunter2hunter2_hunter2",
    "sha256~hunter2hunter2",
    "eyJhunter2.eyJhunter2.hunter2x",
    "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----",
    "hunter2hunter2hunter2hunter2hunter2hunter2hunter2",
    "AWS_SECRET_ACCESS_KEY=hunter2",
    "the value KNOWN-hunter2 as it is",
    "serve --db-password hunter2 --port 80",
    "with AZURE_CLIENT_SECRET hunter2hunter2",
    "{'pw': 'hunter2'}",
    "-token 'hunter2'",
]


@pytest.mark.parametrize("text", HIDE)
def test_what_could_be_a_secret_is_not_shown(text):
    assert "hunter2" not in hide(text, known={"KNOWN-hunter2"}) and "[hidden]" in hide(
        text, known={"KNOWN-hunter2"}
    )


@pytest.mark.parametrize(
    "text",
    [
        "PermissionError: [Errno 13] Permission denied: '/app/data'",
        "OSError: [Errno 30] Read-only file system: '/opt/app-root/lib64/python3.13/site-packages/some_module_of_length/x'",
        "nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)",
        "uvicorn running on http://0.0.0.0:8080 (Press CTRL+C to quit)",
        f"image {DIGEST}",
    ],
)
def test_what_is_no_secret_is_shown(text):
    assert hide(text) == text


@pytest.mark.parametrize("text", ["--token-", "password ", 'x="', "- ", "-a"])
def test_no_log_keeps_it_busy(text):
    began = time.process_time()
    hide(text * (40_000 // len(text)))
    assert time.process_time() - began < 1


def test_a_log_is_bounded_and_plain():
    lines = tail(
        "\x1b[31mred\x1b[0m\n"
        + "\x1b]0;title\x07x" * 3
        + "\n"
        + "y" * 5000
        + "\n\n"
        + "\n".join(f"line {n}" for n in range(100))
    )
    assert len(lines) == 6 and lines[-1] == "line 99" and tail("\x1b[31mred\x1b[0m") == ["red"]
    assert all(len(line) <= 160 for line in tail("ab " * 5000))
