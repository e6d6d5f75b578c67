import { useEffect, useState } from "preact/hooks";
import type { Piece } from "./highlight.ts";

/** A block of code, in colours as soon as they are there. */
export function Code({ text, language }: { text: string; language: string }) {
  const [lines, setLines] = useState<{ of: string; pieces: Piece[][] } | null>(null);
  useEffect(() => {
    if (!language) return;
    let isCurrent = true;
    // Text that still grows is coloured when it rests.
    const timer = setTimeout(async () => {
      const { highlightNamed } = await import("./highlight.ts");
      const pieces = await highlightNamed(language, text);
      if (isCurrent && pieces) setLines({ of: text, pieces });
    }, 120);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [text, language]);
  return (
    <pre class="code" tabIndex={0} aria-label={language ? `Code, ${language}` : "Code"}>
      <code>{lines?.of === text ? <Lines lines={lines.pieces} /> : text}</code>
    </pre>
  );
}

export function Lines({ lines }: { lines: Piece[][] }) {
  return <>{lines.map((line, index) => [index > 0 ? "\n" : "", <Pieces key={index} pieces={line} />])}</>;
}

export function Pieces({ pieces }: { pieces: Piece[] }) {
  return <>{pieces.map(([text, style], index) => (style ? <span key={index} class={style}>{text}</span> : text))}</>;
}
