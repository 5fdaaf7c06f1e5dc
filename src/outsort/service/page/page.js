// The page of the service: classify texts, review and correct the answers, download the results. What happens on it
// is wired up here.

import { review } from "./current.js";
import { correct, correctLine, noteReviewer, toggle, undo } from "./decisions.js";
import { $, setStatus, showError } from "./dom.js";
import { correctionsFile, download, scoredFile } from "./downloads.js";
import { exampleFile } from "./example.js";
import { forget, listKept, loaded, open, reviews, route, start } from "./keeping.js";
import { labelOfKey } from "./labels.js";
import { describeModel, offer } from "./learn.js";
import * as list from "./list.js";
import { cancel, hasSorted, prepare, readAgain, take } from "./sorting.js";
import * as store from "./store.js";

const narrow = window.matchMedia("(max-width: 52rem)");

$("ask").addEventListener("submit", (/** @type {any} */ event) => {
  event.preventDefault();
  const box = $("texts").value;
  /** @type {string[]} */
  const texts = $("single").checked ? [box.trim()] : box.split(/\r?\n/);
  const lines = texts.filter((text) => text.trim()).map((text) => JSON.stringify({ text: text.toWellFormed() }));
  if (!lines.length) {
    setStatus("Type or paste a text first.");
    $("texts").focus();
    return;
  }
  take(new File([lines.join("\n")], "texts.jsonl"), { pasted: true, near: $("texts") });
});

$("texts").addEventListener("keydown", (/** @type {any} */ event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("ask").requestSubmit();
});

$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  $("file").value = "";
  if (file) take(file, { near: $("drop") });
});
$("try").addEventListener("click", () => take(exampleFile(), { near: $("welcome") }));
$("cancel").addEventListener("click", () => {
  cancel();
  setStatus("Cancelled.");
});

for (const name of ["dragover", "dragleave", "drop"]) {
  window.addEventListener(name, (/** @type {any} */ event) => {
    if (name !== "dragleave" && event.dataTransfer?.types.includes("Files")) event.preventDefault();
    document.body.classList.toggle("dragging", name === "dragover" && event.dataTransfer.types.includes("Files"));
  });
}

window.addEventListener("drop", (/** @type {any} */ event) => {
  const [file, ...others] = event.dataTransfer?.files ?? [];
  if (others.length) showError("One file at a time, please.", $("drop"));
  else if (file) take(file, { near: $("drop") });
});

$("again").addEventListener("click", () => {
  history.pushState(null, "");
  start();
});
window.addEventListener("popstate", route);
$("text-column").addEventListener("change", () => readAgain({ column: $("text-column").value || null }));
$("sheet").addEventListener("change", () => readAgain({ column: null, sheet: $("sheet").value.trim() }));
$("forget").addEventListener("click", () => forget([review]));
$("forget-all").addEventListener("click", () => forget([...reviews.values()]));

$("list").addEventListener("click", (/** @type {any} */ event) => {
  const node = event.target.closest(".row");
  if (!node) return;
  list.activate(Number(node.dataset.index));
  const label = event.target.closest("[data-to]")?.dataset.to;
  if (label) toggle(label);
  else if (narrow.matches) open(true);
});

$("list").addEventListener("keydown", (/** @type {any} */ event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || list.selected() === undefined) return;
  const page = list.pageSize();
  const label = labelOfKey(event.key.toLowerCase());
  /** @type {Record<string, number>} */
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
  if (event.key in steps) list.move(steps[event.key]);
  else if (label) {
    correct(label);
    list.move(1);
  } else if (event.key === "Enter") open(true);
  else return;
  event.preventDefault();
});

window.addEventListener("keydown", (/** @type {any} */ event) => {
  if ($("results").hidden || event.altKey || event.target.closest("input:not([type=radio]), select, textarea")) return;
  const key = event.key.toLowerCase();
  const isUndo = event.ctrlKey || event.metaKey ? key === "z" && !event.shiftKey : key === "u" || key === "backspace";
  if (!isUndo) return;
  event.preventDefault();
  if (!event.repeat) undo();
});

$("detail").addEventListener("keydown", (/** @type {any} */ event) => {
  if (event.key === "Escape") open(false);
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select")) return;
  // Those of the list, so that "Next to review" can be followed by a key.
  const label = labelOfKey(event.key.toLowerCase());
  if (label) correct(label);
});
$("close").addEventListener("click", () => open(false));
$("next").addEventListener("click", list.nextToReview);
$("decide").addEventListener("click", (/** @type {any} */ event) => {
  const label = event.target.closest("button")?.value;
  if (label) toggle(label);
});
$("decide-label").addEventListener("change", () => correct($("decide-label").value));
$("undo").addEventListener("click", undo);
$("line").addEventListener("change", () => correctLine($("line").value));
$("reviewer").addEventListener("change", noteReviewer);
$("save").addEventListener("click", () => download(review, correctionsFile));
$("download").addEventListener("click", async () => {
  $("download").disabled = true;
  await download(review, scoredFile);
  $("download").disabled = false;
});
window.addEventListener("beforeunload", (/** @type {any} */ event) => {
  const isLost = [...reviews.values()].some((kept) => !kept.isKept && kept.hasUnsaved);
  if (isLost || store.isWriting()) event.preventDefault();
});

await loaded;
listKept();
await prepare();
describeModel();
if (history.state && !hasSorted()) route();
offer();
