// A file under review: its rows, and what a person decided about them.
//
// Decisions are a log that only grows, of entries that have an id each: {row, text, label, line, at} corrects a
// text, with an empty label for no longer; {undoes} takes the decision of that id back; {reviewer} names who
// decides. So two tabs can add to one log, and no order of writes loses a decision.

import { isWork } from "./table.js";
import { groupsOf } from "./tally.js";

/** @import { Column, Row } from "./table.js" */

/** Reasons for review that say nothing against a text: a lower threshold would accept it. */
const WEAK = ["", "low confidence"];

/** @typedef {{id: string, row: number, text: string, label: string, line: string, at: string}} Decision */

/** @typedef {object} Record What the store keeps.
 *  @property {string} [id]
 *  @property {File} [file]
 *  @property {string | null} [column]
 *  @property {string} [sheet]
 *  @property {boolean} [pasted]
 *  @property {string} [model]
 *  @property {string} [at] */

export class Review {
  /** @type {Row[]} */
  rows = [];
  /** The columns of the file with some cells of each, and which of them are the text columns. @type {Column[]} */
  columns = [];
  /** @type {string[][]} */
  texts = [];
  /** What the service noted when it read the file. @type {string[]} */
  notes = [];
  /** The scored rows as they came; null for a document. @type {Blob | null} */
  scored = null;
  /** A document in place of a list. @type {HTMLElement | null} */
  article = null;
  /** Draws the document again. @type {(() => void) | null} */
  redraw = null;
  /** Cells of other columns that were asked for, by their names. @type {Map<string, unknown[]>} */
  cells = new Map();
  /** The column of amounts that rows are counted by, "" for none, and the amounts. */
  measure = "";
  /** @type {Float64Array | null} */
  amounts = null;
  /** Cells of that column that hold no amount above 0. */
  unread = 0;
  /** Equal texts, see `groupsOf`. */
  groups = groupsOf([]);
  /** The least confidence that is accepted on this page, null for the model's. @type {number | null} */
  threshold = null;
  /** Whether the browser keeps it; if not, whether decisions are in no download yet. */
  isKept = true;
  hasUnsaved = false;
  reviewer = "";
  /** What was decided, in order, and what of it stands. @type {any[]} */
  log = [];
  /** @type {Decision[]} */
  decisions = [];
  /** text -> the decision that corrects it @type {Map<string, Decision>} */
  corrections = new Map();

  /** Take up a review as the store keeps it, with its log.
   *  @param {Record} record
   *  @param {any[]} log */
  constructor({ id = unique(), file, column = null, sheet = "", pasted = false, model, at } = {}, log = []) {
    this.id = id;
    this.file = file ?? new File([], "");
    this.column = column;
    this.sheet = sheet;
    this.pasted = pasted;
    this.model = model;
    this.at = at ?? new Date().toISOString();
    this.replay(log);
  }

  /** Take up what a sorting brought, in place of what the one before did; nothing to free its memory.
   *  @param {Partial<Review>} brought */
  bring(brought = {}) {
    const none = { rows: [], columns: [], texts: [], notes: [], scored: null, article: null, redraw: null, cells: new Map() };
    Object.assign(this, none, { measure: "", amounts: null, unread: 0 }, brought);
  }

  get record() {
    const { id, file, column, sheet, pasted, model, at } = this;
    return { id, file, column, sheet, pasted, model, at };
  }

  get title() {
    return this.pasted ? "Your texts" : this.file.name;
  }

  /** Whether the answer to a row is accepted; that of a rule is, wherever the threshold. @param {Row} row */
  accepts(row) {
    if (this.threshold === null || row.rule) return row.decision !== "review";
    return WEAK.includes(row.reason) && row.p >= this.threshold;
  }

  /** Why a row that is not accepted goes to review. @param {Row} row */
  reasonOf(row) {
    return row.reason || "low confidence";
  }

  /** The decision that corrects a row; a row that is no work has none. @param {Row} row */
  correctionOf(row) {
    return isWork(row) ? this.corrections.get(row.text) : undefined;
  }

  /** What a row counts; one that is no work counts nothing. @param {number} place */
  weightOf(place) {
    if (!isWork(this.rows[place])) return 0;
    return this.amounts ? this.amounts[place] : 1;
  }

  /** @param {any[]} log */
  replay(log) {
    this.log = log;
    const undone = new Set(log.map((entry) => entry.undoes));
    this.decisions = log.filter((entry) => "label" in entry && !undone.has(entry.id));
    this.corrections = new Map();
    for (const decision of this.decisions) {
      if (decision.label) this.corrections.set(decision.text, decision);
      else this.corrections.delete(decision.text);
    }
    this.reviewer = log.findLast((entry) => "reviewer" in entry)?.reviewer ?? "";
  }

  /** Add an entry to the log, and return it with its id. @param {object} entry */
  add(entry) {
    const added = { id: unique(), ...entry };
    this.hasUnsaved = true;
    this.replay([...this.log, added]);
    return added;
  }

  /** Take up the log as it is kept; what is not written yet, or cannot be, stays. @param {any[]} log */
  merge(log) {
    const known = new Set(log.map((entry) => entry.id));
    this.replay([...log, ...this.log.filter((entry) => !known.has(entry.id))]);
  }

  /** Return the corrections in the order of their first rows: {text, modelLabel, rows, label, line, at}. */
  corrected() {
    const found = new Map();
    this.rows.forEach((answer, row) => {
      const { text, label: modelLabel } = answer, correction = this.correctionOf(answer);
      if (!correction) return;
      const { label, line, at } = correction;
      if (!found.has(text)) found.set(text, { text, modelLabel, rows: [], label, line, at });
      found.get(text).rows.push(row);
    });
    return [...found.values()];
  }
}

/** Return whether two files hold the same bytes, whatever their names; false if one cannot be read any more.
 *  @param {File} one
 *  @param {File} other */
export async function sameContent(one, other) {
  if (one.size !== other.size) return false;
  try {
    const [a, b] = await Promise.all([one, other].map(async (file) => new Uint8Array(await file.arrayBuffer())));
    return a.every((byte, i) => byte === b[i]);
  } catch {
    return false;
  }
}

/** Return a random name; crypto.randomUUID is missing where the page comes from another machine without TLS. */
export function unique() {
  return crypto.getRandomValues(new Uint32Array(3)).join("-");
}
