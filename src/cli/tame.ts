/** Of the controls those that lay out a text, and the colours that we switch on and off ourselves (style.ts). */
// oxlint-disable-next-line no-control-regex
const ours = /[\n\t]|\u001B\[(?:1|2|22|31|32|33|39)m/;
/** C0, DEL and C1 (ECMA-48), and what turns the direction of a line (Unicode UAX #9 §2), so that it says something else. */
// oxlint-disable-next-line no-control-regex
const driving = /[\u0000-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]/;
const either = new RegExp(`(${ours.source})|${driving.source}`, "g");

/**
 * What is printed tells words of others: of members, of servers, of files. None of them may drive the terminal on which an
 * administrator reads it.
 */
export function tame(text: string): string {
  return text.replace(either, (_, kept: string | undefined) => kept ?? "\uFFFD");
}
