/** `wasi:sockets`: none. No host lends sockets or name lookups; a component that is linked with them finds them closed. */

const refused = (): never => {
  throw "access-denied";
};

class Network {}
class TcpSocket {}
class UdpSocket {}
class IncomingDatagramStream {}
class OutgoingDatagramStream {}
class ResolveAddressStream {}

/** Nobody has one to call these of. */
const all = <T extends { prototype: object }>(type: T, names: string[]): T => {
  for (const name of names) Object.defineProperty(type.prototype, name, { value: refused, configurable: true });
  return type;
};

const SOCKET = ["startBind", "finishBind", "startConnect", "finishConnect", "startListen", "finishListen", "accept"];
const MORE = ["localAddress", "remoteAddress", "isListening", "addressFamily", "subscribe", "shutdown", "stream"];
const OPTIONS = [
  ...["setListenBacklogSize", "keepAliveEnabled", "setKeepAliveEnabled", "keepAliveIdleTime", "setKeepAliveIdleTime"],
  ...["keepAliveInterval", "setKeepAliveInterval", "keepAliveCount", "setKeepAliveCount", "hopLimit", "setHopLimit"],
  ...["receiveBufferSize", "setReceiveBufferSize", "sendBufferSize", "setSendBufferSize"],
  ...["unicastHopLimit", "setUnicastHopLimit"],
];

export const sockets = () => ({
  "wasi:sockets/network": { Network, networkErrorCode: () => undefined },
  "wasi:sockets/instance-network": { instanceNetwork: () => new Network() },
  "wasi:sockets/tcp": { TcpSocket: all(TcpSocket, [...SOCKET, ...MORE, ...OPTIONS]) },
  "wasi:sockets/tcp-create-socket": { createTcpSocket: refused },
  "wasi:sockets/udp": {
    UdpSocket: all(UdpSocket, [...SOCKET, ...MORE, ...OPTIONS]),
    IncomingDatagramStream: all(IncomingDatagramStream, ["receive", "subscribe"]),
    OutgoingDatagramStream: all(OutgoingDatagramStream, ["checkSend", "send", "subscribe"]),
  },
  "wasi:sockets/udp-create-socket": { createUdpSocket: refused },
  "wasi:sockets/ip-name-lookup": {
    ResolveAddressStream: all(ResolveAddressStream, ["resolveNextAddress", "subscribe"]),
    resolveAddresses: refused,
  },
});
