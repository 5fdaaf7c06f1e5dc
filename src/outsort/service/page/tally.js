// What is counted of a review: rows and amounts by label, service line and confidence, and what goes to review.

import { isWork, kindOf } from "./table.js";

/** @import { Review } from "./review.js" */
/** @import { Row } from "./table.js" */

/** Parts into which confidences from 0 to 1 are counted. */
export const N_BINS = 50;

/** Rows of one kind: how many, what they weigh (as much, without amounts), and how much of that is to review.
 *  @typedef {{rows: number, weight: number, toReview: number}} Part */

/** @typedef {Part & {label: string, line: string}} LinePart */

/** @typedef {object} Tally
 *  @property {Part} whole
 *  @property {Map<string, number>} notWork rows that are no work, by what they are; they count nowhere else
 *  @property {number} rowsToReview
 *  @property {number} corrected rows that a person decided
 *  @property {Map<string, Part>} labels by the label of each row: the person's, else the model's
 *  @property {LinePart[]} lines likewise by service line, the most first; "" for none
 *  @property {Float64Array} bins the weight by confidence
 *  @property {Float64Array} acceptedBins what of it the model accepts
 *  @property {{rows: number, weight: number, expected: number}} accepted what the model accepts, and what of it is
 *    right by its own probabilities */

/** Count a review.
 *  @param {Review} review
 *  @param {string[]} labels those of the model
 *  @returns {Tally} */
export function tally(review, labels) {
  const part = () => ({ rows: 0, weight: 0, toReview: 0 });
  /** @type {Map<string, LinePart>} */
  const lines = new Map();
  /** @type {Tally} */
  const of = {
    whole: part(),
    notWork: new Map(),
    rowsToReview: 0,
    corrected: 0,
    labels: new Map(labels.map((label) => [label, part()])),
    lines: [],
    bins: new Float64Array(N_BINS),
    acceptedBins: new Float64Array(N_BINS),
    accepted: { rows: 0, weight: 0, expected: 0 },
  };
  review.rows.forEach((row, i) => {
    if (!isWork(row)) {
      const kind = kindOf(row);
      of.notWork.set(kind, (of.notWork.get(kind) ?? 0) + 1);
      return;
    }
    const weight = review.weightOf(i), correction = review.correctionOf(row);
    const isAccepted = review.accepts(row), isToReview = !isAccepted && !correction;
    const { label, line } = correction ?? row;
    if (!of.labels.has(label)) of.labels.set(label, part());
    const key = `${label}\n${line}`;
    if (!lines.has(key)) lines.set(key, { ...part(), label, line });
    for (const one of [of.whole, of.labels.get(label), lines.get(key)]) {
      if (!one) continue;
      one.rows++;
      one.weight += weight;
      if (isToReview) one.toReview += weight;
    }
    of.rowsToReview += Number(isToReview);
    of.corrected += Number(Boolean(correction));
    of.bins[binOf(row.p)] += weight;
    if (!isAccepted) return;
    of.acceptedBins[binOf(row.p)] += weight;
    of.accepted.rows++;
    of.accepted.weight += weight;
    of.accepted.expected += row.rule ? weight : weight * row.p;
  });
  of.lines = [...lines.values()].sort((a, b) => b.weight - a.weight || b.rows - a.rows);
  return of;
}

const binOf = (/** @type {number} */ p) => Math.min(N_BINS - 1, Math.floor(p * N_BINS));

/** Find equal texts: the first row of each, and at that row how many there are. A row that is no work is alone.
 *  @param {Row[]} rows
 */
export function groupsOf(rows) {
  const places = new Map(), first = new Int32Array(rows.length), size = new Int32Array(rows.length);
  rows.forEach((row, i) => {
    const at = isWork(row) ? (places.get(row.text) ?? (places.set(row.text, i), i)) : i;
    first[i] = at;
    size[at]++;
  });
  return { first, size };
}
