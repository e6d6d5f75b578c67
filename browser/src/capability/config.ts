/** `wasi:config/store`. */

export const config = (values: Record<string, string>) => ({
  get: (key: string): string | undefined => (Object.hasOwn(values, key) ? values[key] : undefined),
  getAll: (): [string, string][] => Object.entries(values),
});
