// What can be downloaded of a review.

import { COLUMNS, csv, save } from "./document.js";
import { $, hideError, setStatus, showError } from "./dom.js";
import { inWords } from "./problems.js";
import { MAX_EXPLAINED, explain, explained, score } from "./service.js";

/** @import { Review } from "./review.js" */

/** Download what `make` makes of a review: the content, and the name of the file.
 *  @param {Review} from
 *  @param {(from: Review, reviewer: string) => Promise<[Blob, string]>} make */
export async function download(from, make) {
  const { decisions } = from;
  hideError();
  try {
    const [blob, name] = await make(from, $("reviewer").value.trim());
    save(blob, name);
    if (from.decisions === decisions) from.hasUnsaved = false;
    setStatus(`${name} downloaded.`);
  } catch (error) {
    setStatus("");
    showError(inWords(error, from.file.name), $("results").querySelector(".top"));
  }
}

/** The file, with the answers and the corrections.
 *  @param {Review} from
 *  @param {string} reviewer
 *  @returns {Promise<[Blob, string]>} */
export async function scoredFile(from, reviewer) {
  setStatus("Preparing the file …", true);
  const corrections = from.corrected().map(({ rows, label, line, at }) => {
    return { rows, label, service_line: line, reviewer, decided_at: at };
  });
  const response = await score(from, $("format").value || (from.pasted ? "csv" : ""), corrections);
  const [, name = ""] = /filename\*=utf-8''(\S+)/.exec(response.headers.get("content-disposition") ?? "") ?? [];
  return [await response.blob(), decodeURIComponent(name)];
}

/** The corrections alone, for `outsort merge`, which matches rows by the key and by the unchanged text.
 *  @param {Review} from
 *  @param {string} reviewer
 *  @returns {Promise<[Blob, string]>} */
export async function correctionsFile(from, reviewer) {
  const corrections = from.corrected();
  const texts = corrections.map(({ text }) => text);
  for (let i = 0; i < texts.length; i += MAX_EXPLAINED) await explain(texts.slice(i, i + MAX_EXPLAINED));
  const cells = [COLUMNS];
  for (const { text, modelLabel, label, line, at } of corrections) {
    cells.push([explained.get(text)?.key ?? "", text, modelLabel, label, line, reviewer, at]);
  }
  return [csv(cells), "corrections.csv"];
}
