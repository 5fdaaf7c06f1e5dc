// The list of rows. It is virtualised: only the visible rows are in the document, and their explanations are fetched
// when they become visible. Texts are inserted as text nodes, never as markup.

import {
  correctionOf, explainedOf, isGrouped, isToReview, lineOf, recount, review, setReview, sizeOf, stateOf,
} from "./current.js";
import { detail } from "./details.js";
import { $, amount, count, element, percent, setStatus } from "./dom.js";
import { hueOf, quickMarks } from "./labels.js";
import * as picture from "./picture.js";
import { MAX_EXPLAINED, explain, explained } from "./service.js";
import { isWork } from "./table.js";
import * as view from "./view.js";
import { tinted } from "./words.js";

/** @import { Review } from "./review.js" */
/** @import { Row } from "./table.js" */

/** Limit of characters per text in the list. */
const MAX_SHOWN = 300;
/** Extra rows in the document above and below the visible ones. */
const SPARE = 6;

let active = -1; // index in the view of the selected row
let typing = 0; // the timer that filters once nothing more is typed

/** Show another review, or the same one with other rows. @param {Review} shown */
export function present(shown) {
  setReview(shown);
  outdateAll();
  $("columns-shown").hidden = !shown.scored || shown.pasted;
  picture.present();
  view.resetFilters();
  filter();
}

/** Return the place in the rows of the selected one; undefined if there is none.
 *  @returns {number | undefined} */
export const selected = () => view.view[active];

/** Select a row, also one that the filter hides. @param {number} row */
export function select(row) {
  const place = isGrouped() ? review.groups.first[row] : row;
  if (!view.view.includes(place)) showAll();
  activate(view.view.indexOf(place));
}

/** Select the row that many steps down the list, or the last or first. @param {number} steps */
export const move = (steps) => activate(Math.min(view.view.length - 1, Math.max(0, active + steps)));

/** Return how many rows fit in the list. */
export const pageSize = () => Math.max(1, Math.floor($("list").clientHeight / height) - 1);

/** Show what changed in the review. */
export function update() {
  recount();
  picture.draw();
  redraw();
}

/** Show the cells of other columns; the rows listed, and the one selected, stay. */
export function showCells() {
  outdateAll();
  redraw();
}

/** Show what changed, also which rows are listed. */
export function refresh() {
  outdateAll();
  recount();
  picture.draw();
  filter();
}

/** List the rows that the filters choose. */
export function filter() {
  clearTimeout(typing); // or it would take what was typed for new
  view.choose();
  picture.markLine();
  $("list").scrollTop = 0;
  activate(view.view.length ? 0 : -1);
}

function showAll() {
  view.resetFilters();
  filter();
}

/** @type {HTMLElement[]} */
const nodes = [];
const outdateAll = () => nodes.forEach((node) => (node.dataset.state = ""));
let height = 0;

function nodeOfRow() {
  const node = element("div", "row");
  node.setAttribute("role", "option");
  // In the order in which they are read out.
  for (const name of ["prediction", "more", "words", "cells"]) node.append(element("span", name));
  node.append(quickMarks());
  return node;
}

function draw() {
  if (!$("list").checkVisibility()) return; // nothing can be measured
  if (!height) {
    const node = nodeOfRow();
    $("canvas").append(node);
    height = node.offsetHeight;
    node.remove();
  }
  $("canvas").style.height = `${view.view.length * height}px`;
  const first = Math.max(0, Math.floor($("list").scrollTop / height) - SPARE);
  const n = Math.ceil($("list").clientHeight / height) + 2 * SPARE;
  while (nodes.length < n) {
    const node = nodeOfRow();
    nodes.push(node);
    $("canvas").append(node);
  }
  // A row always gets the same node for its position, so that scrolling only fills new rows.
  nodes.forEach((node, i) => {
    const index = first + ((((i - first) % nodes.length) + nodes.length) % nodes.length);
    node.hidden = index >= view.view.length || index >= first + n;
    if (!node.hidden) fill(node, index);
  });
  explainSoon();
}

/** @param {HTMLElement} node
 *  @param {number} index */
function fill(node, index) {
  const place = view.view[index], row = review.rows[place];
  const correction = correctionOf(row);
  const known = explainedOf(row);
  node.setAttribute("aria-selected", String(index === active));
  const state = [place, index, correction?.label, correction?.line, Boolean(known), review.threshold].join();
  if (node.dataset.state === state) return;
  node.dataset.state = state;
  node.id = `row-${index}`;
  node.dataset.index = String(index);
  node.classList.toggle("no-work", !isWork(row));
  node.setAttribute("aria-posinset", String(index + 1));
  node.setAttribute("aria-setsize", String(view.view.length));
  node.style.transform = `translateY(${index * height}px)`;
  const [prediction, more, words, cells, quick] = node.children;
  words.className = `words ${hueOf(row.label)}`;
  words.replaceChildren(...tinted(row.text, known, MAX_SHOWN));
  const n = sizeOf(place);
  if (isGrouped() && n > 1) words.prepend(element("b", "times", `${count(n)}×`), " ");
  prediction.replaceChildren(...answerOf(row));
  const [name, word, reason] = stateOf(row);
  const shown = element("span", `state ${name}`, word);
  if (reason) shown.append(element("span", "wide-only", `: ${reason}`));
  more.replaceChildren(element("span", "line", lineOf(row)), " ", shown);
  cells.textContent = cellsShown(place).map(([, cell]) => cell).join(" · ");
  for (const mark of quick.children) mark.classList.toggle("on", mark.getAttribute("data-to") === correction?.label);
}

/** Return what is shown of other columns of a row: their names and cells.
 *  @param {number} place
 *  @returns {[string, string][]} */
export function cellsShown(place) {
  const shown = [...review.cells].map(([name, cells]) => {
    const cell = cells[place];
    return /** @type {[string, string]} */ ([name, cell == null ? "" : String(cell)]);
  });
  if (!review.amounts || !isWork(review.rows[place])) return shown;
  return [[review.measure, amount(view.weightShown(place))], ...shown.filter(([name]) => name !== review.measure)];
}

/** @param {Row} row
 *  @returns {(string | HTMLElement)[]} */
export function answerOf(row) {
  if (!isWork(row)) return [];
  const label = correctionOf(row)?.label;
  const badge = (/** @type {string} */ name) => element("span", `badge ${hueOf(name)}`, name);
  const figure = element("data", "", row.rule ? "by rule" : percent(row.p));
  figure.value = String(row.p);
  if (!label || label === row.label) return [badge(row.label), " ", figure];
  return [badge(label), " ", element("span", "was soft", row.label)];
}

/** Say the answer to a row. @param {Row} row */
export function spoken(row) {
  const correction = correctionOf(row);
  const [, word, reason] = stateOf(row);
  if (correction) return `${correction.label}, ${word}`;
  if (!isWork(row)) return word;
  const said = [row.label, row.rule ? "by rule" : percent(row.p), lineOf(row), `${word} ${reason}`.trim()];
  return said.filter(Boolean).join(", ");
}

let soon = 0, explaining = false;

function explainSoon() {
  clearTimeout(soon);
  soon = setTimeout(async () => {
    if (explaining) return;
    const shown = nodes.filter((node) => !node.hidden).map((node) => review.rows[view.view[Number(node.dataset.index)]]);
    const texts = shown.filter((row) => row && isWork(row)).map(({ text }) => text)
      .filter((text) => text.trim() && !explained.has(text)).slice(0, MAX_EXPLAINED);
    if (!texts.length) return;
    explaining = true;
    // Tints are optional: do not show an error if they cannot be fetched.
    const done = await explain(texts).then(() => true, () => false);
    explaining = false;
    if (done && texts.some((text) => explained.has(text))) redraw();
  }, 60);
}

function redraw() {
  draw();
  detail(selected());
}

/** Select a row and scroll it into view. @param {number} index */
export function activate(index) {
  active = index;
  const list = $("list");
  if (index >= 0 && height) {
    const top = index * height;
    if (top < list.scrollTop) list.scrollTop = top;
    if (top + height > list.scrollTop + list.clientHeight) list.scrollTop = top + height - list.clientHeight;
  }
  redraw();
  if (index >= 0) list.setAttribute("aria-activedescendant", `row-${index}`);
  else list.removeAttribute("aria-activedescendant");
}

/** Select the next row to review, wrapping around at the end. */
export function nextToReview() {
  const { length } = view.view;
  for (let step = 1; step <= length; step++) {
    const index = (active + step) % length;
    if (isToReview(review.rows[view.view[index]])) {
      activate(index);
      return;
    }
  }
  setStatus("Nothing left to review.");
}

$("filter").addEventListener("change", filter);
$("order").addEventListener("change", filter);
$("grouped").addEventListener("change", () => (outdateAll(), filter()));
$("show-all").addEventListener("click", () => (showAll(), $("list").focus()));
$("find").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(filter, 120);
});

let drawing = 0;
$("list").addEventListener("scroll", () => {
  drawing ||= requestAnimationFrame(() => {
    drawing = 0;
    draw();
  });
});

new ResizeObserver(() => {
  height = 0;
  outdateAll();
  draw();
}).observe($("list"));
