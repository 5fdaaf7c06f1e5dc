// Which rows are in the list, and in which order.

import { correctionOf, isGrouped, isToReview, labelOf, review, sizeOf } from "./current.js";
import { $, count, lineName, plural } from "./dom.js";
import { isWork } from "./table.js";

/** @import { Row } from "./table.js" */

/** Places in the rows of the review, in the order of the list. @type {number[]} */
export let view = [];
/** The service line whose rows are shown, with its label; null for all. @type {{label: string, line: string} | null} */
export let shownLine = null;

/** @type {Record<string, (row: Row) => boolean>} */
const KINDS = {
  all: () => true,
  review: isToReview,
  corrected: (row) => Boolean(correctionOf(row)),
};

/** How rows of work are sorted, before the others: what is compared, the least first.
 *  @type {Record<string, (place: number) => number | string>} */
const ORDERS = {
  unsure: (place) => review.rows[place].p,
  sure: (place) => -review.rows[place].p,
  amount: (place) => -weightShown(place),
  line: (place) => `${labelOf(review.rows[place])} ${lineOfRow(review.rows[place])}`,
  often: (place) => -sizeOf(place),
};

const lineOfRow = (/** @type {Row} */ row) => (correctionOf(row) ?? row).line;

/** What each text weighs, with all its rows. @type {Float64Array | null} */
let weights = null;

/** What a row of the list weighs. @param {number} place */
export function weightShown(place) {
  if (!isGrouped()) return review.weightOf(place);
  weights ??= review.rows.reduce((sums, _, i) => {
    sums[review.groups.first[i]] += review.weightOf(i);
    return sums;
  }, new Float64Array(review.rows.length));
  return weights[review.groups.first[place]];
}

/** Take the rows that the filters choose; a row that is corrected stays until the next time. */
export function choose() {
  weights = null;
  const { value, dataset } = /** @type {HTMLInputElement} */ (document.querySelector("[name=show]:checked"));
  const kind = KINDS[value] ?? KINDS.all, label = dataset.label ?? $("show-label").value;
  const wanted = $("find").value.trim().toLowerCase(), grouped = isGrouped(), { first } = review.groups;
  const line = shownLine;
  view = [];
  let n = 0;
  review.rows.forEach((row, i) => {
    if (!kind(row) || (label && labelOf(row) !== label)) return;
    if (line && (labelOf(row) !== line.label || lineOfRow(row) !== line.line)) return;
    if (wanted && !row.text.toLowerCase().includes(wanted)) return;
    n++;
    if (!grouped || first[i] === i) view.push(i);
  });
  sort();
  const isFiltered = value !== "all" || Boolean(label || wanted || line);
  $("show-all").hidden = !isFiltered;
  $("empty").hidden = view.length > 0;
  $("hits").textContent = hits(n, wanted, isFiltered);
}

function sort() {
  const by = ORDERS[$("order").value];
  if (!by) return;
  const keys = new Map(view.map((place) => [place, by(place)]));
  const isLast = (/** @type {number} */ place) => Number(!isWork(review.rows[place]));
  view.sort((a, b) => {
    if (isLast(a) !== isLast(b)) return isLast(a) - isLast(b);
    const one = keys.get(a) ?? 0, other = keys.get(b) ?? 0;
    return one < other ? -1 : one > other ? 1 : a - b;
  });
}

/** Say how many rows are listed.
 *  @param {number} n
 *  @param {string} wanted
 *  @param {boolean} isFiltered */
function hits(n, wanted, isFiltered) {
  const texts = view.length < n ? `${plural(view.length, "text")} in ` : "";
  const rows = isFiltered ? `${count(n)} of ${plural(review.rows.length, "row")}` : plural(n, "row");
  const line = shownLine ? `, ${lineName(shownLine.line)}` : "";
  return `${texts}${rows}${wanted ? ` with “${wanted}”` : ""}${line}`;
}

/** Forget all filters. */
export function resetFilters() {
  /** @type {HTMLInputElement} */ (document.querySelector("[name=show][value=all]")).checked = true;
  $("show-label").value = $("find").value = "";
  shownLine = null;
}

/** Show the rows of a service line, or of all again.
 *  @param {{label: string, line: string} | null} line */
export function showLine(line) {
  shownLine = line;
}
