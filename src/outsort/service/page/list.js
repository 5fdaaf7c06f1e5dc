// The rows of a review: the list, and the details of the selected one.
//
// Texts are inserted as text nodes, never as markup. The list is virtualised: only the visible rows are in the
// document, and their explanations are fetched when they become visible.

import { $, count, element, lineName, percent, setStatus } from "./dom.js";
import { hueOf, isListed, labels, quickButtons } from "./labels.js";
import { Review } from "./review.js";
import { MAX_EXPLAINED, explain, explained, info } from "./service.js";

/** Least log-odds of a reason for a weak, medium and strong tint. */
const TINTED_FROM = [0, 0.5, 1.5];
/** A clause counts little if its share is less than this part of the greatest. */
const LITTLE = 0.25;
/** Limit of characters per text in the list. */
const MAX_SHOWN = 300;
/** Extra rows in the document above and below the visible ones. */
const SPARE = 6;

export let review = new Review({}); // what is shown
let view = []; // indices in its rows of the rows in the list
let active = -1; // index in `view` of the selected row
let typing = 0; // the timer that filters once nothing more is typed

/** Show another review, or the same one with other rows. */
export function present(shown) {
  review = shown;
  nodes.forEach(outdate);
  showAll();
}

/** Return the index in the rows of the selected one; undefined if there is none. */
export const selected = () => view[active];

/** Select a row, also one that the filter hides. */
export function select(row) {
  if (!view.includes(row)) showAll();
  activate(view.indexOf(row));
}

/** Select the row that many steps down the list, or the last or first. */
export const move = (steps) => activate(Math.min(view.length - 1, Math.max(0, active + steps)));

/** Return how many rows fit in the list. */
export const pageSize = () => Math.max(1, Math.floor($("list").clientHeight / height) - 1);

/** Show what changed in the review. */
export function update() {
  redraw();
  tally();
}

const KINDS = {
  all: () => true,
  review: (row) => row.decision === "review" && !correctionOf(row),
  corrected: (row) => Boolean(correctionOf(row)),
};

export const correctionOf = (row) => review.corrections.get(row.text);

/** Count the rows of each kind, and those of each label, as the model answers. */
export function counts() {
  const kinds = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, 0]));
  const answers = new Map(labels.map(({ label }) => [label, 0]));
  for (const row of review.rows) {
    for (const kind in KINDS) if (KINDS[kind](row)) kinds[kind]++;
    answers.set(row.label, answers.get(row.label) + 1);
  }
  return { kinds, answers };
}

/** Select the rows for the list; a row that is corrected stays until the next call. */
function applyFilter() {
  clearTimeout(typing); // or it would take what was typed for new
  const { value, dataset } = document.querySelector("[name=show]:checked");
  const kind = KINDS[value] ?? KINDS.all, label = dataset.label ?? $("show-label").value;
  const wanted = $("find").value.trim().toLowerCase();
  view = [];
  review.rows.forEach((row, i) => {
    if (kind(row) && (!label || row.label === label) && (!wanted || row.text.toLowerCase().includes(wanted))) view.push(i);
  });
  $("empty").hidden = view.length > 0;
  $("list").scrollTop = 0;
  activate(view.length ? 0 : -1);
}

/** Show all rows in the list. */
function showAll() {
  document.querySelector("[name=show][value=all]").checked = true;
  $("show-label").value = $("find").value = "";
  applyFilter();
}

const nodes = [];
const outdate = (node) => (node.dataset.state = "");
let height = 0;

function nodeOfRow() {
  const node = element("div", "row");
  node.setAttribute("role", "option");
  node.append(element("span", "words"), element("span", "prediction"), element("span", "more"), quickButtons());
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
  $("canvas").style.height = `${view.length * height}px`;
  const first = Math.max(0, Math.floor($("list").scrollTop / height) - SPARE);
  const n = Math.ceil($("list").clientHeight / height) + 2 * SPARE;
  while (nodes.length < n) {
    nodes.push(nodeOfRow());
    $("canvas").append(nodes.at(-1));
  }
  // A row always gets the same node for its position, so that scrolling only fills new rows.
  nodes.forEach((node, i) => {
    const index = first + ((((i - first) % nodes.length) + nodes.length) % nodes.length);
    node.hidden = index >= view.length || index >= first + n;
    if (!node.hidden) fill(node, index);
  });
  explainSoon();
}

function fill(node, index) {
  const row = review.rows[view[index]];
  const correction = correctionOf(row);
  const known = explained.get(row.text);
  node.setAttribute("aria-selected", index === active);
  const state = [view[index], index, correction?.label, correction?.line, Boolean(known)].join();
  if (node.dataset.state === state) return;
  node.dataset.state = state;
  node.id = `row-${index}`;
  node.dataset.index = index;
  node.setAttribute("aria-posinset", index + 1);
  node.setAttribute("aria-setsize", view.length);
  node.setAttribute("aria-label", `${spoken(row)}. ${row.text.slice(0, MAX_SHOWN) || "empty"}`);
  node.style.transform = `translateY(${index * height}px)`;
  const [words, prediction, more, quick] = node.children;
  words.className = `words ${hueOf(row.label)}`;
  words.replaceChildren(...tinted(row.text, known, MAX_SHOWN));
  prediction.replaceChildren(...answerOf(row));
  const [name, word, reason] = stateOf(row);
  const shown = element("span", `state ${name}`, word);
  if (reason) shown.append(element("span", "wide-only", `: ${reason}`));
  more.replaceChildren(element("span", "line", lineOf(row)), shown);
  for (const button of quick.children) button.classList.toggle("on", button.value === correction?.label);
}

function answerOf(row) {
  const label = correctionOf(row)?.label;
  const badge = (name) => element("span", `badge ${hueOf(name)}`, name);
  const figure = element("data", "", percent(row.p));
  figure.value = row.p;
  if (!label || label === row.label) return [badge(row.label), figure];
  return [badge(label), element("span", "was soft", row.label)];
}

/** Return the state of a row: CSS class, text, and the reason for review. */
function stateOf(row) {
  const correction = correctionOf(row);
  if (correction) return ["corrected", correction.label === row.label ? "confirmed" : "corrected", ""];
  return row.decision === "review" ? ["review", "review", row.reason] : ["accept", "accepted", ""];
}

/** Name the service line of a row; nothing where the model knows none. */
function lineOf(row) {
  if (!Object.values(info.service_lines).some((lines) => lines.length)) return "";
  const correction = correctionOf(row);
  return correction ? lineName(correction.line, "no line chosen") : lineName(row.line);
}

export function spoken(row) {
  const correction = correctionOf(row);
  const [, word, reason] = stateOf(row);
  if (correction) return `${correction.label}, ${word}`;
  const said = [row.label, percent(row.p), lineOf(row), `${word} ${reason}`.trim()];
  return said.filter(Boolean).join(", ");
}

/** Split a text into nodes by its clauses. Positions are in code points, as in Python. */
function tinted(text, known, limit = Infinity) {
  if (!text.trim()) return [element("i", "soft", "empty")];
  if (!known) return [text.length > limit ? `${text.slice(0, limit)}…` : text];
  const characters = Array.from(limit < Infinity ? text.slice(0, 2 * limit) : text);
  const end = Math.min(characters.length, limit);
  const words = known.words.values(), least = leastShare(known);
  const parts = [];
  let at = 0, word = words.next().value;
  for (const clause of known.clauses) {
    if (clause.start >= end) break;
    const inside = [];
    for (; word && word.start < clause.end; word = words.next().value) inside.push(word);
    const to = Math.min(clause.end, end), part = element("span", clause.share < least ? "little" : "");
    if (known.clauses.length > 1) part.title = `counts ${percent(clause.share)}`;
    part.append(...tintedWords(characters, clause.start, to, inside));
    parts.push(characters.slice(at, clause.start).join(""), part);
    at = to;
  }
  parts.push(characters.slice(at, end).join("") + (end < characters.length ? "…" : ""));
  return parts;
}

/** Split a part of a text into nodes, with words tinted by their log-odds. */
function tintedWords(characters, start, end, words) {
  const parts = [];
  let at = start;
  for (const word of words) {
    const strength = TINTED_FROM.filter((least) => Math.abs(word.log_odds) >= least).length;
    if (word.start < at || word.end > end || !word.is_reason) continue;
    const name = `t ${word.log_odds > 0 ? "for" : "against"} s${strength}`;
    parts.push(characters.slice(at, word.start).join(""));
    parts.push(element("span", name, characters.slice(word.start, word.end).join("")));
    at = word.end;
  }
  return [...parts, characters.slice(at, end).join("")];
}

const leastShare = ({ clauses }) => LITTLE * Math.max(...clauses.map(({ share }) => share));

let soon = 0, explaining = false;

function explainSoon() {
  clearTimeout(soon);
  soon = setTimeout(async () => {
    if (explaining) return;
    const shown = nodes.filter((node) => !node.hidden).map((node) => review.rows[view[node.dataset.index]]?.text);
    const texts = shown.filter((text) => text?.trim() && !explained.has(text)).slice(0, MAX_EXPLAINED);
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
  detail();
}

/** Select a row and scroll it into view. */
export function activate(index) {
  active = index;
  const list = $("list");
  if (index >= 0 && height) {
    const top = index * height;
    if (top < list.scrollTop) list.scrollTop = top;
    if (top + height > list.scrollTop + list.clientHeight) list.scrollTop = top + height - list.clientHeight;
  }
  redraw();
  tally();
  if (index >= 0) list.setAttribute("aria-activedescendant", `row-${index}`);
  else list.removeAttribute("aria-activedescendant");
}

function tally() {
  const { kinds, answers } = counts();
  for (const input of document.querySelectorAll("[name=show]")) {
    const { label } = input.dataset;
    input.nextElementSibling.querySelector("b").textContent = count(label ? answers.get(label) : kinds[input.value]);
  }
  labels.forEach(({ label }, i) => {
    $("bar").children[i].style.flexGrow = answers.get(label);
    $("bar").children[i].hidden = !answers.get(label);
    if (isListed()) $("show-label").options[i + 1].text = `${label} (${count(answers.get(label))})`;
  });
  $("corrected").textContent = count(review.corrections.size);
  $("save").disabled = review.corrections.size === 0;
  $("undo").disabled = review.decisions.length === 0;
}

// --- the details -----------------------------------------------------------------------------------

function detail() {
  const row = review.rows[view[active]];
  $("detail").hidden = !row;
  if (!row) return;
  const known = explained.get(row.text);
  const correction = correctionOf(row);
  const label = correction?.label ?? row.label;
  $("answer").replaceChildren(...answerOf(row), element("span", "", lineOf(row)));
  const [name, word, reason] = stateOf(row);
  $("answer").append(element("span", `state ${name}`, reason ? `to ${word}: ${reason}` : word));
  $("full").className = `words ${hueOf(row.label)}`;
  $("full").replaceChildren(...tinted(row.text, known));
  showLegend(row, known);
  for (const button of $("decide").querySelectorAll("button[value]")) {
    button.setAttribute("aria-pressed", button.value === correction?.label);
  }
  $("decide-label").value = correction?.label ?? "";
  fillLines(label, known, correction);
  const facts = [];
  if (row.next.length) facts.push(["Next labels", row.next.map(([name, p]) => `${name} ${percent(p)}`).join(", ")]);
  if (known) {
    facts.push([`Terms for ${row.label}`, known.for.map((item) => item.term).join(", ") || "none"]);
    facts.push([`Terms against ${row.label}`, known.against.map((item) => item.term).join(", ") || "none"]);
  }
  $("why").replaceChildren(...facts.flatMap(([term, fact]) => [element("dt", "", term), element("dd", "", fact)]));
}

/** Say what the tints of the text mean: the words speak of the model's answer, also where it is corrected. */
function showLegend(row, known) {
  $("legend").hidden = !known;
  $("legend").className = `small soft ${hueOf(row.label)}`;
  $("for").textContent = `for ${row.label}`;
  $("against").textContent = `against ${row.label}`;
  $("little").hidden = !known?.clauses.some(({ share }) => share < leastShare(known));
}

/** List the service lines of a label, the most probable ones first. */
function fillLines(label, known, correction) {
  const lines = info.service_lines[label] ?? [];
  $("of-line").hidden = !correction || !lines.length;
  if ($("of-line").hidden) return;
  const likely = (known?.service_lines ?? []).map((item) => item.service_line).filter((l) => lines.includes(l));
  const options = [...likely, ...lines.filter((line) => !likely.includes(line))];
  $("line").replaceChildren(new Option("not chosen", ""), ...options.map((line) => new Option(lineName(line), line)));
  $("line").value = correction.line;
}

/** Select the next row to review, wrapping around at the end. */
export function nextToReview() {
  for (let step = 1; step <= view.length; step++) {
    const index = (active + step) % view.length;
    if (KINDS.review(review.rows[view[index]])) return activate(index);
  }
  setStatus("Nothing left to review.");
}

$("filter").addEventListener("change", applyFilter);
$("find").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(applyFilter, 120);
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
  nodes.forEach(outdate);
  draw();
}).observe($("list"));
