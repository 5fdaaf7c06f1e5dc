// What a person decides about the texts of a review.

import * as article from "./article.js";
import { correctionOf, review, sizeOf } from "./current.js";
import { $, plural, setStatus } from "./dom.js";
import { notKept } from "./keeping.js";
import * as list from "./list.js";
import { info } from "./service.js";
import * as store from "./store.js";
import { isWork } from "./table.js";

/** @import { Row } from "./table.js" */

const now = () => new Date().toISOString();
const decidedLabel = (/** @type {Row} */ row) => correctionOf(row)?.label ?? "";

/** Show what changed in the review. */
export function update() {
  list.update();
  article.redraw();
}

/** Correct the text of the selected row, wherever it comes; an empty label takes its correction away.
 *  @param {string} label
 *  @param {string | null} line */
export function correct(label, line = null) {
  const place = list.selected();
  if (place === undefined) return;
  const row = review.rows[place];
  if (!isWork(row)) {
    setStatus(`There is nothing to correct: ${row.reason}.`);
    return;
  }
  if (row.text.length > info.limits.characters || !row.text.trim()) {
    setStatus("This text cannot be corrected: it is empty or too long.");
    return;
  }
  if (line !== null || label !== decidedLabel(row)) {
    note({ row: place, text: row.text, label, line: line ?? (label === row.label ? row.line : ""), at: now() });
  }
  sayCorrected(place, label);
}

/** Correct the service line of the selected row. @param {string} line */
export function correctLine(line) {
  const place = list.selected();
  if (place !== undefined) correct(decidedLabel(review.rows[place]), line);
}

/** @param {number} place
 *  @param {string} label */
function sayCorrected(place, label) {
  const n = sizeOf(place), said = label ? list.spoken(review.rows[place]) : "Correction removed";
  const all = n > 1 ? `, all ${n} of these` : "";
  setStatus(`${said}${all}. ${plural(review.corrections.size, "correction")}.`);
}

/** Correct a clause of a document.
 *  @param {{row: number, text: string}} clause
 *  @param {string} label
 *  @param {string} line */
export function correctClause({ row, text }, label, line) {
  note({ row, text, label, line, at: now() });
  sayCorrected(row, label);
}

/** Correct to a label, or take the correction away if it is that label already. @param {string} label */
export function toggle(label) {
  const place = list.selected();
  if (place !== undefined) correct(label === decidedLabel(review.rows[place]) ? "" : label);
}

/** Take the last decision back, and go to its row. */
export function undo() {
  const last = review.decisions.at(-1);
  if (!last) {
    setStatus("Nothing to undo.");
    return;
  }
  note({ undoes: last.id });
  list.select(last.row);
  setStatus(`Undone: ${list.spoken(review.rows[last.row])}. ${plural(review.corrections.size, "correction")}.`);
}

/** Add an entry to the log of the review, and keep it. @param {object} entry */
export function note(entry) {
  const from = review, added = from.add(entry);
  if (from.isKept) store.append(from.id, added).catch(notKept(from));
  update();
}

/** Note who decides. */
export const noteReviewer = () => note({ reviewer: $("reviewer").value.trim() });
