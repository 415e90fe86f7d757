import { readFile } from "node:fs/promises";
import { parse, TomlError } from "smol-toml";
import { usageError } from "../core/errors.ts";
import { locate } from "./locate.ts";
import type { Spec } from "./types.ts";
import { validateSpec, type SpecProblem } from "./validate.ts";

/** No cluster.toml is near this; the text also comes from the network. Bytes of UTF-16, roughly characters. */
const longest = 256 * 1024;
/** Past these an error helps nobody: problems told at once, and characters of a line shown. */
const mostProblems = 30;
const widestLine = 160;

/**
 * cluster.toml's text as a Spec with all defaults.
 * @param file the name that errors begin with
 * @throws ChimeError `spec.syntax`, `spec.invalid`, `spec.too_large` (exit 2). One error tells all problems, each as
 * `FILE:LINE:COL: message` with the offending line and a caret below
 */
export function parseSpec(toml: string, file: string): Spec {
  if (toml.length > longest) {
    throw usageError(
      "spec.too_large",
      `${file}:1:1: the file has ${toml.length} characters, more than any cluster.toml`,
      `check that ${file} is the right file`,
    );
  }
  const result = validateSpec(parseToml(toml, file));
  if ("spec" in result) return result.spec;
  const find = locate(toml);
  const found = result.problems.map((problem) => ({ problem, span: spanOf(problem, find) }));
  found.sort((a, b) => a.span.start - b.span.start);
  const told = found
    .slice(0, mostProblems)
    .map(({ problem, span }) => at(toml, file, span, describe(problem)));
  if (found.length > mostProblems) told.push(`and ${found.length - mostProblems} more`);
  throw usageError("spec.invalid", told.join("\n"), `correct ${file}, then run the same command again`);
}

/**
 * Reads and parses a cluster.toml.
 * @throws ChimeError `spec.unreadable`, and what `parseSpec` throws (exit 2)
 */
export async function loadSpec(file: string): Promise<{ spec: Spec; toml: string }> {
  const toml = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    const why = error.code === "ENOENT" ? "there is no such file" : error.message;
    throw usageError("spec.unreadable", `cannot read ${file}: ${why}`, "give the path of a cluster.toml");
  });
  return { spec: parseSpec(toml, file), toml };
}

function parseToml(toml: string, file: string): unknown {
  try {
    return parse(toml);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const start = offsetOf(toml, error.line, error.column);
    const said = (error.message.split("\n")[0] ?? "").replace(/^Invalid TOML document: /, "");
    // The parser calls the line break that an open string runs into a control character.
    const open = said.startsWith("control characters") && /^\r?\n/.test(toml.slice(start));
    const message = open ? "unfinished string" : said;
    throw usageError(
      "spec.syntax",
      at(toml, file, { start, end: start + 1 }, message),
      `correct ${file}, then run the same command again`,
    );
  }
}

function describe({ path, message }: SpecProblem): string {
  const key = path.map((part) => (typeof part === "number" ? `[${part + 1}]` : `.${quoted(part)}`)).join("");
  return `${key.slice(1)} ${message}`;
}

/** A bare key (TOML 1.0) stays bare. */
const quoted = (key: string): string => (/^[\w-]+$/.test(key) ? key : JSON.stringify(key));

type Span = { start: number; end: number };

function spanOf({ path, at }: SpecProblem, find: ReturnType<typeof locate>): Span {
  const exact = at === "missing" ? undefined : find(path);
  if (exact) return at === "key" ? exact.key : exact.value;
  // Absent, or written in a form that has no place of its own: the nearest table around it.
  for (let length = path.length - 1; length > 0; length--) {
    const around = find(path.slice(0, length));
    if (around) return around.key;
  }
  return { start: 0, end: 1 };
}

/** `FILE:LINE:COL: message`, the line, and carets under the span. */
function at(toml: string, file: string, { start, end }: Span, message: string): string {
  const lineStart = start === 0 ? 0 : toml.lastIndexOf("\n", start - 1) + 1;
  const lineEnd = toml.indexOf("\n", lineStart);
  const text = printable(toml.slice(lineStart, lineEnd < 0 ? toml.length : lineEnd).replace(/\r$/, ""));
  const line = toml.slice(0, lineStart).split("\n").length;
  const column = start - lineStart + 1;
  const place = `${file}:${line}:${column}: ${printable(message)}`;
  if (column > widestLine) return place;
  const shown = text.length > widestLine ? `${text.slice(0, widestLine)}…` : text;
  const margin = `  ${line} | `;
  // Tabs stay tabs, so that the caret stands under its character whatever their width.
  const indent = shown.slice(0, column - 1).replace(/[^\t]/g, " ");
  const carets = "^".repeat(Math.max(1, Math.min(end - start, shown.length - column + 1)));
  return `${place}\n${margin}${shown}\n${" ".repeat(margin.length - 2)}| ${indent}${carets}`;
}

/** A file must not be able to drive the terminal that shows its errors. */
const printable = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  text.replace(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g, "\uFFFD");

function offsetOf(toml: string, line: number, column: number): number {
  let offset = 0;
  for (let n = 1; n < line; n++) {
    const next = toml.indexOf("\n", offset);
    if (next < 0) break;
    offset = next + 1;
  }
  return Math.min(offset + Math.max(0, column - 1), toml.length);
}
