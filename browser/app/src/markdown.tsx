/**
 * Markdown as elements. Nothing here makes HTML from text: what a model writes as a tag is shown as a tag, links lead to
 * web addresses alone and only when they are followed, and images are links, because fetching one would tell its server.
 */

import { marked, type Token, type Tokens } from "marked";
import { Component, type ComponentChildren, type VNode } from "preact";
import { Code } from "./code/code.tsx";

/** More than this is shown as it was written: no answer is that long, and parsing takes time. */
const MARKDOWN_CHARS_MAX = 400_000;

export function Markdown({ text }: { text: string }) {
  if (text.length > MARKDOWN_CHARS_MAX) return <pre class="plain">{text}</pre>;
  const tokens = marked.lexer(text, { gfm: true });
  const heads = levels(tokens);
  return (
    <div class="markdown">
      {tokens.map((token, index) => (
        <Block key={index} token={token} level={heads[index]} />
      ))}
    </div>
  );
}

/** Headings stand below the page's own, and none skips a level: a screen reader walks along them. */
function levels(tokens: Token[]): number[] {
  const depth = (token: Token) => (token.type === "heading" ? (token as Tokens.Heading).depth : 0);
  const top = Math.min(...tokens.map(depth).filter((depth) => depth > 0));
  let last = 1;
  return tokens.map((token) => {
    if (depth(token) > 0) last = Math.min(depth(token) - top + 2, last + 1, 6);
    return last;
  });
}

/** Drawn again only when its source changed: of a text that grows, that is the last one. */
class Block extends Component<{ token: Token; level?: number | undefined }> {
  override shouldComponentUpdate(next: { token: Token; level?: number | undefined }): boolean {
    return next.level !== this.props.level || next.token.raw !== this.props.token.raw || next.token.type !== this.props.token.type;
  }

  override render() {
    return block(this.props.token, this.props.level ?? 6);
  }
}

function blocks(tokens: Token[] | undefined): ComponentChildren {
  return tokens?.map((token, index) => <Block key={index} token={token} />);
}

function block(token: Token, level: number): VNode | null {
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "heading": {
      const Level = `h${level}` as "h2";
      return <Level class={`md-h${(token as Tokens.Heading).depth}`}>{inline(token.tokens)}</Level>;
    }
    case "paragraph":
      return <p>{inline(token.tokens)}</p>;
    case "text":
      return <>{token.tokens ? inline(token.tokens) : decode(token.raw)}</>;
    case "code":
      return <Code text={(token as Tokens.Code).text} language={(token as Tokens.Code).lang ?? ""} />;
    case "blockquote":
      return <blockquote>{blocks(token.tokens)}</blockquote>;
    case "hr":
      return <hr />;
    case "list": {
      const list = token as Tokens.List;
      const items = list.items.map((item, index) => (
        <li key={index} class={item.task ? "task" : undefined}>
          {item.task && <span class="box" role="img" aria-label={item.checked ? "done" : "to do"}>{item.checked ? "✓" : ""}</span>}
          {blocks(item.tokens.filter((part) => part.type !== "checkbox"))}
        </li>
      ));
      return list.ordered ? <ol start={list.start === "" ? 1 : list.start}>{items}</ol> : <ul>{items}</ul>;
    }
    case "table": {
      const { header, rows } = token as Tokens.Table;
      const align = (cell: Tokens.TableCell) => (cell.align ? `align-${cell.align}` : undefined);
      return (
        <div class="table" tabIndex={0} role="region" aria-label="Table">
          <table>
            <thead>
              <tr>{header.map((cell, index) => <th key={index} scope="col" class={align(cell)}>{inline(cell.tokens)}</th>)}</tr>
            </thead>
            <tbody>
              {rows.map((row, index) => (
                <tr key={index}>{row.map((cell, index) => <td key={index} class={align(cell)}>{inline(cell.tokens)}</td>)}</tr>
              ))}
            </tbody>
          </table>
        </div>
      );
    }
    case "html":
      return <p>{token.raw.trim()}</p>;
    default:
      return <>{token.raw}</>;
  }
}

function inline(tokens: Token[] | undefined): ComponentChildren {
  return tokens?.map((token, index) => <Span key={index} token={token} />);
}

function Span({ token }: { token: Token }): VNode {
  switch (token.type) {
    case "strong":
      return <strong>{inline(token.tokens)}</strong>;
    case "em":
      return <em>{inline(token.tokens)}</em>;
    case "del":
      return <del>{inline(token.tokens)}</del>;
    case "codespan":
      return <code>{(token as Tokens.Codespan).text}</code>;
    case "br":
      return <br />;
    case "link":
      return <Link href={(token as Tokens.Link).href}>{inline(token.tokens)}</Link>;
    case "image":
      return <Link href={(token as Tokens.Image).href}>{(token as Tokens.Image).text || "image"}</Link>;
    case "escape":
      return <>{(token as Tokens.Escape).text}</>;
    case "text":
      return <>{token.tokens ? inline(token.tokens) : decode(token.raw)}</>;
    default:
      return <>{token.raw}</>;
  }
}

/** Out of the page and without a word about it; or no link at all. */
function Link({ href, children }: { href: string; children: ComponentChildren }) {
  const address = webAddress(href);
  if (!address) return <>{children}</>;
  return (
    <a href={address} target="_blank" rel="noopener noreferrer nofollow" title={address}>
      {children}
    </a>
  );
}

export function webAddress(href: string): string | undefined {
  try {
    const url = new URL(href);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : undefined;
  } catch {
    return undefined;
  }
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", hellip: "…", mdash: "—", ndash: "–" };

/** The references that Markdown writers use. Any other stays as it is written. */
function decode(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,8}));/gi, (whole, decimal, hex, name) => {
    if (name) return ENTITIES[String(name).toLowerCase()] ?? whole;
    const code = decimal ? Number.parseInt(decimal, 10) : Number.parseInt(hex, 16);
    return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) ? String.fromCodePoint(code) : whole;
  });
}
