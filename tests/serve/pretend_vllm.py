"""A launcher that looks like vLLM's from outside: its help, its log, /health, a child process, signals. For tests of the supervisor alone.

How it misbehaves stands in the name of the model folder that it is given; `needs-cache-of-300` dies of a larger KV cache, in MiB, and a
file `room` in the folder says so anew.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DATA = Path(__file__).parent / "data"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        answers = {"/pid": f"{os.getpid()} {child.pid}", "/v1/models": '{"data": []}'}
        body = answers.get(self.path, "").encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def say(text: str) -> None:
    print(text, flush=True)


def on_term(*_: object) -> None:
    router = os.environ.get("PRETEND_ROUTER_PORT")
    if router:
        with socket.socket() as probe:
            gone = probe.connect_ex(("127.0.0.1", int(router))) != 0
        say(f"asked to stop; the router is {'gone' if gone else 'still there'}")
    os._exit(0)  # as a dying API server does, without a thought for the child


if "--help=all" in sys.argv:
    say((DATA / "vllm-0.32-help.txt").read_text())
    sys.exit()

folder = Path(sys.argv[1])
model, port = folder.name, int(sys.argv[sys.argv.index("--port") + 1])
signal.signal(signal.SIGTERM, signal.SIG_IGN if "deaf" in model else on_term)
say("(APIServer pid=1) INFO 11-21 08:19:10 [api_utils.py:286] non-default args: " + repr(sys.argv))
ORPHAN = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
child = (
    subprocess.Popen([sys.executable, "-c", ORPHAN]) if "orphan" in model else subprocess.Popen(["cat"], stdin=subprocess.PIPE)
)
if "dies" in model:
    say((DATA / "died-kv-too-small.log").read_text())
    os._exit(1)
room = folder / "room"
if "needs" in model and int(sys.argv[sys.argv.index("--kv-cache-memory-bytes") + 1]) >> 20 > int(
    room.read_text() if room.exists() else model.split("-")[-1]
):
    say("(EngineCore pid=2) INFO 11-21 08:19:20 [gpu_model_runner.py:5012] Model loading took 8.44 GiB memory and 3.4 seconds")
    say(
        "(EngineCore pid=2) ERROR 11-21 08:19:25 [core.py:1510] torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 594.00 MiB. GPU 0 has a total capacity of 23.64 GiB of which 210.31 MiB is free."
    )
    os._exit(1)
if "hangs" in model or ("again" in model and (folder / "trouble").exists()):
    time.sleep(600)
say((DATA / "start-cpu.log").read_text())
time.sleep(0.4)
server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
while True:
    time.sleep(600)
