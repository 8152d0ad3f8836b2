"""A TCP proxy on loopback that a test can make fail the way networks do: hold everything back, lose answers, reset
connections. TLS goes through it untouched, so that what is behind it may be any API server."""

import socket
import struct
import threading
import urllib.parse

import yaml

CHUNK = 65536


class Proxy:
    """Forwards to HOST:PORT from a free port. What is held back is delivered when the fault ends, as a network would."""

    def __init__(self, host, port):
        self._target = (host, port)
        self._changed = threading.Condition()
        self._connections = set()
        self._refuse = False
        self._hold = {"requests": False, "answers": False}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @classmethod
    def of(cls, kubeconfig):
        """In front of the API server of a kubeconfig."""
        cluster = yaml.safe_load(open(kubeconfig))["clusters"][0]["cluster"]
        url = urllib.parse.urlparse(cluster["server"])
        return cls(url.hostname, url.port)

    def kubeconfig(self, of, path):
        """The same kubeconfig, but through the proxy."""
        document = yaml.safe_load(open(of))
        document["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self.port}"
        path.write_text(yaml.safe_dump(document))
        path.chmod(0o600)
        return path

    def stall(self, requests=True, answers=True):
        """Connections stay, and new ones come about, but nothing gets through in these directions."""
        with self._changed:
            self._hold = {"requests": requests, "answers": answers}

    def stall_established(self):
        """What is connected now is silent for ever; new connections are well."""
        with self._changed:
            for connection in self._connections:
                connection.dead = True

    def cut(self):
        """Every connection is reset, and so is each new one."""
        with self._changed:
            self._refuse = True
            connections = list(self._connections)
            self._changed.notify_all()
        for connection in connections:
            connection.reset()

    def half_close(self):
        """The server's side of every connection ends; the client may go on talking to nobody."""
        with self._changed:
            connections = list(self._connections)
        for connection in connections:
            connection.end_answers()

    def heal(self):
        """All is well again; what was held back is delivered."""
        with self._changed:
            self._refuse = False
            self._hold = {"requests": False, "answers": False}
            self._changed.notify_all()

    def close(self):
        self._listener.close()
        self.cut()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        if self._refuse:
            return _reset(client)
        try:
            server = socket.create_connection(self._target)
        except OSError:
            return _reset(client)
        connection = _Connection(client, server)
        with self._changed:
            self._connections.add(connection)
        answers = threading.Thread(target=self._pump, args=(connection, server, client, "answers"), daemon=True)
        answers.start()
        self._pump(connection, client, server, "requests")
        answers.join()
        with self._changed:
            self._connections.discard(connection)
        connection.close()

    def _pump(self, connection, source, sink, direction):
        try:
            while data := source.recv(CHUNK):
                with self._changed:
                    while (self._hold[direction] or connection.dead) and not connection.ended:
                        self._changed.wait(1)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            connection.reset()


class _Connection:
    def __init__(self, client, server):
        self.client, self.server = client, server
        self.dead = False
        self.ended = False

    def reset(self):
        self.ended = True
        _reset(self.client)
        _reset(self.server)

    def end_answers(self):
        for end, how in ((self.client, socket.SHUT_WR), (self.server, socket.SHUT_RD)):
            try:
                end.shutdown(how)
            except OSError:
                pass

    def close(self):
        self.ended = True
        self.client.close()
        self.server.close()


def _reset(end):
    """Closes with a RST, as a firewall or a dead peer's kernel does."""
    try:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()
