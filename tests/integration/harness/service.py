"""A service that Tasks are sent to, as somebody's own would be: an HTTP(S) server on a free port of loopback that answers what
the test says, and remembers what it was asked."""

import http.server
import json
import ssl
import subprocess
import threading


class Request:
    def __init__(self, handler, body):
        self.method = handler.command
        self.path = handler.path
        self.headers = {k.lower(): v for k, v in handler.headers.items()}
        self.text = body.decode(errors="replace")
        self.handler = handler

    @property
    def json(self):
        return json.loads(self.text)

    @property
    def task(self):
        return self.json["task"]["name"]


class Service:
    """`answer(request)` gives (status, headers, body); a body that is not a string is sent as JSON. It may also write to
    `request.handler.wfile` by itself and give None. GET /healthz is answered with `self.health`."""

    def __init__(self, answer, tls=None, port=0):
        self.answer = answer
        self.health = 200
        self.requests = []
        self.released = threading.Event()  # for answers that hang
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = Request(self, body)
                if request.path == "/healthz":
                    reply = (service.health, {}, "")
                else:
                    service.requests.append(request)
                    reply = service.answer(request)
                if reply is not None:
                    self.reply(*reply)

            def reply(self, status, headers, body):
                data = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = do

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_):
                pass  # a client that went away

        self.server = Server(("127.0.0.1", port), Handler)
        self.scheme = "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.scheme = "https"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def port(self):
        return self.server.server_address[1]

    @property
    def origin(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def asked(self, method=None, task=None):
        found = [r for r in self.requests if method in (None, r.method)]
        return [r for r in found if task is None or (r.method == "POST" and r.task == task)]

    def hang(self):
        self.released.wait(120)

    def stop(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


def make_certificates(directory):
    """A CA and a server certificate for 127.0.0.1: (path of the CA, (path of the certificate, path of the key))."""
    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    ca, key = directory / "ca.pem", directory / "ca.key"
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test-ca", "-keyout", key, "-out", ca)
    request, own_key, certificate = directory / "service.csr", directory / "service.key", directory / "service.pem"
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=service", "-keyout", own_key, "-out", request)
    extensions = directory / "extensions"
    extensions.write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", key, "-CAcreateserial", "-days", "2", "-extfile", extensions,
            "-out", certificate)
    return ca, (certificate, own_key)
