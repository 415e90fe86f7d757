import { parse } from "smol-toml";

/** Where something stands in a text: offsets in UTF-16 units. */
interface Span {
  start: number;
  end: number;
}

interface Place {
  key: Span;
  value: Span;
}

type Path = readonly (string | number)[];

const pathId = (path: Path): string => JSON.stringify(path);

/**
 * Finds where the keys and values of a TOML document stand; smol-toml tells it for syntax errors only.
 * @param toml a document that smol-toml accepted: the grammar (TOML 1.0) is relied upon, not checked again
 */
export function locate(toml: string): (path: Path) => Place | undefined {
  const places = new Map<string, Place>();
  const tableCounts = new Map<string, number>();
  let at = 0;

  const note = (path: Path, key: Span, value: Span) => {
    if (!places.has(pathId(path))) places.set(pathId(path), { key, value });
  };
  const skip = (pattern: RegExp) => {
    pattern.lastIndex = at;
    at += pattern.exec(toml)?.[0].length ?? 0;
  };
  const blanks = () => skip(/[ \t]*/y);
  const blankLines = () => skip(/(?:[ \t\r\n]|#[^\n]*)*/y);

  /** A dotted key: its segments, each with its span. */
  function dottedKey(): { name: string; span: Span }[] {
    const segments: { name: string; span: Span }[] = [];
    do {
      blanks();
      const start = at;
      if (toml[at] === '"' || toml[at] === "'") skipString();
      else skip(/[^\s.=\]]*/y);
      const span = { start, end: at };
      segments.push({ name: unquote(toml.slice(start, at)), span });
      blanks();
    } while (toml[at] === "." && ++at);
    return segments;
  }

  function skipString() {
    const quote = toml[at] as string;
    const triple = toml.startsWith(quote.repeat(3), at);
    at += triple ? 3 : 1;
    while (at < toml.length) {
      if (quote === '"' && toml[at] === "\\") at += 2;
      else if (!triple && toml[at] === quote) {
        at++;
        return;
      } else if (triple && toml.startsWith(quote.repeat(3), at)) {
        // Up to two quotes may stand right before the closing three.
        skip(quote === '"' ? /"+/y : /'+/y);
        return;
      } else at++;
    }
  }

  function value(path: Path, key: Span) {
    const start = at;
    if (toml[at] === "[") {
      at++;
      for (let index = 0; ; index++) {
        blankLines();
        if (at >= toml.length || toml[at] === "]") break;
        value([...path, index], key);
        blankLines();
        if (toml[at] === ",") at++;
      }
      at++;
    } else if (toml[at] === "{") {
      at++;
      for (;;) {
        blankLines();
        if (at >= toml.length || toml[at] === "}") break;
        keyValue(path);
        blankLines();
        if (toml[at] === ",") at++;
      }
      at++;
    } else if (toml[at] === '"' || toml[at] === "'") skipString();
    else {
      skip(/[^,\]}#\r\n]*/y);
      while (/[ \t]/.test(toml[at - 1] ?? "")) at--;
    }
    note(path, key, { start, end: at });
  }

  function keyValue(parent: Path) {
    const before = at;
    const segments = dottedKey();
    let path: Path = parent;
    for (const { name, span } of segments.slice(0, -1)) {
      path = [...path, name];
      note(path, span, span);
    }
    const last = segments.at(-1);
    // Past the equals sign; if there is none the document is not what we were promised: go on, never stand still.
    at = Math.max(at, before) + 1;
    blanks();
    if (last) value([...path, last.name], last.span);
  }

  let table: Path = [];
  for (;;) {
    blankLines();
    if (at >= toml.length) break;
    if (toml[at] !== "[") {
      keyValue(table);
      continue;
    }
    const many = toml[at + 1] === "[";
    at += many ? 2 : 1;
    table = [];
    const segments = dottedKey();
    for (const [i, { name, span }] of segments.entries()) {
      table = [...table, name];
      note(table, span, span);
      const count = tableCounts.get(pathId(table));
      if (many && i === segments.length - 1) {
        const next = count === undefined ? 0 : count + 1;
        tableCounts.set(pathId(table), next);
        table = [...table, next];
        note(table, span, span);
      } else if (count !== undefined) table = [...table, count];
    }
    at += many ? 2 : 1;
  }
  return (path) => places.get(pathId(path));
}

function unquote(segment: string): string {
  if (!/^["']/.test(segment)) return segment;
  return parse(`key = ${segment}`)["key"] as string;
}
