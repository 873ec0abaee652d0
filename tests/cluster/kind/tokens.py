"""The token service of the registry that answers to ghcr.io (distribution.github.io/distribution/spec/auth/token), with GHCR's rules:
a package is private, but for those of PUBLIC's owners; a wrong password is refused for these as well.

    python3 tokens.py HOST:PORT SERVICE FOLDER PASSWORDS

FOLDER holds certificate.pem and key.pem. PASSWORDS, read anew at each login, has one a line: `w PASSWORD` may publish, `r PASSWORD` read.
"""

import base64
import http.server
import json
import ssl
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

PUBLIC = {
    "anchore",
    "astral-sh",
    "nginx",
    "rocker-org",
    "octo-public",
}  # the base images', and one for the tests


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def granted(scope, may):
    """What a login ("w", "r" or None) gets of a scope such as repository:OWNER/NAME:pull,push."""
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    allowed = {"w": {"pull", "push"}, "r": {"pull"}}.get(
        may, {"pull"} if name.partition("/")[0] in PUBLIC else set()
    )
    return {"type": kind, "name": name, "actions": sorted(allowed & set(actions.split(",")))}


class Tokens(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, query = self.server, urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        login, may = self.headers.get("Authorization"), None
        if login:
            password = base64.b64decode(login.partition(" ")[2]).decode().partition(":")[2]
            may = {
                word: kind
                for kind, word in map(str.split, server.passwords.read_text().splitlines())
            }.get(password)
            if not may:
                return self.reply(401, {"errors": [{"code": "DENIED", "message": "denied"}]})
        now = int(time.time())
        header = {
            "typ": "JWT",
            "alg": "RS256",
            "x5c": [
                base64.b64encode(ssl.PEM_cert_to_DER_cert(server.certificate.read_text())).decode()
            ],
        }
        claims = {
            "iss": server.service,
            "aud": server.service,
            "sub": "",
            "iat": now,
            "nbf": now - 5,
            "exp": now + 300,
            "access": [
                granted(scope, may) for line in query.get("scope", []) for scope in line.split()
            ],
        }
        text = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
        signature = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", server.key],
            input=text.encode(),
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        self.reply(200, {"token": f"{text}.{encoded(signature)}", "expires_in": 300})

    def do_POST(self):  # the OAuth form of the question; clients then ask by GET
        self.reply(405, {})

    def reply(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main(address, service, folder, passwords):
    host, _, port = address.rpartition(":")
    with http.server.ThreadingHTTPServer((host, int(port)), Tokens) as server:
        server.service, server.passwords = service, Path(passwords)
        server.certificate, server.key = Path(folder) / "certificate.pem", Path(folder) / "key.pem"
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(server.certificate, server.key)
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
