// The picture of the file: rows or amounts by label, by service line and by confidence, and what goes to review.

import { amounts, areAmounts } from "./amounts.js";
import { hasLines, recount, review, tallied } from "./current.js";
import { $, amount, button, count, element, lineName, percent, plural, setStatus, share } from "./dom.js";
import { hueOf, isListed, labels } from "./labels.js";
import { filter, refresh, showCells } from "./list.js";
import { info } from "./service.js";
import { cellsOf, isWork } from "./table.js";
import { N_BINS } from "./tally.js";
import { showLine, shownLine } from "./view.js";

/** @import { LinePart, Part } from "./tally.js" */

/** Height of the highest bar of the histogram, in units of its drawing. */
const HIGHEST = 100;
const SVG = "http://www.w3.org/2000/svg";

/** Write what is counted: rows, or an amount. @param {number} weight */
const figure = (weight) => (review.amounts ? amount(weight) : count(weight));
const counted = () => review.measure || "rows";

/** Offer what can be counted and shown of a review, and draw it. */
export function present() {
  const isTable = Boolean(review.scored) && !review.pasted;
  const ofTexts = new Set(review.texts.flat());
  const others = isTable ? review.columns.filter(({ name }) => !ofTexts.has(name)) : [];
  const numbers = others.filter(({ sample }) => areAmounts(sample));
  $("measure").replaceChildren(new Option("rows", ""), ...numbers.map(({ name }) => new Option(name, name)));
  $("measure").value = review.measure;
  $("measuring").hidden = !numbers.length;
  $("columns-list").replaceChildren(...others.map(({ name }) => choiceOf(name)));
  $("columns-shown").hidden = !others.length;
  $("order").querySelector("[value=amount]").hidden = !review.measure;
  $("lines-panel").hidden = !hasLines();
  draw();
}

/** Draw the picture, and the counts of the filters. */
export function draw() {
  const { corrected, rowsToReview } = tallied;
  const kinds = { all: review.rows.length, review: rowsToReview, corrected };
  for (const [kind, n] of Object.entries(kinds)) {
    const input = document.querySelector(`[name=show][value=${kind}]`);
    const shown = input?.nextElementSibling?.querySelector("b");
    if (shown) shown.textContent = count(n);
  }
  for (const [i, { label }] of labels.entries()) {
    const rows = count(tallied.labels.get(label)?.rows ?? 0);
    const chip = document.querySelector(`[name=show][data-label="${CSS.escape(label)}"] + span b`);
    if (chip) chip.textContent = rows;
    if (isListed()) $("show-label").options[i + 1].text = `${label} (${rows})`;
  }
  $("corrected").textContent = count(review.corrections.size);
  $("save").disabled = $("learn").disabled = review.corrections.size === 0;
  if (review.article) return;
  drawLabels();
  if (hasLines()) drawLines();
  drawHistogram();
}

// --- by label --------------------------------------------------------------------------------------

function drawLabels() {
  const { whole } = tallied, most = Math.max(...[...tallied.labels.values()].map(({ weight }) => weight));
  const rows = [...tallied.labels].map(([label, part]) => {
    const name = element("span", `badge ${hueOf(label)}`, label);
    return rowOf(name, part, whole.weight, barOf(part, most, hueOf(label)));
  });
  const toReview = { rows: tallied.rowsToReview, weight: whole.toReview, toReview: whole.toReview };
  const all = rowOf("to review", toReview, whole.weight, barOf(toReview, most, "unknown"));
  $("by-label").tBodies[0].replaceChildren(...rows, all);
  $("counted").textContent = counted();
  $("measured").textContent = uncounted().join(" ");
}

/** Say what counts nothing, in sentences. */
function uncounted() {
  const said = [], unread = review.amounts ? review.unread : 0;
  if (tallied.notWork.size) {
    const n = [...tallied.notWork.values()].reduce((sum, rows) => sum + rows);
    const kinds = [...tallied.notWork].map(([kind, rows]) => (rows > 1 ? `${count(rows)}× ${kind}` : kind));
    said.push(`${plural(n, "row")} ${n === 1 ? "is" : "are"} not work (${kinds.join(", ")}).`);
  }
  if (unread) said.push(`${plural(unread, "cell")} without an amount above 0 ${unread === 1 ? "counts" : "count"} as 0.`);
  return said;
}

/** @param {Node | string} name
 *  @param {Part} part
 *  @param {number} whole
 *  @param {Node} bar */
function rowOf(name, part, whole, bar) {
  const row = element("tr"), head = element("th");
  head.scope = "row";
  head.append(name);
  const cell = element("td", "wide");
  cell.append(bar);
  const figures = [figure(part.weight), share(part.weight, whole)].map((text) => element("td", "n", text));
  row.append(head, cell, ...figures);
  return row;
}

/** Draw a bar, what is to review of it in a lighter part.
 *  @param {Part} part
 *  @param {number} most what fills the bar
 *  @param {string} hue */
function barOf(part, most, hue) {
  const bar = element("span", `part ${hue}`), inside = element("span", "sure"), rest = element("span", "unsure");
  const sure = part.weight - part.toReview;
  inside.style.width = `${(100 * sure) / (most || 1)}%`;
  rest.style.width = `${(100 * part.toReview) / (most || 1)}%`;
  bar.append(inside, rest);
  return bar;
}

// --- by service line -------------------------------------------------------------------------------

function drawLines() {
  const most = tallied.lines[0]?.weight ?? 0, focused = document.activeElement?.getAttribute("data-line");
  $("lines").replaceChildren(...tallied.lines.map((part) => buttonOf(part, most)));
  markLine();
  endBelowAName();
  $("lines-hint").textContent = `${count(tallied.lines.length)} to filter by`;
  if (focused) $("lines").querySelector(`[data-line="${CSS.escape(focused)}"]`)?.focus();
}

/** Make the list of service lines as high as the names that fit in it, so that it cuts none; the others are scrolled to. */
function endBelowAName() {
  const list = $("lines");
  list.style.maxHeight = "";
  const ends = [...list.children].map((one) => one.offsetTop + one.offsetHeight - list.offsetTop);
  const fits = ends.filter((end) => end <= list.clientHeight);
  if (fits.length && fits.length < ends.length) list.style.maxHeight = `${fits.at(-1)}px`;
}

/** @param {LinePart} part
 *  @param {number} most */
function buttonOf(part, most) {
  const { label, line } = part, made = button("");
  made.dataset.line = `${label} ${line}`;
  const name = element("span", "name", lineName(line));
  made.append(name, " ", element("span", "n", figure(part.weight)), barOf(part, most, hueOf(label)));
  made.title = `${label}: ${lineName(line)}, ${plural(part.rows, "row")}`;
  made.addEventListener("click", () => {
    const isShown = shownLine?.label === label && shownLine.line === line;
    showLine(isShown ? null : { label, line });
    filter();
  });
  return made;
}

/** Show which service line the list is filtered by. */
export function markLine() {
  const shown = shownLine && `${shownLine.label} ${shownLine.line}`;
  for (const one of $("lines").children) one.setAttribute("aria-pressed", String(one.dataset.line === shown));
}

// --- by confidence ---------------------------------------------------------------------------------

const lineAt = () => review.threshold ?? info.threshold;
const written = (/** @type {number} */ p) => `${(100 * p).toFixed(1)}%`;

function drawHistogram() {
  const { bins, acceptedBins } = tallied, most = Math.max(...bins) || 1, least = Number($("threshold").min);
  const first = Math.round(least * N_BINS), at = lineAt();
  // What is accepted is drawn over all that has that confidence.
  const bars = [...barsOf(bins, first, most, "unsure"), ...barsOf(acceptedBins, first, most, "sure")];
  $("histogram").setAttribute("viewBox", `0 0 ${N_BINS - first} ${HIGHEST}`);
  $("histogram").replaceChildren(...bars);
  $("threshold").value = String(at);
  $("least").textContent = percent(least);
  const { whole, accepted } = tallied;
  const [what, those] = review.amounts ? [`of ${review.measure}`, "it is"] : [`of the rows (${count(accepted.rows)})`, "them are"];
  const right = accepted.weight ? ` and estimates that ${share(accepted.expected, accepted.weight)} of ${those} right` : "";
  const isMoved = review.threshold !== null;
  const said = `At ${written(at)} or more, the model accepts ${share(accepted.weight, whole.weight)} ${what}${right}.`;
  const rest = isMoved
    ? ` The download still uses the model's ${written(info.threshold)}.`
    : info.certified ? "" : " No precision of accepted answers is certified for this model.";
  $("promise").textContent = said + rest;
  $("threshold").setAttribute("aria-valuetext", `${written(at)}. ${said}`);
  $("reset-threshold").hidden = !isMoved;
  $("reset-threshold").textContent = `Back to ${written(info.threshold)}`;
}

/** Draw the bars of a histogram.
 *  @param {Float64Array} bins
 *  @param {number} first the first bin that is shown
 *  @param {number} most what the highest bar weighs
 *  @param {string} name */
function barsOf(bins, first, most, name) {
  return [...bins].slice(first).map((weight, i) => {
    const bar = document.createElementNS(SVG, "rect");
    const high = weight && Math.max(1, (HIGHEST * weight) / most);
    const place = { x: i + 0.05, y: HIGHEST - high, width: 0.9, height: high, class: name };
    for (const [attribute, value] of Object.entries(place)) bar.setAttribute(attribute, String(value));
    return bar;
  });
}

/** Accept from another confidence, null for that of the model. @param {number | null} threshold */
function moveLine(threshold) {
  review.threshold = threshold;
  recount();
  draw();
}

/** Set the scale of the histogram: no answer is less probable than the least of even ones. */
export function build() {
  const least = Math.floor(N_BINS / labels.length) / N_BINS;
  $("threshold").min = String(least);
}

// --- amounts and other columns ---------------------------------------------------------------------

/** @param {string} name */
async function columnOf(name) {
  const { scored } = review;
  if (!scored) return [];
  setStatus(`Reading ${name} …`, true);
  const cells = review.cells.get(name) ?? (await cellsOf(scored, name));
  setStatus("");
  return cells;
}

/** Count by a column of amounts, or by rows. @param {string} name */
async function measure(name) {
  const from = review, read = name ? amounts(await columnOf(name)) : null;
  if (from !== review) return;
  review.unread = read ? read.filter((n, i) => !(n > 0) && isWork(from.rows[i])).length : 0;
  review.measure = name;
  review.amounts = read && read.map((n) => (n > 0 ? n : 0));
  $("order").querySelector("[value=amount]").hidden = !name;
  if (!name && $("order").value === "amount") $("order").value = "file";
  refresh();
}

/** @param {string} name */
function choiceOf(name) {
  const made = element("label", "choice"), box = Object.assign(element("input"), { type: "checkbox", value: name });
  box.checked = review.cells.has(name);
  made.append(box, ` ${name}`);
  return made;
}

/** @param {string} name
 *  @param {boolean} isShown */
async function showColumn(name, isShown) {
  const from = review, cells = isShown ? await columnOf(name) : [];
  if (from !== review) return;
  if (isShown) review.cells.set(name, cells);
  else review.cells.delete(name);
  showCells();
}

$("measure").addEventListener("change", () => measure($("measure").value));
$("columns-list").addEventListener("change", (/** @type {any} */ { target }) => showColumn(target.value, target.checked));
$("threshold").addEventListener("input", () => moveLine(Number($("threshold").value)));
$("threshold").addEventListener("change", refresh);
$("reset-threshold").addEventListener("click", () => {
  review.threshold = null;
  refresh();
  $("threshold").focus();
});
new ResizeObserver(endBelowAName).observe($("lines-panel"));
window.addEventListener("beforeprint", () => ($("picture").open = true));
