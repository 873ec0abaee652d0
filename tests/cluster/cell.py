"""Runs what it reads as one cell of a new kernel, over the server's websocket; prints what the cell printed.

JUPYTER_TOKEN=… python cell.py http://ADDRESS < CODE          (needs tornado, which is in the notebook's image)
"""

import asyncio
import json
import os
import sys
import uuid

from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect


async def main(server, code):
    headers = {"Authorization": "token " + os.environ["JUPYTER_TOKEN"]}
    slow = {
        "headers": headers,
        "connect_timeout": 120,
        "request_timeout": 120,
    }  # both answer once the kernel has started
    made = await AsyncHTTPClient().fetch(
        HTTPRequest(server + "/api/kernels", method="POST", body="{}", **slow)
    )
    kernel = f"{server}/api/kernels/{json.loads(made.body)['id']}"
    socket = await websocket_connect(
        HTTPRequest(f"{kernel}/channels".replace("http", "ws", 1), **slow)
    )
    request = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "username": "",
        "session": uuid.uuid4().hex,
        "version": "5.3",
    }
    content = {
        "code": code,
        "silent": False,
        "store_history": False,
        "user_expressions": {},
        "allow_stdin": False,
    }
    await socket.write_message(
        json.dumps(
            {
                "header": request,
                "parent_header": {},
                "metadata": {},
                "content": content,
                "channel": "shell",
            }
        )
    )
    failed = done = False
    while not done:
        message = json.loads(await asyncio.wait_for(socket.read_message(), 120))
        if message["parent_header"].get("msg_id") == request["msg_id"]:
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                print(content["text"], end="")
            elif kind == "error":
                failed = True
                print("\n".join(content["traceback"]))
            done = kind == "status" and content["execution_state"] == "idle"
    await AsyncHTTPClient().fetch(HTTPRequest(kernel, method="DELETE", headers=headers))
    return 1 if failed else 0


sys.exit(asyncio.run(main(sys.argv[1], sys.stdin.read())))
