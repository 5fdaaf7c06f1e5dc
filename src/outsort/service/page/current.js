// The review that is shown, and what is counted of it.

import { $, lineName } from "./dom.js";
import { Review } from "./review.js";
import { explained, info } from "./service.js";
import { isWork } from "./table.js";
import { groupsOf, tally } from "./tally.js";

/** @import { Row } from "./table.js" */

export let review = new Review();
/** See `tally`. */
export let tallied = tally(review, []);

/** Show another review, or the same one with other rows.
 *  @param {Review} shown */
export function setReview(shown) {
  review = shown;
  review.groups = groupsOf(review.rows);
  recount();
}

/** Count again, after a decision or with another threshold or amount. */
export function recount() {
  tallied = tally(review, info ? info.labels : []);
}

/** @param {Row} row */
export const correctionOf = (row) => review.correctionOf(row);
/** The label of a row; none where it is no work. @param {Row} row */
export const labelOf = (row) => (isWork(row) ? (correctionOf(row)?.label ?? row.label) : "");
/** What is known of why a row has its label. @param {Row} row */
export const explainedOf = (row) => (isWork(row) ? explained.get(row.text) : undefined);
/** The rows of the text of a row. @param {number} place */
export const sizeOf = (place) => review.groups.size[review.groups.first[place]];
/** @param {Row} row */
export const isToReview = (row) => isWork(row) && !review.accepts(row) && !correctionOf(row);

/** Whether equal texts are one row of the list. */
export const isGrouped = () => $("grouped").checked;

/** Return the state of a row: CSS class, text, and the reason for review.
 *  @param {Row} row */
export function stateOf(row) {
  if (!isWork(row)) return ["no-work", row.reason, ""];
  const correction = correctionOf(row);
  if (correction) return ["corrected", correction.label === row.label ? "confirmed" : "corrected", ""];
  return review.accepts(row) ? ["accept", "accepted", ""] : ["review", "review", review.reasonOf(row)];
}

/** Name the service line of a row; nothing where the model knows none. @param {Row} row */
export function lineOf(row) {
  if (!hasLines() || !isWork(row)) return "";
  const correction = correctionOf(row);
  return correction ? lineName(correction.line, "no line chosen") : lineName(row.line);
}

export const hasLines = () => Object.values(info.service_lines).some((lines) => lines.length);
