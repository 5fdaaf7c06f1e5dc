// The rows of a scored file, and its other columns on request.

import { info } from "./service.js";

/** Cells shown of each column, and rows they are looked for in. */
const N_SAMPLES = 3, N_SAMPLED = 500;
/** Bytes that are put by as they arrive: the browser may keep them on the disk. */
const PUT_BY = 8 << 20;

/** An answer to a text of the file.
 *  @typedef {object} Row
 *  @property {string} text
 *  @property {string} label
 *  @property {number} p the probability of the label
 *  @property {number[]} [proba] that of each label of the model, in their order
 *  @property {string} line the service line
 *  @property {string} decision
 *  @property {string} reason
 *  @property {string} rule the house rule that decided; empty where the model did
 *  @property {string} modelLabel what the model would have answered, where a rule decided */

/** How the reason of a row begins that is no work: a total, a note, units. */
const NOT_WORK = "not a row of work";

/** Whether a row is one of work, to be labelled and counted. @param {Row} row */
export const isWork = ({ reason }) => !reason.startsWith(NOT_WORK);

/** Say what a row is that is no work: "a total". @param {Row} row */
export const kindOf = ({ reason }) => reason.slice(NOT_WORK.length).replace(/^ \(|\)$/g, "");

/** A column of the file: its name, some cells, and whether those are numbers.
 *  @typedef {{name: string, cells: string[], sample: unknown[]}} Column */

/** A scored file: its rows, its columns, the text columns (each a list with those read where it is blank), what the
 *  service noted when it read it, and the scored rows as they came.
 *  @typedef {{rows: Row[], columns: Column[], texts: string[][], notes: string[], scored: Blob}} Table */

/** What the service tells of a file beside its rows.
 *  @param {Response} response
 *  @returns {{columns: string[], text_columns: string[][], prefix: string, notes: string[]}} */
export const headOf = (response) => JSON.parse(response.headers.get("outsort-table") ?? "{}");

/** Parse scored rows as they arrive.
 *  @param {Response} response
 *  @param {(share: number, rows: number) => void} tell told what share of them has arrived
 *  @returns {Promise<Table>} */
export async function read(response, tell = () => {}) {
  const head = headOf(response), texts = head.text_columns;
  const size = Number(response.headers.get("content-length"));
  const names = head.columns.length ? head.columns : texts.flat();
  /** @type {Map<string, Column>} */
  const columns = new Map(names.map((name) => [name, { name, cells: [], sample: [] }]));
  /** @type {Row[]} */
  const rows = [];
  const rowOf = parser(head.prefix, texts);
  const kept = new Kept();
  for await (const lines of linesOf(response, (part, done) => (kept.add(part), tell(done / size, rows.length)))) {
    for (const cells of lines.map(parsed)) {
      if (rows.length < N_SAMPLED) for (const column of columns.values()) sample(column, cells[column.name]);
      rows.push(rowOf(cells));
    }
  }
  return { rows, columns: [...columns.values()], texts, notes: head.notes, scored: kept.whole() };
}

/** Read a column of a scored file again.
 *  @param {Blob} scored
 *  @param {string} name
 *  @returns {Promise<unknown[]>} */
export async function cellsOf(scored, name) {
  const cells = [];
  for await (const lines of linesOf(new Response(scored))) for (const line of lines) cells.push(parsed(line)[name]);
  return cells;
}

/** The bytes of a response. */
class Kept {
  /** @type {BlobPart[]} */
  #parts = [];
  #size = 0;

  /** @param {Uint8Array<ArrayBuffer>} part */
  add(part) {
    this.#parts.push(part);
    this.#size += part.length;
    if (this.#size > PUT_BY) [this.#parts, this.#size] = [[this.whole()], 0];
  }

  whole() {
    return new Blob(this.#parts);
  }
}

/** Yield the lines of a response, many at a time.
 *  @param {Response} response
 *  @param {(part: Uint8Array<ArrayBuffer>, done: number) => void} tell told of each part, and how many bytes have come */
async function* linesOf(response, tell = () => {}) {
  if (!response.body) return;
  const decoder = new TextDecoder(), reader = response.body.getReader();
  let rest = "", done = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    done += part.value.length;
    const lines = (rest + decoder.decode(part.value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield lines;
    tell(part.value, done);
  }
  if (rest) yield [rest];
}

/** Return what makes a row of the cells of a line.
 *  @param {string} prefix
 *  @param {string[][]} texts */
function parser(prefix, texts) {
  /** Few strings come again and again. @type {Map<string, string>} */
  const known = new Map();
  const once = (/** @type {string} */ text) => known.get(text) ?? (known.set(text, text), text);
  const { labels } = info;
  return (/** @type {Record<string, any>} */ cells) => {
    const parts = texts
      .map((part) => cells[part.find((name) => !isBlank(cells[name])) ?? part[0]])
      .filter((value) => value != null);
    return {
      text: parts.map(String).join(" "),
      label: once(cells[prefix + "label"]),
      p: cells[prefix + "probability"],
      proba: labels.map((label) => cells[`${prefix}p_${label}`]),
      line: once(cells[prefix + "service_line"] ?? ""),
      decision: once(cells[prefix + "decision"]),
      reason: once(cells[prefix + "reason"]),
      rule: once(cells[prefix + "rule"] ?? ""),
      modelLabel: once(cells[prefix + "model_label"] ?? ""),
    };
  };
}

/** @param {Column} column
 *  @param {unknown} cell */
function sample(column, cell) {
  if (isBlank(cell)) return;
  column.sample.push(cell);
  if (column.cells.length < N_SAMPLES) column.cells.push(String(cell));
}

const isBlank = (/** @type {unknown} */ value) => value == null || (typeof value === "string" && !value.trim());

/** Parse JSON as Python writes it, with NaN and Infinity.
 *  @param {string} line
 *  @returns {Record<string, any>} */
function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return JSON.parse(line.replace(/([:[,]\s*)(?:NaN|-?Infinity)(?=\s*[,}\]])/g, "$1null"));
  }
}
