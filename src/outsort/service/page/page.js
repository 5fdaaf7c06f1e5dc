// The page of the service: classify texts, review and correct the answers, download the results.
//
// Texts are inserted as text nodes, never as markup. The list is virtualised: only the visible rows are in the
// document, and their explanations are fetched when they become visible.

import { $, count, element, lineName, percent, plural, setStatus, showError, when } from "./dom.js";
import { Review, decision, sameContent } from "./review.js";
import { MAX_ROWS, describe, explain, explained, info, read, score } from "./service.js";
import * as store from "./store.js";

const narrow = window.matchMedia("(max-width: 52rem)");

/** Least log-odds of a word for a weak, medium and strong tint. */
const TINTED_FROM = [0.1, 0.5, 1.5];
/** Limits of characters per text in the list, texts explained per request. */
const MAX_SHOWN = 300, MAX_EXPLAINED = 60;
/** Extra rows in the document above and below the visible ones. */
const SPARE = 6;

const reviews = new Map(); // id -> a review that is kept, or was opened in this tab
let review = new Review({}); // the current one
let view = []; // indices in its rows of the rows in the list
let active = -1; // index in `view` of the selected row
let run = 0; // number of the current run; responses to earlier runs are ignored

// --- sorting ---------------------------------------------------------------------------------------

/** Sort a file; where the same content was sorted before, go on with its review. */
async function take(file, { pasted = false, column = null } = {}) {
  const current = ++run;
  try {
    await loaded;
    await describe();
    if (file.size > info.limits.file) {
      throw new Error(`${file.name} is larger than ${count(info.limits.file)} bytes. Sort it in parts.`);
    }
    // A copy: another program may change or move the file while it is under review.
    const content = new File([await file.arrayBuffer()], file.name);
    let found = new Review({ file: content, column, pasted });
    for (const known of reviews.values()) {
      if (known.column === column && (await sameContent(known.file, content))) found = known;
    }
    if (current !== run) return;
    found.file = content;
    if (await sort(found)) keep(found);
  } catch (error) {
    if (current === run) showError(error.message);
  }
}

/** Score the file of a review and show it; return whether that was done. */
async function sort(sorted) {
  const current = ++run;
  $("alert").hidden = $("columns").hidden = true;
  try {
    setStatus(`Sorting ${sorted.pasted ? "the texts" : sorted.file.name} …`, true);
    const rows = await read(await score(sorted, "jsonl"));
    if (current !== run) return;
    sorted.rows = rows;
    show(sorted);
    return true;
  } catch (error) {
    if (current !== run) return;
    setStatus("");
    if (error.columns?.length) chooseColumn(sorted.file, error.columns);
    else showError(error.message);
  }
  return false;
}

function chooseColumn(file, columns) {
  document.querySelector("[for=column]").textContent = `Which column of ${file.name} contains the texts?`;
  $("column").replaceChildren(...columns.map((name) => new Option(name, name)));
  $("columns").hidden = false;
  $("column").focus();
  $("columns").onsubmit = (event) => {
    event.preventDefault();
    take(file, { column: $("column").value });
  };
}

function show(shown) {
  if (review !== shown) review.rows = []; // sorted again if it is opened again
  review = shown;
  reviews.set(review.id, review);
  if (history.state !== review.id) history.pushState(review.id, "");
  $("ask").hidden = true;
  $("results").hidden = $("again").hidden = false;
  $("source").textContent = review.title;
  $("reviewer").value = review.reviewer || $("reviewer").value;
  showAll();
  const model = review.model && review.model !== info.model ? "The model has changed since it was first sorted." : "";
  const limit = review.rows.length === MAX_ROWS ? `The first ${count(MAX_ROWS)} rows are shown; the download has all.` : "";
  setStatus(`${plural(review.rows.length, "text")} sorted, ${count(counts().review)} to review. ${model} ${limit}`);
  review.model ??= info.model;
  showKeeping();
  $("list").focus({ preventScroll: true });
}

// --- the list --------------------------------------------------------------------------------------

const KINDS = {
  all: () => true,
  review: (row) => row.decision === "review" && !correctionOf(row),
  BPO: (row) => row.label === "BPO",
  KPO: (row) => row.label === "KPO",
  corrected: (row) => Boolean(correctionOf(row)),
};

const correctionOf = (row) => review.corrections.get(row.text);

function counts() {
  const found = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, 0]));
  for (const row of review.rows) for (const kind in KINDS) if (KINDS[kind](row)) found[kind]++;
  return found;
}

/** Select the rows for the list; a row that is corrected stays until the next call. */
function applyFilter() {
  const kind = KINDS[document.querySelector("[name=show]:checked").value];
  const wanted = $("find").value.trim().toLowerCase();
  view = [];
  review.rows.forEach((row, i) => {
    if (kind(row) && (!wanted || row.text.toLowerCase().includes(wanted))) view.push(i);
  });
  $("empty").hidden = view.length > 0;
  $("list").scrollTop = 0;
  activate(view.length ? 0 : -1);
}

/** Show all rows in the list. */
function showAll() {
  document.querySelector("[name=show][value=all]").checked = true;
  $("find").value = "";
  applyFilter();
}

const nodes = [];
let height = 0;

function nodeOfRow() {
  const node = element("div", "row");
  node.setAttribute("role", "option");
  const quick = element("span", "quick");
  quick.setAttribute("aria-hidden", "true"); // mouse shortcuts; the same is possible by keyboard and in the details
  for (const [label, shown] of [["BPO", "B"], ["KPO", "K"], ["NEITHER", "N"]]) {
    const button = element("button", "", shown);
    button.type = "button";
    button.tabIndex = -1;
    button.value = label;
    button.title = label === "NEITHER" ? "Neither" : label;
    quick.append(button);
  }
  node.append(element("span", "words"), element("span", "prediction"), element("span", "more"), quick);
  return node;
}

function draw() {
  if ($("results").hidden) return; // nothing can be measured
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
  const state = [run, view[index], index, correction?.label, correction?.line, Boolean(known)].join();
  if (node.dataset.state === state) return;
  node.dataset.state = state;
  node.id = `row-${index}`;
  node.dataset.index = index;
  node.setAttribute("aria-posinset", index + 1);
  node.setAttribute("aria-setsize", view.length);
  node.setAttribute("aria-label", `${spoken(row)}. ${row.text.slice(0, MAX_SHOWN) || "empty"}`);
  node.style.transform = `translateY(${index * height}px)`;
  const [words, prediction, more, quick] = node.children;
  words.replaceChildren(...tinted(row.text, known?.words, MAX_SHOWN));
  prediction.replaceChildren(...answerOf(row));
  const [name, word, reason] = stateOf(row);
  const shown = element("span", `state ${name}`, word);
  if (reason) shown.append(element("span", "wide-only", `: ${reason}`));
  more.replaceChildren(element("span", "line", lineOf(row)), shown);
  for (const button of quick.children) button.classList.toggle("on", button.value === correction?.label);
}

function answerOf(row) {
  const label = correctionOf(row)?.label;
  const badge = (name) => element("span", `badge ${name.toLowerCase()}`, name === "NEITHER" ? "Neither" : name);
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

function lineOf(row) {
  const correction = correctionOf(row);
  return correction ? lineName(correction.line, "no line chosen") : lineName(row.line);
}

function spoken(row) {
  const correction = correctionOf(row);
  const [, word, reason] = stateOf(row);
  if (correction) return `${correction.label}, ${word}`;
  return `${row.label}, ${percent(row.p)}, ${lineName(row.line)}, ${word} ${reason}`.trim();
}

/** Split a text into nodes, with words tinted by their log-odds. Positions are in code points, as in Python. */
function tinted(text, words, limit = Infinity) {
  if (!text.trim()) return [element("i", "soft", "empty")];
  if (!words) return [text.length > limit ? `${text.slice(0, limit)}…` : text];
  const characters = Array.from(limit < Infinity ? text.slice(0, 2 * limit) : text);
  const end = Math.min(characters.length, limit);
  const parts = [];
  let at = 0;
  for (const word of words) {
    const strength = TINTED_FROM.filter((least) => Math.abs(word.log_odds) >= least).length;
    if (word.start < at || word.end > end || !strength) continue;
    if (word.start > at) parts.push(characters.slice(at, word.start).join(""));
    const name = `t ${word.log_odds > 0 ? "kpo" : "bpo"} s${strength}`;
    parts.push(element("span", name, characters.slice(word.start, word.end).join("")));
    at = word.end;
  }
  parts.push(characters.slice(at, end).join("") + (end < characters.length ? "…" : ""));
  return parts;
}

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
function activate(index) {
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
  const found = counts();
  for (const input of document.querySelectorAll("[name=show]")) {
    input.nextElementSibling.querySelector("b").textContent = count(found[input.value]);
  }
  $("corrected").textContent = count(review.corrections.size);
  $("save").disabled = review.corrections.size === 0;
  $("undo").disabled = review.decisions.length === 0;
  for (const label of ["BPO", "KPO"]) {
    document.querySelector(`.bar .${label.toLowerCase()}`).style.flexGrow = found[label];
  }
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
  $("full").replaceChildren(...tinted(row.text, known?.words));
  for (const button of $("decide").querySelectorAll("[value]")) {
    button.setAttribute("aria-pressed", button.value === correction?.label);
  }
  fillLines(label, known, correction);
  const facts = [];
  if (row.neither != null) facts.push(["Probability of neither", percent(row.neither)]);
  if (known) {
    const other = row.label === "BPO" ? "KPO" : "BPO";
    facts.push([`Terms for ${row.label}`, known.for.map((item) => item.term).join(", ") || "none"]);
    facts.push([`Terms for ${other}`, known.against.map((item) => item.term).join(", ") || "none"]);
  }
  $("why").replaceChildren(...facts.flatMap(([term, fact]) => [element("dt", "", term), element("dd", "", fact)]));
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

/** Correct the text of the selected row; an empty label takes its correction away. */
function correct(label, line = null) {
  const row = review.rows[view[active]];
  if (!row) return;
  if (row.text.length > info.limits.characters || !row.text.trim()) {
    setStatus("This text cannot be corrected: it is empty or too long.");
    return;
  }
  note(decision(view[active], row.text, label, line ?? (label === row.label ? row.line : "")));
  setStatus(`${label ? spoken(row) : "Correction removed"}. ${plural(review.corrections.size, "correction")}.`);
}

/** Correct to a label, or take the correction away if it is that label already. */
function toggle(label) {
  correct(correctionOf(review.rows[view[active]])?.label === label ? "" : label);
}

/** Take the last decision back, and go to its row. */
function undo() {
  const last = review.decisions.at(-1);
  if (!last) {
    setStatus("Nothing to undo.");
    return;
  }
  note({ undoes: last.id });
  if (!view.includes(last.row)) showAll();
  activate(view.indexOf(last.row));
  setStatus(`Undone: ${spoken(review.rows[last.row])}. ${plural(review.corrections.size, "correction")}.`);
}

/** Add an entry to the log of the review, and keep it. */
function note(entry) {
  review.add(entry);
  if (review.isKept) store.append(review.id, entry).catch(notKept(review));
  redraw();
  tally();
}

/** Select the next row to review, wrapping around at the end. */
function nextToReview() {
  for (let step = 1; step <= view.length; step++) {
    const index = (active + step) % view.length;
    if (KINDS.review(review.rows[view[index]])) return activate(index);
  }
  setStatus("Nothing left to review.");
}

function open(is) {
  document.body.classList.toggle("open", is);
  if (is) $("detail").focus({ preventScroll: true });
  else $("list").focus({ preventScroll: true });
}

// --- downloads -----------------------------------------------------------------------------------

/** Download what `make` makes of a review: the content, and the name of the file. */
async function download(make) {
  const from = review, { decisions } = review;
  $("alert").hidden = true;
  try {
    const [blob, name] = await make(from, $("reviewer").value.trim());
    const link = element("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    if (from.decisions === decisions) from.hasUnsaved = false;
    setStatus(`${name} downloaded.`);
  } catch (error) {
    setStatus("");
    showError(error.message);
  }
}

/** The file, with the answers and the corrections. */
async function scoredFile(from, reviewer) {
  setStatus("Preparing the file …", true);
  const corrections = from.corrected().map(({ rows, label, line, at }) => {
    return { rows, label, service_line: line, reviewer, decided_at: at };
  });
  const response = await score(from, $("format").value || (from.pasted ? "csv" : ""), corrections);
  const name = /filename\*=utf-8''(\S+)/.exec(response.headers.get("content-disposition"))[1];
  return [await response.blob(), decodeURIComponent(name)];
}

/** The corrections alone, for `outsort merge`, which matches rows by the key and by the unchanged text. */
async function correctionsFile(from, reviewer) {
  const corrections = from.corrected();
  const texts = corrections.map(({ text }) => text);
  for (let i = 0; i < texts.length; i += MAX_EXPLAINED) await explain(texts.slice(i, i + MAX_EXPLAINED));
  const cells = [["key", "text", "model_label", "label", "service_line", "reviewer", "decided_at"]];
  for (const { text, modelLabel, label, line, at } of corrections) {
    cells.push([explained.get(text).key, text, modelLabel, label, line, reviewer, at]);
  }
  const csv = cells.map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
  return [new Blob([csv], { type: "text/csv" }), "corrections.csv"];
}

const quoted = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

// --- what the browser keeps ------------------------------------------------------------------------

/** Read what is kept. If the browser keeps nothing, `keep` will say so. */
const loaded = store.all().then(
  (kept) => kept.forEach(([record, log]) => reviews.set(record.id, new Review(record, log))),
  () => {},
);

function keep(kept) {
  store.put(kept.record).catch(notKept(kept));
}

let hasWarned = false;

/** Return what to do when a review cannot be kept: say it once, and ask before the page is closed. */
function notKept(lost) {
  return () => {
    lost.isKept = false;
    showKeeping();
    if (hasWarned) return;
    hasWarned = true;
    showError("This browser does not keep the file and its corrections. Download them before you close the page.");
  };
}

function showKeeping() {
  $("keeping").textContent = review.isKept ? "File and corrections are kept in this browser." : "Not kept in this browser.";
}

function forget(unwanted) {
  const n = unwanted.corrections.size;
  if (n && !confirm(`Forget ${unwanted.title} and its ${plural(n, "correction")}? This cannot be undone.`)) return;
  store.forget(unwanted.id).catch(() => {}); // it was not kept
  drop(unwanted.id);
}

/** Take a review that is no longer kept off the page. */
function drop(id) {
  const isOpen = review.id === id;
  reviews.delete(id);
  listKept();
  if (!isOpen) return;
  review = new Review({});
  history.replaceState(null, "");
  start();
}

/** Take up what another tab did to a review. */
store.onChange(async (id) => {
  const [record, log] = await store.one(id);
  if (!record) {
    drop(id);
    return;
  }
  if (reviews.has(id)) reviews.get(id).replay(log);
  else reviews.set(id, new Review(record, log));
  listKept();
  redraw();
  tally();
});

function listKept() {
  const latest = [...reviews.values()].sort((a, b) => (a.at < b.at ? 1 : -1));
  $("kept").hidden = latest.length === 0;
  $("kept").querySelector("ul").replaceChildren(...latest.map(itemOf));
}

function itemOf(kept) {
  const item = element("li", "together");
  const facts = [plural(kept.corrections.size, "correction"), when(kept.at)];
  if (!kept.isKept) facts.push("until this page is closed");
  const [opens, forgets] = [kept.title, "Forget"].map((name) => element("button", "quiet", name));
  opens.type = forgets.type = "button";
  opens.addEventListener("click", () => reopen(kept));
  forgets.addEventListener("click", () => forget(kept));
  forgets.setAttribute("aria-label", `Forget ${kept.title}`);
  item.append(opens, element("span", "soft small", facts.join(", ")), forgets);
  return item;
}

// --- start and results ----------------------------------------------------------------------------

function reopen(kept) {
  if (kept === review && review.rows.length) show(kept);
  else sort(kept);
}

function start() {
  run++;
  $("results").hidden = $("again").hidden = $("columns").hidden = $("alert").hidden = true;
  $("ask").hidden = false;
  document.body.classList.remove("open");
  listKept();
  setStatus("");
  $("texts").focus();
}

/** Show what the history says, which outlives a reload: the review of an id, or the start. */
function route() {
  const kept = reviews.get(history.state);
  if (kept) reopen(kept);
  else start();
}

// --- events ----------------------------------------------------------------------------

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const box = $("texts").value;
  const texts = $("single").checked ? [box.trim()] : box.split(/\r?\n/);
  const lines = texts.filter((text) => text.trim()).map((text) => JSON.stringify({ text: text.toWellFormed() }));
  if (!lines.length) {
    setStatus("Type or paste a text first.");
    $("texts").focus();
    return;
  }
  take(new File([lines.join("\n")], "texts.jsonl"), { pasted: true });
});

$("texts").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("ask").requestSubmit();
});

$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  $("file").value = "";
  if (file) take(file);
});

for (const name of ["dragover", "dragleave", "drop"]) {
  window.addEventListener(name, (event) => {
    if (name !== "dragleave" && event.dataTransfer?.types.includes("Files")) event.preventDefault();
    document.body.classList.toggle("dragging", name === "dragover" && event.dataTransfer.types.includes("Files"));
  });
}

window.addEventListener("drop", (event) => {
  const [file, ...others] = event.dataTransfer?.files ?? [];
  if (others.length) showError("One file at a time, please.");
  else if (file) take(file);
});

$("again").addEventListener("click", () => {
  history.pushState(null, "");
  start();
});
window.addEventListener("popstate", route);
$("forget").addEventListener("click", () => forget(review));

$("filter").addEventListener("change", applyFilter);
let typing = 0;
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
  for (const node of nodes) node.dataset.state = "";
  draw();
}).observe($("list"));

$("list").addEventListener("click", (event) => {
  const node = event.target.closest(".row");
  if (!node) return;
  activate(Number(node.dataset.index));
  const label = event.target.closest("button")?.value;
  if (label) toggle(label);
  else if (narrow.matches) open(true);
});

const LABELS = { b: "BPO", k: "KPO", n: "NEITHER" };

$("list").addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || active < 0) return;
  const page = Math.max(1, Math.floor($("list").clientHeight / height) - 1);
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -active, End: view.length };
  const move = (step) => activate(Math.min(view.length - 1, Math.max(0, active + step)));
  if (event.key in steps) move(steps[event.key]);
  else if (event.key.toLowerCase() in LABELS) {
    correct(LABELS[event.key.toLowerCase()]);
    move(1);
  } else if (event.key === "Enter") open(true);
  else return;
  event.preventDefault();
});

window.addEventListener("keydown", (event) => {
  if ($("results").hidden || event.altKey || event.target.closest("input:not([type=radio]), select, textarea")) return;
  const key = event.key.toLowerCase();
  const isUndo = event.ctrlKey || event.metaKey ? key === "z" && !event.shiftKey : key === "u" || key === "backspace";
  if (!isUndo) return;
  event.preventDefault();
  if (!event.repeat) undo();
});

$("detail").addEventListener("keydown", (event) => {
  if (event.key === "Escape") open(false);
});
$("close").addEventListener("click", () => open(false));
$("next").addEventListener("click", nextToReview);
$("decide").addEventListener("click", (event) => {
  const label = event.target.closest("[value]")?.value;
  if (label) toggle(label);
});
$("undo").addEventListener("click", undo);
$("line").addEventListener("change", () => correct(correctionOf(review.rows[view[active]]).label, $("line").value));
$("reviewer").addEventListener("change", () => note({ reviewer: $("reviewer").value.trim() }));
$("save").addEventListener("click", () => download(correctionsFile));
$("download").addEventListener("click", async () => {
  $("download").disabled = true;
  await download(scoredFile);
  $("download").disabled = false;
});
window.addEventListener("beforeunload", (event) => {
  const isLost = [...reviews.values()].some((kept) => !kept.isKept && kept.hasUnsaved);
  if (isLost || store.isWriting()) event.preventDefault();
});

await loaded;
listKept();
await describe();
$("model").textContent = `Model ${info.model}, trained on ${count(info.data.rows ?? 0)} rows, outsort ${info.outsort}`;
if (history.state && run === 0) route();
