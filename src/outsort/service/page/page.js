// The page of the service: classify texts, review and correct the answers, download the results.
//
// Texts are inserted as text nodes, never as markup. State is kept in memory only, except for the token, which is
// in sessionStorage. The list is virtualised: only the visible rows are in the document, and their explanations
// are fetched when they become visible.

const $ = (id) => document.getElementById(id);
const narrow = window.matchMedia("(max-width: 52rem)");

/** Least log-odds of a word for a weak, medium and strong tint. */
const TINTED_FROM = [0.1, 0.5, 1.5];
/** Limits of rows shown, characters per text in the list, texts explained per request. */
const MAX_ROWS = 200_000, MAX_SHOWN = 300, MAX_EXPLAINED = 60;
/** Extra rows in the document above and below the visible ones. */
const SPARE = 6;

let info = null; // the model and the limits, from /model
let source = null; // the current file and how it is read: {file, params, pasted}
let rows = []; // {text, label, p, neither, line, decision, reason}
let view = []; // indices in `rows` of the rows in the list
let active = -1; // index in `view` of the selected row
let run = 0; // number of the current run; responses to earlier runs are ignored
const explained = new Map(); // text -> the explained answer, with its words
const corrections = new Map(); // text -> {row, label, line, at}
let unsaved = false;

// --- requests ----------------------------------------------------------------------------------------

class ResponseError extends Error {
  constructor(status, problem) {
    super(problem.detail || `The service answered with ${status}.`);
    this.columns = problem.columns;
  }
}

async function request(path, init = {}) {
  for (let attempt = 1; ; attempt++) {
    const token = sessionStorage.getItem("token");
    const headers = { ...init.headers, ...(token ? { authorization: `Bearer ${token}` } : {}) };
    let response;
    try {
      response = await fetch(path, { ...init, headers });
    } catch {
      throw new Error("The service cannot be reached. Is it still running?");
    }
    if (response.ok) return response;
    if (response.status === 401) {
      await unlock(token !== null);
    } else if (response.status === 503 && attempt < 6) {
      const seconds = Number(response.headers.get("retry-after")) || 1;
      await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
    } else {
      throw new ResponseError(response.status, await response.json().catch(() => ({})));
    }
  }
}

let unlocking = null;

/** Wait for a token; concurrent requests share one prompt. */
function unlock(rejected) {
  unlocking ??= new Promise((resolve) => {
    $("unlock").hidden = false;
    if (rejected) showError("Wrong token.");
    $("token").focus();
    $("unlock").onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem("token", $("token").value);
      $("token").value = "";
      $("unlock").hidden = true;
      $("alert").hidden = true;
      unlocking = null;
      resolve();
    };
  });
  return unlocking;
}

/** Fetch the explanations of texts that are not explained yet. */
async function explain(texts) {
  let size = 0;
  const missing = [...new Set(texts)].filter((text) => {
    if (explained.has(text) || text.length > info.limits.characters) return false;
    size += 4 * text.length;
    return size < info.limits.body;
  });
  if (!missing.length) return;
  const response = await request("predict", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ texts: missing.map((text) => text.toWellFormed()), explain: true }),
  });
  const { answers } = await response.json();
  answers.forEach((answer, i) => explained.set(missing[i], answer));
}

// --- sorting ---------------------------------------------------------------------------------------

async function sort(file, { pasted = false, column = null } = {}) {
  const current = ++run;
  $("alert").hidden = $("columns").hidden = true;
  try {
    info ??= await (await request("model")).json();
    if (file.size > info.limits.file) {
      throw new Error(`${file.name} is larger than ${count(info.limits.file)} bytes. Sort it in parts.`);
    }
    setStatus(`Sorting ${pasted ? "the texts" : file.name} …`, true);
    const params = new URLSearchParams({ filename: file.name, on_error: "keep" });
    if (column !== null) params.set("text_column", column);
    const found = await read(await score(file, params, "jsonl"));
    if (current !== run) return;
    source = { file, params, pasted };
    rows = found;
    show();
  } catch (error) {
    if (current !== run) return;
    setStatus("");
    if (error.columns?.length) chooseColumn(file, error.columns);
    else showError(error.message);
  }
}

function score(file, params, to) {
  const query = new URLSearchParams(params);
  if (to) query.set("to", to);
  return request(`score?${query}`, {
    method: "POST",
    headers: { "content-type": "application/octet-stream" },
    body: file,
  });
}

/** Parse scored rows as they arrive. */
async function read(response) {
  const { text_columns: columns, prefix } = JSON.parse(response.headers.get("outsort-table"));
  const found = [];
  const add = (line) => {
    if (!line || found.length >= MAX_ROWS) return;
    const row = parsed(line);
    const text = columns.map((name) => row[name]).filter((value) => value != null);
    found.push({
      text: text.map(String).join(" "),
      label: row[prefix + "label"],
      p: row[prefix + "probability"],
      neither: row[prefix + "neither"],
      line: row[prefix + "service_line"] ?? "",
      decision: row[prefix + "decision"],
      reason: row[prefix + "reason"],
    });
  };
  let rest = "";
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (rest + part.value).split("\n");
    rest = lines.pop();
    lines.forEach(add);
  }
  add(rest);
  return found;
}

/** Parse JSON as Python writes it, with NaN and Infinity. */
function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return JSON.parse(line.replace(/([:[,]\s*)(?:NaN|-?Infinity)(?=\s*[,}\]])/g, "$1null"));
  }
}

function chooseColumn(file, columns) {
  document.querySelector("[for=column]").textContent = `Which column of ${file.name} contains the texts?`;
  $("column").replaceChildren(...columns.map((name) => new Option(name, name)));
  $("columns").hidden = false;
  $("column").focus();
  $("columns").onsubmit = (event) => {
    event.preventDefault();
    sort(file, { column: $("column").value });
  };
}

function show() {
  $("ask").hidden = true;
  $("results").hidden = $("again").hidden = false;
  $("source").textContent = source.pasted ? "Your texts" : source.file.name;
  document.querySelector("[name=show][value=all]").checked = true;
  $("find").value = "";
  applyFilter();
  const n = rows.length === MAX_ROWS ? `The first ${count(MAX_ROWS)} rows are shown; the download has all.` : "";
  setStatus(`${plural(rows.length, "text")} sorted, ${count(counts().review)} to review. ${n}`);
  $("list").focus({ preventScroll: true });
}

// --- the list --------------------------------------------------------------------------------------

const KINDS = {
  all: () => true,
  review: (row) => row.decision === "review" && !corrections.has(row.text),
  BPO: (row) => row.label === "BPO",
  KPO: (row) => row.label === "KPO",
  corrected: (row) => corrections.has(row.text),
};

function counts() {
  const found = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, 0]));
  for (const row of rows) for (const kind in KINDS) if (KINDS[kind](row)) found[kind]++;
  return found;
}

/** Select the rows for the list; a row that is corrected stays until the next call. */
function applyFilter() {
  const kind = KINDS[document.querySelector("[name=show]:checked").value];
  const wanted = $("find").value.trim().toLowerCase();
  view = [];
  rows.forEach((row, i) => {
    if (kind(row) && (!wanted || row.text.toLowerCase().includes(wanted))) view.push(i);
  });
  $("empty").hidden = view.length > 0;
  $("list").scrollTop = 0;
  activate(view.length ? 0 : -1);
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
  const row = rows[view[index]];
  const correction = corrections.get(row.text);
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
  const label = corrections.get(row.text)?.label;
  const badge = (name) => element("span", `badge ${name.toLowerCase()}`, name === "NEITHER" ? "Neither" : name);
  const figure = element("data", "", percent(row.p));
  figure.value = row.p;
  if (!label || label === row.label) return [badge(row.label), figure];
  return [badge(label), element("span", "was soft", row.label)];
}

/** Return the state of a row: CSS class, text, and the reason for review. */
function stateOf(row) {
  const correction = corrections.get(row.text);
  if (correction) return ["corrected", correction.label === row.label ? "confirmed" : "corrected", ""];
  return row.decision === "review" ? ["review", "review", row.reason] : ["accept", "accepted", ""];
}

function lineOf(row) {
  const correction = corrections.get(row.text);
  return correction ? lineName(correction.line, "no line chosen") : lineName(row.line);
}

function spoken(row) {
  const correction = corrections.get(row.text);
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
    const shown = nodes.filter((node) => !node.hidden).map((node) => rows[view[node.dataset.index]]?.text);
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
  $("corrected").textContent = count(corrections.size);
  $("save").disabled = corrections.size === 0;
  for (const label of ["BPO", "KPO"]) {
    document.querySelector(`.bar .${label.toLowerCase()}`).style.flexGrow = found[label];
  }
}

// --- the details -----------------------------------------------------------------------------------

function detail() {
  const row = rows[view[active]];
  $("detail").hidden = !row;
  if (!row) return;
  const known = explained.get(row.text);
  const correction = corrections.get(row.text);
  const label = correction?.label ?? row.label;
  $("answer").replaceChildren(...answerOf(row), element("span", "", lineOf(row)));
  const [name, word, reason] = stateOf(row);
  $("answer").append(element("span", `state ${name}`, reason ? `to ${word}: ${reason}` : word));
  $("full").replaceChildren(...tinted(row.text, known?.words));
  for (const button of $("decide").querySelectorAll("button")) {
    if (button.value) button.setAttribute("aria-pressed", button.value === correction?.label);
    else button.disabled = !correction;
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

function correct(label) {
  const row = rows[view[active]];
  if (!row) return;
  if (row.text.length > info.limits.characters || !row.text.trim()) {
    setStatus("This text cannot be corrected: it is empty or too long.");
    return;
  }
  if (label) {
    const line = label === row.label ? row.line : "";
    corrections.set(row.text, { row, label, line, at: new Date().toISOString() });
  } else {
    corrections.delete(row.text);
  }
  unsaved = corrections.size > 0;
  redraw();
  tally();
  const what = label ? `${spoken(row)}` : "Correction undone";
  setStatus(`${what}. ${plural(corrections.size, "correction")}.`);
}

/** Select the next row to review, wrapping around at the end. */
function nextToReview() {
  for (let step = 1; step <= view.length; step++) {
    const index = (active + step) % view.length;
    if (KINDS.review(rows[view[index]])) return activate(index);
  }
  setStatus("Nothing left to review.");
}

function open(is) {
  document.body.classList.toggle("open", is);
  if (is) $("detail").focus({ preventScroll: true });
  else $("list").focus({ preventScroll: true });
}

// --- downloads -----------------------------------------------------------------------------------

async function download() {
  $("download").disabled = true;
  $("alert").hidden = true;
  setStatus("Preparing the file …", true);
  try {
    const to = $("format").value || (source.pasted ? "csv" : "");
    const response = await score(source.file, source.params, to);
    const name = /filename\*=utf-8''(\S+)/.exec(response.headers.get("content-disposition"))[1];
    downloadBlob(await response.blob(), decodeURIComponent(name));
  } catch (error) {
    setStatus("");
    showError(error.message);
  }
  $("download").disabled = false;
}

async function save() {
  $("alert").hidden = true;
  try {
    const texts = [...corrections.keys()];
    for (let i = 0; i < texts.length; i += MAX_EXPLAINED) await explain(texts.slice(i, i + MAX_EXPLAINED));
    const reviewer = $("reviewer").value.trim();
    const cells = [["key", "text", "model_label", "label", "service_line", "reviewer", "decided_at"]];
    for (const [text, { row, label, line, at }] of corrections) {
      // `outsort merge` matches rows by the key, and by the unchanged text.
      cells.push([explained.get(text).key, text, row.label, label, line, reviewer, at]);
    }
    const csv = cells.map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
    downloadBlob(new Blob([csv], { type: "text/csv" }), "corrections.csv");
    unsaved = false;
  } catch (error) {
    showError(error.message);
  }
}

const quoted = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

function downloadBlob(blob, name) {
  const link = element("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  setStatus(`${name} downloaded.`);
}

// --- helpers ------------------------------------------------------------------------------

function element(tag, name = "", text = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  return made;
}

const count = (n) => n.toLocaleString("en-GB");
const plural = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
const lineName = (line, none = "no service line") => (line || none).replaceAll("_", " ");
const percent = (p) => (p > 0.995 ? ">99%" : p < 0.005 ? "<1%" : `${Math.round(100 * p)}%`);

function setStatus(text, busy = false) {
  $("status").textContent = text;
  document.body.classList.toggle("busy", busy);
}

function showError(text) {
  $("alert").textContent = text;
  $("alert").hidden = false;
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
  sort(new File([lines.join("\n")], "texts.jsonl"), { pasted: true });
});

$("texts").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("ask").requestSubmit();
});

$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  $("file").value = "";
  if (file) sort(file);
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
  else if (file) sort(file);
});

$("again").addEventListener("click", () => {
  run++;
  $("results").hidden = $("again").hidden = $("columns").hidden = $("alert").hidden = true;
  $("ask").hidden = false;
  document.body.classList.remove("open");
  setStatus("");
  $("texts").focus();
});

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
  if (rows.length) draw();
}).observe($("list"));

$("list").addEventListener("click", (event) => {
  const node = event.target.closest(".row");
  if (!node) return;
  activate(Number(node.dataset.index));
  const label = event.target.closest("button")?.value;
  if (label) correct(corrections.get(rows[view[active]].text)?.label === label ? "" : label);
  else if (narrow.matches) open(true);
});

const LABELS = { b: "BPO", k: "KPO", n: "NEITHER", u: "" };

$("list").addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || active < 0) return;
  const page = Math.max(1, Math.floor($("list").clientHeight / height) - 1);
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -active, End: view.length };
  const move = (step) => activate(Math.min(view.length - 1, Math.max(0, active + step)));
  if (event.key in steps) move(steps[event.key]);
  else if (event.key.toLowerCase() in LABELS) {
    const label = LABELS[event.key.toLowerCase()];
    correct(label);
    if (label) move(1);
  } else if (event.key === "Enter") open(true);
  else return;
  event.preventDefault();
});

$("detail").addEventListener("keydown", (event) => {
  if (event.key === "Escape") open(false);
});
$("close").addEventListener("click", () => open(false));
$("next").addEventListener("click", nextToReview);
$("decide").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) correct(button.value);
});
$("line").addEventListener("change", () => {
  const correction = corrections.get(rows[view[active]].text);
  correction.line = $("line").value;
  unsaved = true;
  draw();
});
$("download").addEventListener("click", download);
$("save").addEventListener("click", save);
window.addEventListener("beforeunload", (event) => {
  if (unsaved) event.preventDefault();
});

info = await (await request("model")).json();
$("model").textContent = `Model ${info.model}, trained on ${count(info.data.rows ?? 0)} rows, outsort ${info.outsort}`;
