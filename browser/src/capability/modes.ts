/** `wardian:host/modes`: a browser has no permission bits. */

export const modes = {
  get: (): undefined => undefined,
  set: (): never => {
    throw "unsupported";
  },
};
