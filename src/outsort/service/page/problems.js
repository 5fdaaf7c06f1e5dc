// What went wrong, in the words of those who use the page.

import { megabytes } from "./dom.js";

/** What the page takes. */
const TAKEN = "Use Excel, CSV, TSV, JSON lines or Parquet, or a document: PDF, Word, HTML, Markdown or plain text.";
/** What the service advises, which is for programs, and what to do here. @type {[RegExp, string][]} */
const ADVICE = [
  [/ Name (?:it with|its) encoding: .*$/s, " Save it as UTF-8 or as an Excel workbook, and try again."],
  [/,? or pass (?:on_error=keep|no_header[^.]*)\./, " and try again."],
  [/ Name one with text_column[^.]*\./, " Give the column of the texts a heading such as description, and try again."],
  [/[^.]*\bheader_row\b[^.]*\.$/, " Leave only the row with the names of the columns above the others, and try again."],
];

/** Of notes, what is for programs. @type {[RegExp, string][]} */
const ASIDES = [
  [/ \((?:sheet|text_column)\b[^)]*\)/, ""],
  [/ If letters look wrong, name its encoding.*$/, " If letters look wrong, save it as UTF-8 or as an Excel workbook, and sort it again."],
  [/: pass no_header if it is work$/, ": if it is work, put a row of names above it, and sort the file again"],
];

/** @param {string} said
 *  @param {[RegExp, string][]} advice */
const forPeople = (said, advice) => advice.reduce((words, [programs, people]) => words.replace(programs, people), said);

/** Return what the service noted when it read a file, in one line. @param {string[]} notes */
export function notesInWords(notes) {
  const said = notes.map((note) => forPeople(note, ASIDES).replace(/\.$/, "")).join("; ");
  return said && `${said[0].toUpperCase()}${said.slice(1)}.`;
}

/** Say how to sort what is too much for the page. @param {string} name */
export const commandFor = (name) => `On the command line there is no limit: outsort score "${name}" -o "sorted-${name}"`;

/** Return what an error of the service says to who sorts a file.
 *  @param {Error & {status?: number}} error
 *  @param {string} name that of the file */
export function inWords({ status, message }, name) {
  if (status === 413) {
    const why = message.replace(/ Send [^.]*parts?\.$/, "").replace(/([\d,]+) bytes/, (_, n) => megabytes(Number(n.replaceAll(",", ""))));
    return `${name} is too large for this page. ${why} ${commandFor(name)}`;
  }
  if (status === 415) return `${name} is not a table that can be read. ${TAKEN}`;
  return forPeople(message, ADVICE);
}
