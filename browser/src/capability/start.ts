/** `wardian:host/start`: where a program starts that does not ask `wasi:cli` for it. */

export const start = (directory?: string) => ({ directory: (): string | undefined => directory });
