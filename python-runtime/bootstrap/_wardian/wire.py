"""Sockets that speak HTTP and nothing else: what is written to one becomes a request of `wasi:http`.

So `http.client` works as it is, and with it `urllib.request` and the packages that build on it. Whether a request is sent,
and to which address, the network policy decides outside of the sandbox; names are looked up and TLS is spoken there, too.
"""

import errno
import os

from _wardian import absent

# What one read may bring, and one write may take (the bound is that of `wasi:io`).
READ_BYTES_MAX = 64 << 10
WRITE_BYTES_MAX = 4 << 10

# Of a request, before its body.
HEAD_BYTES_MAX = 256 << 10

_METHODS = "GET HEAD POST PUT DELETE OPTIONS TRACE PATCH".split()
_PORTS = {"http": 80, "https": 443}

# Belong to one connection, or are the host's to set.
_NOT_SENT = {
    "accept-encoding", "connection", "expect", "host", "http2-settings", "keep-alive", "proxy-authenticate",
    "proxy-authorization", "proxy-connection", "te", "transfer-encoding", "upgrade",
}  # fmt: skip
_NOT_GIVEN = {"connection", "keep-alive", "transfer-encoding"}


def install(module):
    """Replaces the class of sockets in the module `socket`."""
    refused = absent.refuse(absent.SOCKETS, PermissionError)
    Base = module.socket

    class socket(Base):
        __doc__ = Base.__doc__

        def __init__(self, family=-1, type=-1, proto=-1, fileno=None):
            is_internet = family in (-1, module.AF_INET, module.AF_INET6) and fileno is None
            if not is_internet or type not in (-1, module.SOCK_STREAM):
                refused()
            self._io_refs = 0
            self._closed = False
            self._address = None
            self._scheme = "http"
            self._timeout = module.getdefaulttimeout()
            self._exchange = None

        family = property(lambda self: module.AF_INET)
        type = property(lambda self: module.SOCK_STREAM)
        proto = property(lambda self: module.IPPROTO_TCP)
        timeout = property(lambda self: self._timeout)

        def __repr__(self):
            return f"<socket.socket for {self._scheme} to {self._address}>"

        def __del__(self):
            self._end()

        def connect(self, address):
            # Nothing is sent yet, so there is nothing to ask about yet.
            self._address = (str(address[0]), int(address[1]))

        def connect_ex(self, address):
            self.connect(address)
            return 0

        def settimeout(self, value):
            self._timeout = None if value is None else float(value)

        def gettimeout(self):
            return self._timeout

        def setblocking(self, flag):
            self._timeout = None if flag else 0.0

        def getblocking(self):
            return self._timeout != 0.0

        def setsockopt(self, *args):
            pass

        def getsockopt(self, *args):
            return 0

        def getpeername(self):
            if self._address is None:
                raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
            return self._address

        def getsockname(self):
            return ("0.0.0.0", 0)

        def fileno(self):
            return -1

        def sendall(self, data, flags=0):
            if self._address is None:
                raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
            if self._exchange is None or self._exchange.is_answered:
                self._end()
                self._exchange = Exchange(module, self._scheme, self._address, self._timeout)
            self._exchange.write(bytes(data))

        def send(self, data, flags=0):
            self.sendall(data)
            return len(data)

        def sendmsg(self, buffers, *args):
            return self.send(b"".join(buffers))

        def recv(self, size, flags=0):
            if self._exchange is None:
                # Whoever waits for the other side to speak first speaks no HTTP.
                refused()
            return self._exchange.read(size, flags & module.MSG_PEEK)

        def recv_into(self, buffer, nbytes=0, flags=0):
            data = self.recv(nbytes or len(buffer), flags)
            memoryview(buffer).cast("B")[: len(data)] = data
            return len(data)

        def shutdown(self, how):
            pass

        def _real_close(self):
            self._end()

        def _end(self):
            exchange, self._exchange = getattr(self, "_exchange", None), None
            if exchange is not None:
                exchange.close()

        @property
        def _has_data(self):
            return self._exchange is not None and self._exchange.has_data

        bind = listen = accept = recvfrom = recvfrom_into = sendto = recvmsg = recvmsg_into = sendfile = dup = refused

    socket.__module__ = "socket"
    socket.__qualname__ = "socket"
    module.socket = socket

    def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
        """Says nothing about addresses: names are looked up where requests are sent."""
        if isinstance(host, bytes):
            host = host.decode()
        if isinstance(port, str):
            port = int(port) if port.isdecimal() else _PORTS.get(port, 0)
        return [(module.AF_INET, module.SOCK_STREAM, module.IPPROTO_TCP, "", (host or "localhost", port or 0))]

    module.getaddrinfo = getaddrinfo
    for name in ("gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo", "socketpair", "create_server", "fromfd"):
        setattr(module, name, refused)


# What requests hold, each thing before the one that it is part of, in which order it must go: a collection would keep
# none. By exchange.
_HELD = {}


def _release(resource):
    try:
        resource.__exit__(None, None, None)
    except TypeError:
        # It went before: the program has ended.
        pass


class Exchange:
    """A request and its answer."""

    def __init__(self, module, scheme, address, timeout):
        self._module = module
        self._scheme = scheme
        self._address = address
        self._timeout = timeout
        self._head = b""
        # What is left to write of the body: a number, None for chunks, 0 once everything is there.
        self._left = None
        self._chunks = None
        self._sent = None
        self._output = self._input = None
        self._body = None
        self._buffer = b""
        self._is_at_end = False
        self.is_answered = False

    has_data = property(lambda self: bool(self._buffer))

    def write(self, data):
        if self._sent is None:
            self._head += data
            head, found, rest = self._head.partition(b"\r\n\r\n")
            if not found:
                if len(head) > HEAD_BYTES_MAX:
                    raise OSError(errno.EMSGSIZE, f"the request's headers are larger than {HEAD_BYTES_MAX} bytes")
                if not _looks_like_http(head):
                    absent.refuse(absent.SOCKETS, PermissionError)()
                return
            self._begin(head)
            data = rest
        if self._chunks is not None:
            data = self._chunks.decoded(data)
            self._put(data)
            is_complete = self._chunks.is_complete
        else:
            if len(data) > self._left:
                raise OSError(errno.EPROTO, "the request's body is longer than its content-length says")
            self._left -= len(data)
            self._put(data)
            is_complete = self._left == 0
        if is_complete:
            self._finish()

    def _begin(self, head):
        from wit_world.imports import outgoing_handler, wasi_http_types as types

        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        if not _looks_like_http(head) or len(words) != 3:
            absent.refuse(absent.SOCKETS, PermissionError)()
        method, target, _ = words
        headers, length = [], 0
        for line in lines[1:]:
            name, _, value = line.partition(":")
            name, value = name.strip().lower(), value.strip()
            if name == "transfer-encoding" and "chunked" in value.lower():
                self._chunks = Chunks()
            if name == "content-length":
                length = int(value)
            if name not in _NOT_SENT:
                headers.append((name, value.encode("latin-1")))
        self._left = length
        scheme, authority = self._scheme, self._authority()
        if "://" in target[:8]:
            # As it is written to a proxy.
            scheme, _, target = target.partition("://")
            authority, _, target = target.partition("/")
            target = "/" + target
        self._told = authority
        try:
            fields = types.Fields.from_list(headers)
        except _err() as error:
            raise ValueError(f"a header of the request cannot be sent ({_words(error.value)})") from None
        request = types.OutgoingRequest(fields)
        kinds = {name: getattr(types, "Method_" + name.title()) for name in _METHODS}
        try:
            request.set_method(kinds[method]() if method in kinds else types.Method_Other(method))
            request.set_scheme(types.Scheme_Https() if scheme == "https" else types.Scheme_Http())
            request.set_authority(authority)
            request.set_path_with_query(target)
        except _err():
            raise ValueError(f"no request can be made of {method} {scheme}://{authority}{target}") from None
        held = []
        if self._left or self._chunks is not None:
            self._body = request.body()
            self._output = self._body.write()
            held += [self._output, self._body]
        _HELD[id(self)] = held
        try:
            self._sent = outgoing_handler.handle(request, self._options(types))
        except _err() as error:
            self._fail(error.value)
        held.append(self._sent)

    def _authority(self):
        host, port = self._address
        host = f"[{host}]" if ":" in host else host
        return host if port == _PORTS[self._scheme] else f"{host}:{port}"

    def _options(self, types):
        options = types.RequestOptions()
        if self._timeout is not None:
            nanoseconds = max(1, int(self._timeout * 1e9))
            options.set_connect_timeout(nanoseconds)
            options.set_first_byte_timeout(nanoseconds)
            options.set_between_bytes_timeout(nanoseconds)
        return options

    def _put(self, data):
        for start in range(0, len(data), WRITE_BYTES_MAX):
            try:
                self._output.blocking_write_and_flush(data[start : start + WRITE_BYTES_MAX])
            except _err():
                # Why, the answer says.
                self._answer()
                raise BrokenPipeError(errno.EPIPE, f"{self._told} takes no more of the request's body") from None

    def _finish(self):
        """Waits for the answer already here: what goes wrong with a connection is expected of the request."""
        if self._body is not None:
            body, self._body, self._output = self._body, None, None
            held = _HELD[id(self)]
            _release(held.pop(0))
            held.pop(0)
            try:
                type(body).finish(body, None)
            except _err() as error:
                self._fail(error.value)
        self._answer()

    def _answer(self):
        if self.is_answered:
            return
        self.is_answered = True
        with self._sent.subscribe() as pollable:
            pollable.block()
        answer = self._sent.get().value
        held = _HELD[id(self)]
        _release(held.pop())
        if isinstance(answer, _err()):
            self._fail(answer.value)
        response = answer.value
        held.append(response)
        status = response.status()
        with response.headers() as fields:
            entries = fields.entries()
        body = response.consume()
        self._input = body.stream()
        held[-1:] = [self._input, body, response]
        from http.client import responses

        lines = [f"HTTP/1.1 {status} {responses.get(status, '')}".encode()]
        given = [(name, value) for name, value in entries if name.lower() not in _NOT_GIVEN]
        lines += [name.encode("latin-1") + b": " + value for name, value in given]
        if not any(name.lower() == "content-length" for name, _ in given):
            lines.append(b"connection: close")
        self._buffer = b"\r\n".join(lines) + b"\r\n\r\n"

    def read(self, size, is_peek=0):
        if not self.is_answered:
            if self._sent is None:
                absent.refuse(absent.SOCKETS, PermissionError)()
            self._answer()
        if not self._buffer and not self._is_at_end:
            self._buffer = self._receive()
        data = self._buffer[:size]
        if not is_peek:
            self._buffer = self._buffer[size:]
        return data

    def _receive(self):
        from wit_world.imports import streams, wasi_http_types as types

        while True:
            try:
                data = self._input.blocking_read(READ_BYTES_MAX)
            except _err() as error:
                self._is_at_end = True
                if isinstance(error.value, streams.StreamError_Closed):
                    self.close()
                    return b""
                with error.value.value as reason:
                    code = types.http_error_code(reason)
                self._fail(code)
            # Nothing is no end here.
            if data:
                return data

    def close(self):
        self._is_at_end = True
        for resource in _HELD.pop(id(self), ()):
            _release(resource)

    def _fail(self, code):
        self.is_answered = True
        self.close()
        raise self._error(code) from None

    def _error(self, code):
        name = type(code).__name__.removeprefix("ErrorCode_")
        place = self._told
        if name == "HttpRequestDenied":
            host = place if not place.endswith((":80", ":443")) else place.rpartition(":")[0]
            return PermissionError(
                errno.EACCES, f"Wardian's sandbox lets this program send no request to {place}; --net {host} allows it"
            )
        if name == "DestinationIpProhibited":
            return PermissionError(
                errno.EACCES, f"{place} has an address that Wardian's network policy does not allow; see docs/netfetch.md"
            )
        if name in ("DnsError", "DnsTimeout", "DestinationNotFound"):
            return self._module.gaierror(self._module.EAI_NONAME, f"{place}: there is no such name, or nobody knows it now")
        text = f"{place}: {_words(code)}"
        if name.startswith("Tls"):
            import ssl

            kind = ssl.SSLCertVerificationError if name == "TlsCertificateError" else ssl.SSLError
            return kind(1, text)
        if "Timeout" in name:
            return TimeoutError(errno.ETIMEDOUT, text)
        kinds = {
            "ConnectionRefused": (ConnectionRefusedError, errno.ECONNREFUSED),
            "ConnectionTerminated": (ConnectionResetError, errno.ECONNRESET),
            "HttpResponseIncomplete": (ConnectionResetError, errno.ECONNRESET),
            "DestinationUnavailable": (OSError, errno.EHOSTUNREACH),
            "DestinationIpUnroutable": (OSError, errno.ENETUNREACH),
        }
        kind, number = kinds.get(name, (OSError, errno.EIO))
        return kind(number, text)


class Chunks:
    """Takes the coding `chunked` off a body."""

    def __init__(self):
        self._rest = b""
        self._left = None
        self.is_complete = False

    def decoded(self, data):
        self._rest += data
        result = []
        while not self.is_complete:
            if self._left is None:
                line, found, rest = self._rest.partition(b"\r\n")
                if not found:
                    break
                self._left = int(line.partition(b";")[0], 16)
                self._rest = rest
            # The chunk, and the end of its line; the last one has nothing, and ends with an empty line.
            if len(self._rest) < self._left + 2:
                break
            result.append(self._rest[: self._left])
            self._rest = self._rest[self._left + 2 :]
            self.is_complete = self._left == 0
            self._left = None
        return b"".join(result)


def _looks_like_http(head):
    word = head.partition(b" ")[0]
    return len(word) <= 20 and word.isalpha() and word.isupper() and b"\n" not in head.partition(b"\r\n")[0]


def _err():
    from componentize_py_types import Err

    return Err


def _words(code):
    """An error of `wasi:http` as a person would write it."""
    if code is None:
        return "it broke off"
    name = type(code).__name__.partition("_")[2]
    words = "".join(" " + letter.lower() if letter.isupper() else letter for letter in name).strip()
    value = getattr(code, "value", None)
    return f"{words} ({value})" if isinstance(value, (int, str)) else words


def poll(module):
    """`select`, with sockets beside descriptors: one can be written to at any time, and be read once there is an answer."""
    native_poll, native_select = module.poll, module.select

    def is_ours(file):
        return hasattr(file, "_has_data")

    class Poll:
        def __init__(self):
            self._native = native_poll()
            self._ours = {}
            self._count = 0

        def register(self, file, mask=module.POLLIN | module.POLLPRI | module.POLLOUT):
            if is_ours(file):
                self._ours[id(file)] = (file, mask)
            else:
                self._native.register(file, mask)
                self._count += 1

        def modify(self, file, mask):
            if is_ours(file):
                self._ours[id(file)] = (file, mask)
            else:
                self._native.modify(file, mask)

        def unregister(self, file):
            if is_ours(file):
                del self._ours[id(file)]
            else:
                self._native.unregister(file)
                self._count -= 1

        def poll(self, timeout=None):
            ready = []
            for file, mask in self._ours.values():
                events = mask & module.POLLOUT | (mask & module.POLLIN if file._has_data else 0)
                if events:
                    ready.append((file.fileno(), events))
            if self._count:
                return ready + self._native.poll(0 if ready else timeout)
            if not ready and timeout:
                import time

                time.sleep(timeout / 1000)
            return ready

    def select(rlist, wlist, xlist, timeout=None):
        readable = [file for file in rlist if is_ours(file) and file._has_data]
        writable = [file for file in wlist if is_ours(file)]
        others = [[file for file in files if not is_ours(file)] for files in (rlist, wlist, xlist)]
        if any(others):
            found = native_select(*others, 0 if readable or writable else timeout)
            return readable + found[0], writable + found[1], found[2]
        if not readable and not writable and timeout:
            import time

            time.sleep(timeout)
        return readable, writable, []

    module.poll, module.select = Poll, select
