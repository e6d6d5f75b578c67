/** Which language a file is in. Each is fetched when it is first met. */

import { LanguageDescription, LanguageSupport, StreamLanguage, type StreamParser } from "@codemirror/language";

const legacy = async (parser: Promise<StreamParser<unknown>>) => new LanguageSupport(StreamLanguage.define(await parser));

const LANGUAGES = [
  LanguageDescription.of({
    name: "javascript", alias: ["js", "jsx", "mjs", "cjs"], extensions: ["js", "mjs", "cjs", "jsx"],
    load: async () => (await import("@codemirror/lang-javascript")).javascript({ jsx: true }),
  }),
  LanguageDescription.of({
    name: "typescript", alias: ["ts", "tsx"], extensions: ["ts", "mts", "cts", "tsx"],
    load: async () => (await import("@codemirror/lang-javascript")).javascript({ jsx: true, typescript: true }),
  }),
  LanguageDescription.of({
    name: "python", alias: ["py"], extensions: ["py", "pyi"],
    load: async () => (await import("@codemirror/lang-python")).python(),
  }),
  LanguageDescription.of({
    name: "rust", alias: ["rs"], extensions: ["rs"],
    load: async () => (await import("@codemirror/lang-rust")).rust(),
  }),
  LanguageDescription.of({
    name: "json", alias: ["jsonl", "json5"], extensions: ["json", "jsonl", "webmanifest"],
    load: async () => (await import("@codemirror/lang-json")).json(),
  }),
  LanguageDescription.of({
    name: "html", alias: ["xml", "svg"], extensions: ["html", "htm", "xml", "svg", "vue"],
    load: async () => (await import("@codemirror/lang-html")).html(),
  }),
  LanguageDescription.of({
    name: "css", alias: ["scss"], extensions: ["css", "scss"],
    load: async () => (await import("@codemirror/lang-css")).css(),
  }),
  LanguageDescription.of({
    name: "markdown", alias: ["md"], extensions: ["md", "markdown"],
    load: async () => (await import("@codemirror/lang-markdown")).markdown(),
  }),
  LanguageDescription.of({
    name: "shell", alias: ["sh", "bash", "zsh", "console"], extensions: ["sh", "bash", "zsh"],
    load: () => legacy(import("@codemirror/legacy-modes/mode/shell").then((mode) => mode.shell)),
  }),
  LanguageDescription.of({
    name: "toml", extensions: ["toml"], filename: /^Cargo\.lock$/,
    load: () => legacy(import("@codemirror/legacy-modes/mode/toml").then((mode) => mode.toml)),
  }),
  LanguageDescription.of({
    name: "yaml", alias: ["yml"], extensions: ["yaml", "yml"],
    load: () => legacy(import("@codemirror/legacy-modes/mode/yaml").then((mode) => mode.yaml)),
  }),
  LanguageDescription.of({
    name: "c", alias: ["cpp", "c++", "h"], extensions: ["c", "h", "cc", "cpp", "hpp"],
    load: () => legacy(import("@codemirror/legacy-modes/mode/clike").then((mode) => mode.cpp)),
  }),
  LanguageDescription.of({
    name: "go", extensions: ["go"],
    load: () => legacy(import("@codemirror/legacy-modes/mode/go").then((mode) => mode.go)),
  }),
  LanguageDescription.of({
    name: "dockerfile", filename: /^(Docker|Container)file$/,
    load: () => legacy(import("@codemirror/legacy-modes/mode/dockerfile").then((mode) => mode.dockerFile)),
  }),
];

export async function languageOfFile(path: string): Promise<LanguageSupport | null> {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return load(LanguageDescription.matchFilename(LANGUAGES, name));
}

export async function languageNamed(name: string): Promise<LanguageSupport | null> {
  return load(LanguageDescription.matchLanguageName(LANGUAGES, name.trim().split(/\s/, 1)[0] ?? "", false));
}

async function load(description: LanguageDescription | null): Promise<LanguageSupport | null> {
  if (!description) return null;
  return description.support ?? (await description.load());
}
