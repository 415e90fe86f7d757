/** Something with a licence. */
export interface Licensed {
  title: string;
  /** Empty: it brings none of its own. */
  text: string;
}

/** Pure: all licences as one text, those that are the same once, under the names of all that they are for. */
export function renderLicenses(parts: readonly Licensed[]): string {
  const titles = new Map<string, string[]>();
  for (const { title, text } of parts) {
    const known = titles.get(text.trim());
    if (known) known.push(title);
    else titles.set(text.trim(), [title]);
  }
  const rule = "=".repeat(80);
  return [...titles]
    .map(([text, names]) => `${rule}\n${names.join("\n")}\n${rule}\n\n${text || "It brings no text."}\n`)
    .join("\n");
}
