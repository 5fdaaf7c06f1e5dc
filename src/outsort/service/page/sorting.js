// Sorting: send texts or a file to the service, and show the answers.

import * as article from "./article.js";
import { review as shownReview, tallied } from "./current.js";
import { correctClause } from "./decisions.js";
import { $, count, hideError, megabytes, plural, setStatus, showError } from "./dom.js";
import { build } from "./labels.js";
import * as list from "./list.js";
import { keep, loaded, reviews, showKeeping } from "./keeping.js";
import * as picture from "./picture.js";
import { commandFor, inWords, notesInWords } from "./problems.js";
import { Progress } from "./progress.js";
import { Review, sameContent } from "./review.js";
import { describe, info, isDocument, score } from "./service.js";
import { read } from "./table.js";

/** Characters shown of a cell to choose a column by. */
const SHOWN = 40;

let run = 0; // number of the current run; responses to earlier runs are ignored
/** @type {Progress | null} */
let working = null;

/** @type {Promise<void> | null} */
let preparing = null;

/** Learn what the model is, once, and build the page for its labels. */
export function prepare() {
  preparing ??= describe()
    .then((model) => {
      build(model);
      picture.build();
    })
    .catch((error) => {
      preparing = null;
      throw error;
    });
  return preparing;
}

/** Give up what is being sorted. */
export function cancel() {
  run++;
  working?.end();
}

/** Whether anything was sorted since the page was opened. */
export const hasSorted = () => run > 0;

/** Sort a file; where the same content was sorted before, go on with its review.
 *  @param {File} file
 *  @param {{pasted?: boolean, column?: string | null, sheet?: string, near?: Element | null}} how `near` is where the
 *    file was chosen */
export async function take(file, { pasted = false, column = null, sheet = "", near = null } = {}) {
  cancel();
  const current = run;
  try {
    await loaded;
    await prepare();
    if (file.size > info.limits.file) {
      const limit = megabytes(info.limits.file);
      throw new Error(`${file.name} is ${megabytes(file.size)}; this page takes files of up to ${limit}. ${commandFor(file.name)}`);
    }
    // A copy: another program may change or move the file while it is under review.
    const content = new File([await file.arrayBuffer()], file.name);
    let found = new Review({ file: content, column, sheet, pasted });
    for (const known of reviews.values()) {
      if (known.column === column && known.sheet === sheet && (await sameContent(known.file, content))) found = known;
    }
    if (current !== run) return;
    found.file = content;
    if (await sort(found, near)) keep(found);
  } catch (error) {
    if (current === run) showError(error.message, near);
  }
}

/** Score the file of a review and show it; return whether that was done.
 *  @param {Review} sorted
 *  @param {Element | null} near */
export async function sort(sorted, near = null) {
  cancel();
  const current = run;
  hideError();
  $("columns").hidden = true;
  const progress = (working = new Progress(sorted.pasted ? "the texts" : sorted.file.name));
  try {
    await prepare();
    const table = (isDocument(sorted.file) && (await readDocument(sorted, progress))) || (await readTable(sorted, progress));
    if (current !== run) return false;
    progress.end();
    sorted.bring(table);
    show(sorted);
    return true;
  } catch (error) {
    if (current !== run) return false;
    progress.end();
    setStatus("");
    if (error.columns?.length) chooseColumn(sorted, error.columns, error.samples ?? []);
    else showError(inWords(error, sorted.file.name), near);
  }
  return false;
}

/** @param {Review} sorted
 *  @param {Progress} progress */
async function readTable(sorted, progress) {
  const response = await score(sorted, "jsonl", [], progress);
  return read(response, (share, rows) => progress.reading(share, rows));
}

/** Return a document as it is shown; null for a table in plain text.
 *  @param {Review} sorted
 *  @param {Progress} progress */
async function readDocument(sorted, progress) {
  try {
    return await article.readDocument(await score(sorted, "report", [], progress));
  } catch (error) {
    if (error.status === 415) return null;
    throw error;
  }
}

/** @param {Review} of
 *  @param {string[]} columns
 *  @param {string[][]} samples */
function chooseColumn({ file, sheet }, columns, samples) {
  $("columns").querySelector("label").textContent = `Which column of ${file.name} contains the texts?`;
  $("column").replaceChildren(...columns.map((name, i) => optionOf({ name, cells: samples[i] ?? [] })));
  $("columns").hidden = false;
  $("column").focus();
  $("columns").onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    take(file, { column: $("column").value, sheet, near: $("columns") });
  };
}

/** Return the option of a column, with some of its cells.
 *  @param {{name: string, cells: string[]}} column */
function optionOf({ name, cells }) {
  const shown = cells.map((cell) => (cell.length > SHOWN ? `${cell.slice(0, SHOWN - 1)}…` : cell));
  return new Option([name, shown.join("; ")].filter(Boolean).join(": "), name);
}

/** Show how the file of a review was read: its text column and sheet, to be changed, and notes. @param {Review} of */
function showReading({ pasted, file, columns, texts, column, sheet, notes }) {
  $("notes").textContent = pasted ? "" : notesInWords(notes);
  $("notes").hidden = !$("notes").textContent;
  $("reading").hidden = pasted || !texts.length;
  if ($("reading").hidden) return;
  const options = columns.map(optionOf);
  if (texts.length > 1 || texts[0].length > 1) {
    const name = texts.map((part) => part.join(", else ")).join(" and ");
    options.unshift(new Option(name, column ?? ""));
  } else for (const option of options) option.selected = option.value === texts[0][0];
  $("text-column").replaceChildren(...options);
  $("of-sheet").hidden = !/\.xlsx$/i.test(file.name);
  $("sheet").value = sheet;
}

/** Sort the file again by another column or sheet; the review of the first stays.
 *  @param {{column?: string | null, sheet?: string}} chosen */
export function readAgain(chosen) {
  const { file, column, sheet } = shownReview;
  take(file, { column, sheet, ...chosen, near: $("reading") });
}

/** Show a review that is sorted. @param {Review} review */
export function show(review) {
  // The one before is sorted again if it is opened again.
  if (shownReview !== review) shownReview.bring();
  reviews.set(review.id, review);
  if (history.state !== review.id) history.pushState(review.id, "");
  $("ask").hidden = true;
  $("results").hidden = $("again").hidden = $("keys").hidden = false;
  $("source").textContent = review.title;
  $("reviewer").value = review.reviewer || $("reviewer").value;
  article.present(review, correctClause);
  list.present(review);
  showKeeping();
  showReading(review);
  const what = plural(review.rows.length, review.article ? "clause" : "text");
  const said = [`${what} sorted, ${count(tallied.rowsToReview)} to review.`];
  if (review.model && review.model !== info.model) said.push("The model has changed since it was first sorted.");
  setStatus(said.join(" "));
  review.model ??= info.model;
  $(review.article ? "document" : "list").focus({ preventScroll: true });
}
