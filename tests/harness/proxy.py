"""A TCP proxy between Millrace and PostgreSQL, through which a test cuts, stalls or half-closes connections."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading


class Proxy:
    """Listens on `port` of 127.0.0.1 until `close`; every connection gets one of its own to `target`."""

    def __init__(self, target: int):
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()  # (client, server)
        threading.Thread(target=self._accept, daemon=True, name="proxy").start()

    def cut(self) -> None:
        """Resets all connections, as a firewall or a crashed router does."""
        for client, server in self._all():
            _reset(client)
            _reset(server)

    def half_close(self) -> None:
        """Ends the direction from the server of all connections: the client reads an end, while the server goes on sending."""
        for client, _ in self._all():
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_WR)

    def stall(self) -> None:
        """Bytes are taken and not passed on, in both directions and for new connections too, until `flow`."""
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    def connections(self) -> int:
        with self._lock:
            return len(self._pairs)

    def close(self) -> None:
        self.flow()
        self._listener.close()
        self.cut()

    def _all(self) -> list[tuple[socket.socket, socket.socket]]:
        with self._lock:
            return list(self._pairs)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
                except OSError:
                    _reset(client)
                    continue
                server.settimeout(None)
                pair = (client, server)
                with self._lock:
                    self._pairs.add(pair)
                for source, sink in (pair, pair[::-1]):
                    threading.Thread(target=self._pump, args=(pair, source, sink), daemon=True, name="proxy").start()

    def _pump(self, pair: tuple[socket.socket, socket.socket], source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                self._flowing.wait()
                sink.sendall(data)
        with self._lock:
            self._pairs.discard(pair)
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _reset(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()
