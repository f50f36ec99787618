"""Raw bytes to api.sock: wire.py SOCKET VERSION. A line "ok NAME" or "not ok NAME: WHY" a check."""
import json
import re
import socket
import sys
import time

PATH, VERSION = sys.argv[1:3]
GO = "Host: rootlesskit\r\nUser-Agent: Go-http-client/1.1\r\n"
INFO = b"GET /v1/info HTTP/1.1\r\nHost: u\r\n\r\n"
SPEC = '{"proto":"tcp4","parentIP":"0.0.0.0","parentPort":%d,"childPort":%d,"childIP":"127.0.0.1"}'


def check(name, good, why=""):
    print(f"ok {name}" if good else f"not ok {name}: {why!r:.300}", flush=True)


def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(PATH)
    return s


class Answers:
    """Answers on one connection, one at a time."""

    def __init__(self, s):
        self.s, self.rest = s, b""

    def more(self):
        data = self.s.recv(65536)
        self.rest += data
        return bool(data)

    def next(self):
        while b"\r\n\r\n" not in self.rest:
            if not self.more():
                return None, {}, self.rest
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        line, *lines = head.decode().split("\r\n")
        headers = dict(x.split(": ", 1) for x in lines)
        size = int(headers.get("Content-Length", 0))
        while len(self.rest) < size:
            if not self.more():
                break
        body, self.rest = self.rest[:size], self.rest[size:]
        return line, headers, body.decode()


def ask(data, half_close=False, patience=10):
    """One request on a connection of its own; no answer when the connection just ends, or waits for more."""
    s = connect()
    s.settimeout(patience)
    try:
        s.sendall(data)
        if half_close:
            s.shutdown(socket.SHUT_WR)
        return Answers(s).next()
    except (BrokenPipeError, ConnectionResetError, TimeoutError):
        return None, {}, ""
    finally:
        s.close()


def alive():
    return ask(INFO)[0] == "HTTP/1.1 200 OK"


def post(body, more=""):
    head = f"POST /v1/ports HTTP/1.1\r\n{GO}Content-Length: {len(body)}\r\nContent-Type: application/json\r\n"
    return (head + more + "Accept-Encoding: gzip\r\n\r\n" + body).encode()


def plain(method, path):
    return f"{method} {path} HTTP/1.1\r\n{GO}Accept-Encoding: gzip\r\n\r\n".encode()


def go_client():
    """What Go's net/http sends for RootlessKit's pkg/api/client, Docker and nerdctl, byte for byte."""
    s = connect()
    answers = Answers(s)

    def turn(name, request, line, kind, ere):
        s.sendall(request)
        got, headers, body = answers.next()
        kept = headers.get("Connection", "keep-alive").lower() == "keep-alive"
        good = (got == f"HTTP/1.1 {line}" and headers.get("Content-Type") == kind and kept
                and "Transfer-Encoding" not in headers and "Content-Length" in headers
                and re.fullmatch(ere, body))
        check(f"Go's client: {name}", good, (got, headers, body))

    json_type = "application/json"
    turn("info", plain("GET", "/v1/info"), "200 OK", json_type,
         r'\{"apiVersion":"1\.1\.2","version":"%s","stateDir":"/[^"]*","childPID":4242,"networkDriver":\{.*\},'
         r'"portDriver":\{"driver":"builtin","protos":\["tcp","tcp4"\],"extra":\{.*\}\}\}' % re.escape(VERSION))
    turn("no ports", plain("GET", "/v1/ports"), "200 OK", json_type, "null")
    spec = SPEC % (8080, 8080)
    turn("add, as Docker does", post(spec), "201 Created", json_type, re.escape('{"id":1,"spec":%s}' % spec))
    nerdctl = '{"proto":"tcp","parentIP":"127.0.0.1","parentPort":8081,"childPort":8081}'
    turn("add, as nerdctl does", post(nerdctl), "201 Created", json_type, re.escape('{"id":2,"spec":%s}' % nerdctl))
    turn("list", plain("GET", "/v1/ports"), "200 OK", json_type,
         re.escape('[{"id":1,"spec":%s},{"id":2,"spec":%s}]' % (spec, nerdctl)))
    turn("add again", post(spec), "400 Bad Request", json_type, r'\{"message":"conflict with ID 1"\}')
    turn("remove", plain("DELETE", "/v1/ports/1"), "200 OK", None, "")
    turn("remove again", plain("DELETE", "/v1/ports/1"), "400 Bad Request", json_type,
         r'\{"message":"unknown id: 1"\}')
    turn("another path", plain("GET", "/v1/nothing"), "404 Not Found", "text/plain; charset=utf-8",
         "404 page not found\n")
    turn("another method", plain("PUT", "/v1/ports"), "405 Method Not Allowed", None, "")
    turn("remove the last", plain("DELETE", "/v1/ports/2"), "200 OK", None, "")
    s.close()


def methods():
    for path, allow in (("/v1/info", "GET"), ("/v1/openapi.yaml", "GET"), ("/v1/ports", "GET, POST"),
                        ("/v1/ports/1", "DELETE")):
        for method in ("PUT", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get"):
            line, headers, body = ask(plain(method, path))
            check(f"405: {method} {path}", (line, headers.get("Allow"), body)
                  == ("HTTP/1.1 405 Method Not Allowed", allow, ""), (line, headers, body))
        s = connect()
        s.sendall(plain("HEAD", path) + plain("PUT", path))
        head, second = Answers(s).next(), Answers(s)
        check(f"405: HEAD {path}", head[0] == "HTTP/1.1 405 Method Not Allowed" and head[1].get("Allow") == allow, head)
        s.close()
        del second


def forms():
    s = connect()
    s.sendall(b"".join(INFO + post(SPEC % (port, port)) + plain("GET", "/v1/nothing") for port in range(9000, 9020)))
    answers = Answers(s)
    got = [answers.next()[0].split()[1] for _ in range(60)]
    check("60 requests in one go are answered in order", got == ["200", "201", "404"] * 20, got)
    s.close()
    s = connect()
    for byte in INFO:
        s.sendall(bytes([byte]))
    check("a byte at a time", Answers(s).next()[0] == "HTTP/1.1 200 OK")
    s.close()
    line, headers, body = ask(b"GET /v1/info HTTP/1.0\r\n\r\n")
    check("HTTP/1.0", line and line.endswith("200 OK") and json.loads(body), (line, headers, body))
    check("a client that closes its half", ask(INFO, half_close=True)[0] == "HTTP/1.1 200 OK")
    check("a query is ignored", ask(plain("GET", "/v1/info?verbose=1"))[0] == "HTTP/1.1 200 OK")
    s = connect()
    request = post(SPEC % (9100, 80), "Expect: 100-continue\r\n")
    head, body = request.split(b"\r\n\r\n")
    s.sendall(head + b"\r\n\r\n")
    answers = Answers(s)
    first = answers.next()[0]
    s.sendall(body)
    check("Expect: 100-continue", first == "HTTP/1.1 100 Continue" and answers.next()[0] == "HTTP/1.1 201 Created")
    s.close()
    s = connect()
    answers = Answers(s)
    s.sendall(post(" " * (1024 * 1024)) + INFO)
    line, headers, body = answers.next()
    check("a body of 1 MiB: 400 that says why", line == "HTTP/1.1 400 Bad Request" and "longer than 65536" in body,
          (line, body))
    check("and the connection goes on", answers.next()[0] == "HTTP/1.1 200 OK")
    s.close()


def hostile():
    head = b"POST /v1/ports HTTP/1.1\r\nHost: u\r\n"
    for name, data in (
            ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xff" * 500 + b"\r\n\r\n"),
            ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            ("HTTP/9.9", b"GET /v1/info HTTP/9.9\r\nHost: u\r\n\r\n"),
            ("NUL bytes", b"GET /v1/\x00info HTTP/1.1\r\nHost: u\r\n\r\n"),
            ("no method", b" /v1/info HTTP/1.1\r\n\r\n"),
            ("no HTTP", b"hello\r\n\r\n"),
            ("a path of 1 MiB", b"GET /" + b"x" * 1048576 + b" HTTP/1.1\r\nHost: u\r\n\r\n"),
            ("a header of 1 MiB", b"GET /v1/info HTTP/1.1\r\nX: " + b"x" * 1048576 + b"\r\n\r\n"),
            ("50000 headers", b"GET /v1/info HTTP/1.1\r\n" + b"X: y\r\n" * 50000 + b"\r\n"),
            ("a negative length", head + b"Content-Length: -1\r\n\r\n{}"),
            ("a length of 10^30", head + b"Content-Length: 1" + b"0" * 30 + b"\r\n\r\n{}"),
            ("a length that is a word", head + b"Content-Length: ten\r\n\r\n{}"),
            ("a chunk of no length", head + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n"),
            ("a chunk of 2^64", head + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
            ("half a body, then the end", head + b"Content-Length: 50\r\n\r\n{"),
    ):
        line, headers, body = ask(data, half_close=True, patience=1)
        check(f"{name}: no success", line is None or line.split()[1] in ("400", "404", "405", "413", "414", "431", "501", "505"), line)
        check(f"{name}: the next is served", alive())


def crowd(kind, data, n=200, limit=2):
    """@p n clients who take a place and give nothing for it; then one who wants an answer."""
    held = []
    for i in range(n):
        s = socket.socket(socket.AF_UNIX)
        s.connect(PATH)
        held.append(s)
        try:
            s.sendall(data)
        except OSError:
            pass
    start = time.monotonic()
    good = alive()
    took = time.monotonic() - start
    check(f"{n} clients with {kind}: the next is served within {limit} s", good and took < limit, (good, took))
    for s in held:
        s.close()


def main():
    go_client()
    methods()
    forms()
    hostile()
    crowd("nothing to say", b"")
    crowd("half a header", b"GET /v1/in")
    crowd("half a body", b"POST /v1/ports HTTP/1.1\r\nHost: u\r\nContent-Length: 50\r\n\r\n{")
    crowd("an answer each", INFO)
    crowd("answers they do not read", INFO * 800, limit=4)
    crowd("nothing to say", b"", 1000, 8)


main()
