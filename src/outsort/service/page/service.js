// Requests to the service that this page comes from.

import { $, hideError, showError } from "./dom.js";

/** Limit of texts explained per request. */
export const MAX_EXPLAINED = 60;
const PLAIN = { "content-type": "application/octet-stream" };

/** @import { Explained } from "./words.js" */
/** @import { Review } from "./review.js" */

/** What /model tells of the model and the limits.
 *  @typedef {{outsort: string, model: string, threshold: number, certified: boolean, labels: string[],
 *    out_of_scope: string, service_lines: Record<string, string[]>, learns: boolean, data: {rows?: number},
 *    limits: {characters: number, body: number, file: number}}} ModelInfo */

/** @type {ModelInfo} */
export let info = /** @type {any} */ (null);
/** text -> the explained answer, with its words. @type {Map<string, Explained>} */
export const explained = new Map();

/** @type {string | null} */
let token = null;

/** @param {string} given */
function setToken(given) {
  token = given;
  try {
    sessionStorage.setItem("token", given);
  } catch {
    // Storage is blocked: the token is asked for after each reload.
  }
}

// The service prints an address that has its token behind the sign #, which is never sent.
const given = /^#token=(.+)$/.exec(location.hash);
if (given) {
  setToken(given[1]);
  history.replaceState(history.state, "", location.pathname);
} else {
  try {
    token = sessionStorage.getItem("token");
  } catch {
    // As above.
  }
}

class ResponseError extends Error {
  /** @param {number} status
   *  @param {any} problem */
  constructor(status, problem) {
    super(problem.detail || `The service answered with ${status}.`);
    this.status = status;
    this.columns = problem.columns;
    this.samples = problem.samples;
  }
}

/** @param {string} path
 *  @param {RequestInit} init */
async function request(path, init = {}) {
  for (let attempt = 1; ; attempt++) {
    const headers = { .../** @type {object} */ (init.headers), ...(token ? { authorization: `Bearer ${token}` } : {}) };
    let response;
    try {
      response = await fetch(path, { ...init, headers });
    } catch {
      if (init.signal?.aborted) throw new Error("Cancelled.");
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

/** @type {Promise<void> | null} */
let unlocking = null;

/** Wait for a token; concurrent requests share one prompt. @param {boolean} rejected */
function unlock(rejected) {
  unlocking ??= new Promise((resolve) => {
    $("unlock").hidden = false;
    if (rejected) showError("Wrong token.");
    $("token").focus();
    $("unlock").onsubmit = (/** @type {Event} */ event) => {
      event.preventDefault();
      setToken($("token").value);
      $("token").value = "";
      $("unlock").hidden = true;
      hideError();
      unlocking = null;
      resolve();
    };
  });
  return unlocking;
}

/** What to do when answers come from another model than before. */
let onOtherModel = () => {};
/** @param {() => void} listener */
export const whenModelChanges = (listener) => (onOtherModel = listener);

export async function describe() {
  info = await (await request("model")).json();
  return info;
}

/** Fetch the explanations of texts that are not explained yet. @param {string[]} texts */
export async function explain(texts) {
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
  const { model, answers } = await response.json();
  if (model !== info.model) {
    onOtherModel();
    return;
  }
  answers.forEach((/** @type {Explained} */ answer, /** @type {number} */ i) => explained.set(missing[i], answer));
}

/** Whether a file may be a document, which is split into clauses, by its name. @param {File} file */
export const isDocument = ({ name }) => /\.(pdf|doc[xm]|x?html?|md|markdown|txt)(\.(gz|zst))?$/i.test(name);

/** Score a file, with corrections by row; `to` is the format of the scored file, "" for that of the file, "report" for
 *  the page of a document. The service tells under `id` how far it is; `signal` ends the request.
 *  @param {Review} review
 *  @param {string} to
 *  @param {object[]} corrections
 *  @param {{id?: string, signal?: AbortSignal}} how */
export function score({ file, column, sheet, article }, to, corrections = [], { id = "", signal } = {}) {
  const query = new URLSearchParams({ filename: file.name, on_error: "keep" });
  if (id) query.set("progress", id);
  if (column !== null) query.set("text_column", column);
  if (sheet) query.set("sheet", sheet);
  if (article || to === "report") query.set("split", "true");
  if (to === "report") query.set("report", "true");
  else if (to) query.set("to", to);
  if (!corrections.length) return request(`score?${query}`, { method: "POST", body: file, headers: PLAIN, signal });
  const form = new FormData();
  form.set("file", file);
  form.set("corrections", new Blob([JSON.stringify(corrections)]));
  return request(`score?${query}`, { method: "POST", body: form, signal });
}

/** How far the sorting with an id is: rows done, and the share of the file read. @param {string} id */
export async function progressOf(id) {
  return (await request(`progress?name=${id}`)).json();
}

/** Ask the service to learn, see `outsort serve --learn`; return what it is learning, or has learnt.
 *  @param {string} method
 *  @param {object} [body] */
export async function learning(method = "GET", path = "learning", body = undefined) {
  const headers = { "content-type": "application/json" };
  return (await request(path, { method, ...(body ? { headers, body: JSON.stringify(body) } : {}) })).json();
}
