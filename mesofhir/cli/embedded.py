"""A FHIR server inside this process, for the demo: sekmet-fhir on a free loopback port.

Its traps are known (interop.md): it binds all addresses, starts a simulator, logs what it receives and takes
over the root logger, unless told otherwise; and it loses the trailing zeros of decimals.
"""

from __future__ import annotations

import importlib.util
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from mesofhir.errors import Unreachable, UsageError

_PATIENCE: Final = 20.0  # seconds for it to start


def check_installed() -> None:
    """:raises UsageError: the extra ``demo`` is not installed"""
    if not all(map(importlib.util.find_spec, ("sekmet", "uvicorn"))):
        raise UsageError(
            "the demo needs an embedded FHIR server, which is not installed: pip install 'mesofhir[demo]'"
        )


@contextmanager
def embedded(folder: Path) -> Iterator[str]:
    """The base URL of a server that keeps its data in a folder, and ends with this context.

    :raises Unreachable: it does not start
    """
    import uvicorn
    from sekmet.config import Settings, SimulatorSettings  # type: ignore[import-untyped]
    from sekmet.main import create_app  # type: ignore[import-untyped]

    logging.getLogger().addHandler(logging.NullHandler())  # else it sets up the root logger for itself
    for name in ("sekmet", "uvicorn"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        settings = Settings(
            base_url=f"http://127.0.0.1:{port}/fhir",
            host="127.0.0.1",
            port=port,
            data_dir=str(folder),
            log_inbound=False,
            simulator=SimulatorSettings(enabled=False),
        )
        app = create_app(settings)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            _wait(server, thread)
            yield settings.base_url
        finally:
            server.should_exit = True
            thread.join(5)
            app.state.ctx.store.conn.close()


def _wait(server: Any, thread: threading.Thread) -> None:
    end = time.monotonic() + _PATIENCE
    while not server.started:
        if not thread.is_alive() or time.monotonic() > end:
            raise Unreachable("the embedded FHIR server did not start")
        time.sleep(0.01)
