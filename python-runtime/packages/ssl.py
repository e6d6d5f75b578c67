"""As much of ssl as programs need that fetch https URLs.

TLS is spoken outside of the sandbox, with the certificates that are trusted there; what is set here cannot loosen that.
"""

import enum as _enum
import socket as _socket

# Programs look for this word, and for a version that has what they need.
OPENSSL_VERSION = "OpenSSL 3.0.0 (outside of Wardian's sandbox)"
OPENSSL_VERSION_INFO = (3, 0, 0, 0, 0)
OPENSSL_VERSION_NUMBER = 0x30000000
HAS_SNI = HAS_ALPN = HAS_TLSv1_2 = HAS_TLSv1_3 = True
HAS_SSLv2 = HAS_SSLv3 = HAS_TLSv1 = HAS_TLSv1_1 = HAS_NPN = HAS_PSK = False
HAS_NEVER_CHECK_COMMON_NAME = True


class VerifyMode(_enum.IntEnum):
    CERT_NONE = 0
    CERT_OPTIONAL = 1
    CERT_REQUIRED = 2


class VerifyFlags(_enum.IntFlag):
    VERIFY_DEFAULT = 0
    VERIFY_CRL_CHECK_LEAF = 4
    VERIFY_CRL_CHECK_CHAIN = 12
    VERIFY_X509_STRICT = 32
    VERIFY_X509_TRUSTED_FIRST = 32768
    VERIFY_X509_PARTIAL_CHAIN = 524288


class TLSVersion(_enum.IntEnum):
    MINIMUM_SUPPORTED = -2
    SSLv3 = 768
    TLSv1 = 769
    TLSv1_1 = 770
    TLSv1_2 = 771
    TLSv1_3 = 772
    MAXIMUM_SUPPORTED = -1


class Options(_enum.IntFlag):
    OP_ALL = 0x80000050
    OP_NO_SSLv2 = 0
    OP_NO_SSLv3 = 0x02000000
    OP_NO_TLSv1 = 0x04000000
    OP_NO_TLSv1_1 = 0x10000000
    OP_NO_TLSv1_2 = 0x08000000
    OP_NO_TLSv1_3 = 0x20000000
    OP_NO_COMPRESSION = 0x00020000
    OP_NO_TICKET = 0x00004000
    OP_NO_RENEGOTIATION = 0x40000000
    OP_IGNORE_UNEXPECTED_EOF = 0x80
    OP_ENABLE_MIDDLEBOX_COMPAT = 0x00100000


class Purpose(_enum.Enum):
    SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
    CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"


class _SSLMethod(_enum.IntEnum):
    PROTOCOL_TLS = 2
    PROTOCOL_TLS_CLIENT = 16
    PROTOCOL_TLS_SERVER = 17


for _kind in (VerifyMode, VerifyFlags, Options, _SSLMethod):
    globals().update(_kind.__members__)
PROTOCOL_SSLv23 = PROTOCOL_TLS = _SSLMethod.PROTOCOL_TLS


class SSLError(OSError):
    library = reason = None


class SSLZeroReturnError(SSLError):
    pass


class SSLWantReadError(SSLError):
    pass


class SSLWantWriteError(SSLError):
    pass


class SSLSyscallError(SSLError):
    pass


class SSLEOFError(SSLError):
    pass


class SSLCertVerificationError(SSLError, ValueError):
    @property
    def verify_message(self):
        return self.args[-1] if self.args else ""


CertificateError = SSLCertVerificationError


class SSLSocket(_socket.socket):
    """A socket whose requests are sent by https."""

    context = None
    server_hostname = None
    session = None
    session_reused = False
    server_side = False

    def do_handshake(self, block=False):
        pass

    def getpeercert(self, binary_form=False):
        """The certificate stays outside, where it was checked."""
        return None if binary_form else {}

    def version(self):
        return "TLSv1.3"

    def cipher(self):
        return None

    def compression(self):
        return None

    def selected_alpn_protocol(self):
        return "http/1.1"

    def pending(self):
        return 0

    def read(self, len=1024, buffer=None):
        return self.recv(len) if buffer is None else self.recv_into(buffer, len)

    def write(self, data):
        return self.send(data)

    def unwrap(self):
        raise _refusal("ends no TLS within a connection")


class SSLContext:
    sslsocket_class = SSLSocket
    keylog_filename = None
    post_handshake_auth = False
    hostname_checks_common_name = False
    verify_flags = VerifyFlags.VERIFY_X509_TRUSTED_FIRST
    minimum_version = TLSVersion.TLSv1_2
    maximum_version = TLSVersion.MAXIMUM_SUPPORTED
    options = Options.OP_ALL

    def __init__(self, protocol=PROTOCOL_TLS):
        self.protocol = protocol
        self._check_hostname = protocol == _SSLMethod.PROTOCOL_TLS_CLIENT
        self._verify_mode = VerifyMode.CERT_REQUIRED if self._check_hostname else VerifyMode.CERT_NONE

    @property
    def check_hostname(self):
        return self._check_hostname

    @check_hostname.setter
    def check_hostname(self, value):
        if value and self._verify_mode == VerifyMode.CERT_NONE:
            self._verify_mode = VerifyMode.CERT_REQUIRED
        self._check_hostname = bool(value)

    @property
    def verify_mode(self):
        return self._verify_mode

    @verify_mode.setter
    def verify_mode(self, value):
        if value == VerifyMode.CERT_NONE and self._check_hostname:
            raise ValueError("Cannot set verify_mode to CERT_NONE when check_hostname is enabled.")
        self._verify_mode = VerifyMode(value)

    def wrap_socket(
        self, sock, server_side=False, do_handshake_on_connect=True, suppress_ragged_eofs=True, server_hostname=None,
        session=None,
    ):  # fmt: skip
        if server_side:
            raise _refusal("accepts no connections")
        wrapped = self.sslsocket_class(sock.family, sock.type)
        wrapped._scheme = "https"
        wrapped._address = sock._address
        wrapped.settimeout(sock.gettimeout())
        wrapped.context, wrapped.server_hostname = self, server_hostname
        return wrapped

    def wrap_bio(self, *args, **kwargs):
        raise _refusal("speaks TLS for whole requests only")

    def load_cert_chain(self, certfile, keyfile=None, password=None):
        raise _refusal("sends no certificates of clients")

    def load_verify_locations(self, cafile=None, capath=None, cadata=None):
        pass

    def load_default_certs(self, purpose=Purpose.SERVER_AUTH):
        pass

    def set_default_verify_paths(self):
        pass

    def set_ciphers(self, ciphers):
        pass

    def set_alpn_protocols(self, protocols):
        pass

    def get_ca_certs(self, binary_form=False):
        return []

    def get_ciphers(self):
        return []

    def cert_store_stats(self):
        return {"x509": 0, "crl": 0, "x509_ca": 0}


def create_default_context(purpose=Purpose.SERVER_AUTH, *, cafile=None, capath=None, cadata=None):
    return SSLContext(_SSLMethod.PROTOCOL_TLS_CLIENT)


def _create_unverified_context(protocol=None, *args, **kwargs):
    return SSLContext(PROTOCOL_TLS)


_create_default_https_context = create_default_context
_create_stdlib_context = _create_unverified_context


def get_default_verify_paths():
    from collections import namedtuple

    paths = namedtuple("DefaultVerifyPaths", "cafile capath openssl_cafile_env openssl_cafile openssl_capath_env openssl_capath")
    return paths(None, None, "SSL_CERT_FILE", "", "SSL_CERT_DIR", "")


def get_server_certificate(*args, **kwargs):
    raise _refusal("shows no certificates")


def _refusal(what):
    import errno

    return OSError(errno.ENOSYS, f"Wardian's sandbox {what}; https requests work, through http.client and urllib.request")
