// What went wrong, in the words of those who use the page.

/** What the page takes. */
const TAKEN = "Use Excel, CSV, TSV, JSON lines or Parquet, or a document: PDF, Word, HTML, Markdown or plain text.";

/** Say how to sort what is too much for the page. @param {string} name */
export const commandFor = (name) => `On the command line there is no limit: outsort score "${name}" -o "sorted-${name}"`;

/** Return what an error of the service says to who sorts a file.
 *  @param {Error & {status?: number}} error
 *  @param {string} name that of the file */
export function inWords({ status, message }, name) {
  if (status === 413) return `${name} is too much for this page. ${message.replace(/ Send [^.]*parts?\.$/, "")} ${commandFor(name)}`;
  if (status === 415) return `${name} is not a table that can be read. ${TAKEN}`;
  return message;
}
