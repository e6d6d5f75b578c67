// Counts what changes the browser's storage. Told `{ arm, torn }` on its channel, it starts anew and ends everything at write
// number `arm`, counted from 0; `torn`: after half of it, where it is one that has halves.

const channel = new BroadcastChannel(new URL(self.location.href).searchParams.get("channel"));
let [count, limit, torn, isDead, isArmed] = [0, Infinity, false, false, false];

channel.onmessage = ({ data }) => {
  if (data.arm !== undefined) {
    [count, limit, torn, isArmed] = [0, data.arm ?? Infinity, data.torn, true];
    channel.postMessage({ armed: true });
  } else if (data.count) channel.postMessage({ counted: count });
};

/** Whether this one takes place. */
function step(what) {
  if (isDead) return false;
  if (!isArmed) return true;
  if (count === limit) {
    isDead = true;
    channel.postMessage({ died: what });
    return false;
  }
  count += 1;
  return true;
}

const NEVER = new Promise(() => {});

function sync(prototype, name, half) {
  const native = prototype[name];
  prototype[name] = function (...given) {
    const wasDead = isDead;
    if (step(`${prototype.constructor.name}.${name}`)) return native.apply(this, given);
    if (!wasDead && torn) half?.(native, this, given);
    throw new DOMException("the worker is dead", "InvalidStateError");
  };
}

function later(prototype, name, isChange = () => true, half) {
  const native = prototype[name];
  prototype[name] = function (...given) {
    if (!isChange(...given)) return isDead ? NEVER : native.apply(this, given);
    const wasDead = isDead;
    if (step(`${prototype.constructor.name}.${name}`)) return native.apply(this, given);
    if (!wasDead && torn) half?.(native, this, given);
    return NEVER;
  };
}

const creates = (_name, options) => options?.create === true;
sync(FileSystemSyncAccessHandle.prototype, "write", (native, access, [bytes, options]) => {
  const whole = new Uint8Array(bytes.buffer ?? bytes, bytes.byteOffset ?? 0, bytes.byteLength);
  native.call(access, whole.slice(0, whole.length >> 1), options);
});
sync(FileSystemSyncAccessHandle.prototype, "truncate");
later(FileSystemDirectoryHandle.prototype, "getFileHandle", creates);
later(FileSystemDirectoryHandle.prototype, "getDirectoryHandle", creates);
later(FileSystemDirectoryHandle.prototype, "removeEntry");
later(FileSystemFileHandle.prototype, "createWritable");
later(FileSystemFileHandle.prototype, "move");
later(FileSystemWritableFileStream.prototype, "write");
later(FileSystemWritableFileStream.prototype, "truncate");
// What was written becomes the file's content here, as a whole.
later(WritableStream.prototype, "close");
sync(IDBObjectStore.prototype, "put");
