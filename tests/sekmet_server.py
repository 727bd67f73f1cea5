"""A sekmet-fhir server on a free loopback port, its data in the folder given as the only argument.

Like the HAPI launcher it prints "ready" and its base URL when it answers, and lives as long as its
standard input stays open.
"""

import socket
import sys
import threading
import time

import uvicorn
from sekmet.config import Settings, SimulatorSettings  # type: ignore[import-untyped]
from sekmet.main import create_app  # type: ignore[import-untyped]


def main(folder: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    settings = Settings(
        base_url=f"http://127.0.0.1:{port}/fhir",
        host="127.0.0.1",
        port=port,
        data_dir=folder,
        log_inbound=False,  # else every body it receives is kept in its log
        simulator=SimulatorSettings(enabled=False),  # else it answers orders with resources of its own
    )
    server = uvicorn.Server(uvicorn.Config(create_app(settings), log_config=None, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise SystemExit("sekmet did not start")
        time.sleep(0.01)
    print("ready", settings.base_url, flush=True)
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main(sys.argv[1])
