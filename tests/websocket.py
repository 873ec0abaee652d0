"""A websocket (RFC 6455) out of the standard library: the tests' own end of a Shiny session, and of a browser's remote control."""

import base64
import json
import os
import socket
import struct
from urllib.parse import urlsplit


class WebSocket:
    def __init__(self, url, timeout=30):
        where = urlsplit(url)
        self.socket = socket.create_connection((where.hostname, where.port or 80), timeout)
        self.stream = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {where.path or '/'} HTTP/1.1\r\nHost: {where.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        status = self.stream.readline()
        while self.stream.readline().strip():
            pass
        if b" 101 " not in status:
            raise ConnectionError(status.decode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def frame(self, kind, data):
        size = (
            bytes([0x80 | len(data)])
            if len(data) < 126
            else struct.pack(">BH", 0xFE, len(data))
            if len(data) < 65536
            else struct.pack(">BQ", 0xFF, len(data))
        )
        mask = os.urandom(4)
        self.socket.sendall(
            bytes([0x80 | kind]) + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data))
        )

    def send(self, message):
        self.frame(1, json.dumps(message).encode())

    def receive(self):
        """The next message, of JSON."""
        text = b""
        while True:
            kind, size = self.read(2)
            size = {
                126: lambda: struct.unpack(">H", self.read(2))[0],
                127: lambda: struct.unpack(">Q", self.read(8))[0],
            }.get(size, lambda: size)()
            data = self.read(size)
            if kind & 15 == 8:
                raise ConnectionError("closed by the other end")
            if kind & 15 == 9:
                self.frame(10, data)
            elif kind & 15 < 2:
                text += data
                if kind & 128:
                    return json.loads(text)

    def until(self, wanted):
        """The first message that `wanted` takes."""
        while True:
            message = self.receive()
            if wanted(message):
                return message

    def read(self, size):
        data = self.stream.read(size)
        if len(data) < size:
            raise ConnectionError("ended by the other end")
        return data
