"""The process that sends messages: what one receiver does not take holds up none of the others."""

import json
import os
import socketserver
import subprocess
import sys
import threading

from launcher.sender import FEW_ARENAS
from tests.helpers.mail import Server
from tests.helpers.waiting import PATIENCE

# Nothing is given up meanwhile: what the last message would wait for is the end of others.
COMMAND = f"""
import pgagent_py_launcher.sender_process as process
process.SILENCE_SECONDS = process.DELIVERY_SECONDS = {10 * PATIENCE}
process.main()"""


class Silent(socketserver.BaseRequestHandler):
    """Takes what is sent and says nothing, until another request has been answered."""

    answered = threading.Event()

    def handle(self) -> None:
        asked = self.request.recv(100_000)
        if asked.startswith(b"POST /taken"):
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        else:
            self.answered.wait(PATIENCE)


def test_forty_nine_that_hang_hold_up_no_chat() -> None:
    server = Server(("127.0.0.1", 0), Silent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place = f"127.0.0.1:{server.server_address[1]}"
    common = {"subject": "s", "text": "t", "html": None, "data": {"run": {"id": 1}}}
    messages = [{"id": n, "kind": "webhook", "target": f"http://{place}/{n}", **common} for n in range(1, 50)]
    messages.append({"id": 50, "kind": "chat", "target": f"json://{place}/taken", **common})
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | FEW_ARENAS,
    )
    assert process.stdin
    assert process.stdout
    with process, process.stdin, process.stdout:
        process.stdin.write(json.dumps({"smtp": {}, "messages": messages}).encode())
        process.stdin.close()
        ends = []
        for event in map(json.loads, process.stdout):
            if "error" in event:
                ends.append(event)
                Silent.answered.set()
    server.shutdown()
    server.server_close()
    assert ends[0] == {"id": 50, "error": None, "permanent": False}
    assert len(ends) == 50
