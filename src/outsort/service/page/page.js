// The page of the service: classify texts, review and correct the answers, download the results.

import * as article from "./article.js";
import { $, count, element, plural, setStatus, showError, when } from "./dom.js";
import { correctionsFile, download, scoredFile } from "./downloads.js";
import { build, labelOfKey } from "./labels.js";
import * as list from "./list.js";
import { Review, sameContent } from "./review.js";
import { MAX_ROWS, describe, info, isDocument, read, score } from "./service.js";
import * as store from "./store.js";

/** Characters shown of a cell to choose a column by. */
const SHOWN = 40;
const narrow = window.matchMedia("(max-width: 52rem)");
const now = () => new Date().toISOString();

const reviews = new Map(); // id -> a review that is kept, or was opened in this tab
let run = 0; // number of the current run; responses to earlier runs are ignored

let preparing = null;

/** Learn what the model is, once, and build the page for its labels. */
function prepare() {
  preparing ??= describe().then(build).catch((error) => {
    preparing = null;
    throw error;
  });
  return preparing;
}

// --- sorting ---------------------------------------------------------------------------------------

/** Sort a file; where the same content was sorted before, go on with its review. */
async function take(file, { pasted = false, column = null, sheet = "" } = {}) {
  const current = ++run;
  try {
    await loaded;
    await prepare();
    if (file.size > info.limits.file) {
      throw new Error(`${file.name} is larger than ${count(info.limits.file)} bytes. Sort it in parts.`);
    }
    // A copy: another program may change or move the file while it is under review.
    const content = new File([await file.arrayBuffer()], file.name);
    let found = new Review({ file: content, column, sheet, pasted });
    for (const known of reviews.values()) {
      if (known.column === column && known.sheet === sheet && (await sameContent(known.file, content))) found = known;
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
    await prepare();
    setStatus(`Sorting ${sorted.pasted ? "the texts" : sorted.file.name} …`, true);
    const table = (isDocument(sorted.file) && (await readDocument(sorted))) || (await read(await score(sorted, "jsonl")));
    if (current !== run) return;
    Object.assign(sorted, { article: null, redraw: null }, table);
    show(sorted);
    return true;
  } catch (error) {
    if (current !== run) return;
    setStatus("");
    if (error.columns?.length) chooseColumn(sorted, error.columns, error.samples ?? []);
    else showError(error.message);
  }
  return false;
}

/** Return a document as it is shown; null for a table in plain text. */
async function readDocument(sorted) {
  try {
    return await article.readDocument(await score(sorted, "report"));
  } catch (error) {
    if (error.status === 415) return null;
    throw error;
  }
}

function chooseColumn({ file, sheet }, columns, samples) {
  document.querySelector("[for=column]").textContent = `Which column of ${file.name} contains the texts?`;
  $("column").replaceChildren(...columns.map((name, i) => optionOf({ name, cells: samples[i] ?? [] })));
  $("columns").hidden = false;
  $("column").focus();
  $("columns").onsubmit = (event) => {
    event.preventDefault();
    take(file, { column: $("column").value, sheet });
  };
}

/** Return the option of a column, with some of its cells. */
function optionOf({ name, cells }) {
  const shown = cells.map((cell) => (cell.length > SHOWN ? `${cell.slice(0, SHOWN - 1)}…` : cell));
  return new Option([name, shown.join("; ")].filter(Boolean).join(": "), name);
}

/** Show the text column and the sheet of a review, to be changed. */
function showReading({ pasted, file, columns, texts, column, sheet }) {
  $("reading").hidden = pasted || !texts.length;
  if ($("reading").hidden) return;
  const options = columns.map(optionOf);
  if (texts.length > 1 || texts[0].length > 1) {
    const name = texts.map((part) => part.join(", else ")).join(" and ");
    options.unshift(new Option(name, column ?? ""));
  } else options.find((option) => option.value === texts[0][0]).selected = true;
  $("text-column").replaceChildren(...options);
  $("of-sheet").hidden = !/\.xlsx$/i.test(file.name);
  $("sheet").value = sheet;
}

/** Sort the file again by another column or sheet; the review of the first stays. */
function readAgain(chosen) {
  const { file, column, sheet } = list.review;
  take(file, { column, sheet, ...chosen });
}

function show(review) {
  if (list.review !== review) Object.assign(list.review, { rows: [], article: null }); // sorted again if opened again
  reviews.set(review.id, review);
  if (history.state !== review.id) history.pushState(review.id, "");
  $("ask").hidden = true;
  $("results").hidden = $("again").hidden = false;
  $("source").textContent = review.title;
  $("reviewer").value = review.reviewer || $("reviewer").value;
  article.present(review, correctClause);
  list.present(review);
  showKeeping();
  showReading(review);
  const n = review.rows.length;
  const said = [`${plural(n, review.article ? "clause" : "text")} sorted, ${count(list.counts().kinds.review)} to review.`];
  if (review.model && review.model !== info.model) said.push("The model has changed since it was first sorted.");
  if (n === MAX_ROWS) said.push(`The first ${count(MAX_ROWS)} rows are shown; the download has all.`);
  setStatus(said.join(" "));
  review.model ??= info.model;
  $(review.article ? "document" : "list").focus({ preventScroll: true });
}

/** Show what changed in the review. */
function update() {
  list.update();
  article.redraw();
}

// --- decisions -------------------------------------------------------------------------------------

/** Correct the text of the selected row; an empty label takes its correction away. */
function correct(label, line = null) {
  const { review } = list, place = list.selected(), row = review.rows[place];
  if (row.text.length > info.limits.characters || !row.text.trim()) {
    setStatus("This text cannot be corrected: it is empty or too long.");
    return;
  }
  if (line !== null || label !== labelOf(row)) {
    note({ row: place, text: row.text, label, line: line ?? (label === row.label ? row.line : ""), at: now() });
  }
  sayCorrected(row, label);
}

function sayCorrected(row, label) {
  setStatus(`${label ? list.spoken(row) : "Correction removed"}. ${plural(list.review.corrections.size, "correction")}.`);
}

/** Correct a clause of a document. */
function correctClause({ row, text }, label, line) {
  note({ row, text, label, line, at: now() });
  sayCorrected(list.review.rows[row], label);
}

const labelOf = (row) => list.correctionOf(row)?.label ?? "";

/** Correct to a label, or take the correction away if it is that label already. */
function toggle(label) {
  correct(label === labelOf(list.review.rows[list.selected()]) ? "" : label);
}

/** Take the last decision back, and go to its row. */
function undo() {
  const { review } = list, last = review.decisions.at(-1);
  if (!last) {
    setStatus("Nothing to undo.");
    return;
  }
  note({ undoes: last.id });
  list.select(last.row);
  setStatus(`Undone: ${list.spoken(review.rows[last.row])}. ${plural(review.corrections.size, "correction")}.`);
}

/** Add an entry to the log of the review, and keep it. */
function note(entry) {
  const { review } = list, added = review.add(entry);
  if (review.isKept) store.append(review.id, added).catch(notKept(review));
  update();
}

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
  $("keeping").textContent = list.review.isKept ? "Kept in this browser." : "Not kept in this browser.";
}

function forget(unwanted) {
  const n = unwanted.reduce((sum, { corrections }) => sum + corrections.size, 0);
  const what = unwanted.length === 1 ? unwanted[0].title : plural(unwanted.length, "file");
  if (n && !confirm(`Forget ${what} and ${plural(n, "correction")}? This cannot be undone.`)) return;
  for (const { id } of unwanted) {
    store.forget(id).catch(() => {}); // it was not kept
    drop(id);
  }
}

/** Take a review that is no longer kept off the page. */
function drop(id) {
  reviews.delete(id);
  if (list.review.id !== id) {
    listKept();
    return;
  }
  list.present(new Review({}));
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
  if (reviews.has(id)) reviews.get(id).merge(log);
  else reviews.set(id, new Review(record, log));
  listKept();
  update();
});

function listKept() {
  const latest = [...reviews.values()].sort((a, b) => (a.at < b.at ? 1 : -1));
  $("kept").hidden = latest.length === 0;
  $("forget-all").hidden = latest.length < 2;
  $("kept").querySelector("ul").replaceChildren(...latest.map(itemOf));
}

function itemOf(review) {
  const item = element("li", "together");
  const facts = [plural(review.corrections.size, "correction"), when(review.at)];
  if (!review.isKept) facts.push("until this page is closed");
  const [opens, forgets] = [review.title, "Forget"].map((name) => element("button", "quiet", name));
  opens.type = forgets.type = "button";
  opens.addEventListener("click", () => reopen(review));
  forgets.addEventListener("click", () => forget([review]));
  forgets.setAttribute("aria-label", `Forget ${review.title}`);
  item.append(opens, element("span", "soft small", facts.join(", ")), forgets);
  return item;
}

// --- start and results ----------------------------------------------------------------------------

function reopen(review) {
  run++;
  if (review === list.review && review.rows.length) show(review);
  else sort(review);
}

function start() {
  run++;
  $("results").hidden = $("again").hidden = $("columns").hidden = $("alert").hidden = true;
  $("ask").hidden = false;
  open(false);
  listKept();
  setStatus("");
  $("texts").focus();
}

/** Open or close the details, which cover the list on narrow screens. */
function open(is) {
  document.body.classList.toggle("open", is);
  if (is) $("detail").focus({ preventScroll: true });
  else $("list").focus({ preventScroll: true });
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
$("text-column").addEventListener("change", () => readAgain({ column: $("text-column").value || null }));
$("sheet").addEventListener("change", () => readAgain({ column: null, sheet: $("sheet").value.trim() }));
$("forget").addEventListener("click", () => forget([list.review]));
$("forget-all").addEventListener("click", () => forget([...reviews.values()]));

$("list").addEventListener("click", (event) => {
  const node = event.target.closest(".row");
  if (!node) return;
  list.activate(Number(node.dataset.index));
  const label = event.target.closest("button")?.value;
  if (label) toggle(label);
  else if (narrow.matches) open(true);
});

$("list").addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || list.selected() === undefined) return;
  const page = list.pageSize();
  const label = labelOfKey(event.key.toLowerCase());
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
  if (event.key in steps) list.move(steps[event.key]);
  else if (label) {
    correct(label);
    list.move(1);
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
$("next").addEventListener("click", list.nextToReview);
$("decide").addEventListener("click", (event) => {
  const label = event.target.closest("button")?.value;
  if (label) toggle(label);
});
$("decide-label").addEventListener("change", () => correct($("decide-label").value));
$("undo").addEventListener("click", undo);
$("line").addEventListener("change", () => correct(labelOf(list.review.rows[list.selected()]), $("line").value));
$("reviewer").addEventListener("change", () => note({ reviewer: $("reviewer").value.trim() }));
$("save").addEventListener("click", () => download(list.review, correctionsFile));
$("download").addEventListener("click", async () => {
  $("download").disabled = true;
  await download(list.review, scoredFile);
  $("download").disabled = false;
});
window.addEventListener("beforeunload", (event) => {
  const isLost = [...reviews.values()].some((kept) => !kept.isKept && kept.hasUnsaved);
  if (isLost || store.isWriting()) event.preventDefault();
});

await loaded;
listKept();
await prepare();
$("model").textContent = `Model ${info.model}, trained on ${count(info.data.rows ?? 0)} rows, outsort ${info.outsort}`;
if (history.state && run === 0) route();
