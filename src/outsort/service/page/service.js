// Requests to the service that this page comes from.

import { $, showError } from "./dom.js";

/** Limits of rows read from a scored file, and of texts explained per request. */
export const MAX_ROWS = 200_000, MAX_EXPLAINED = 60;
/** Cells shown of each column, and rows they are looked for in. */
const N_SAMPLES = 3, N_SAMPLED = 500;
/** How many other labels are shown with their probabilities. */
const N_NEXT = 3;
const PLAIN = { "content-type": "application/octet-stream" };

/** The model and the limits, from /model. */
export let info = null;
/** text -> the explained answer, with its words. */
export const explained = new Map();

let token = null;
try {
  token = sessionStorage.getItem("token");
} catch {
  // Storage is blocked: the token is asked for after each reload.
}

class ResponseError extends Error {
  constructor(status, problem) {
    super(problem.detail || `The service answered with ${status}.`);
    this.status = status;
    this.columns = problem.columns;
    this.samples = problem.samples;
  }
}

async function request(path, init = {}) {
  for (let attempt = 1; ; attempt++) {
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
      token = $("token").value;
      try {
        sessionStorage.setItem("token", token);
      } catch {
        // As above.
      }
      $("token").value = "";
      $("unlock").hidden = true;
      $("alert").hidden = true;
      unlocking = null;
      resolve();
    };
  });
  return unlocking;
}

export async function describe() {
  info = await (await request("model")).json();
  return info;
}

/** Fetch the explanations of texts that are not explained yet. */
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
  const { answers } = await response.json();
  answers.forEach((answer, i) => explained.set(missing[i], answer));
}

/** Whether a file may be a document, which is split into clauses, by its name. */
export const isDocument = ({ name }) => /\.(pdf|doc[xm]|x?html?|md|markdown|txt)(\.(gz|zst))?$/i.test(name);

/** Score a file, with corrections by row; `to` is the format of the scored file, "" for that of the file, "report" for
 *  the page of a document. */
export function score({ file, column, sheet, article }, to, corrections = []) {
  const query = new URLSearchParams({ filename: file.name, on_error: "keep" });
  if (column !== null) query.set("text_column", column);
  if (sheet) query.set("sheet", sheet);
  if (article || to === "report") query.set("split", "true");
  if (to === "report") query.set("report", "true");
  else if (to) query.set("to", to);
  if (!corrections.length) return request(`score?${query}`, { method: "POST", body: file, headers: PLAIN });
  const form = new FormData();
  form.set("file", file);
  form.set("corrections", new Blob([JSON.stringify(corrections)]));
  return request(`score?${query}`, { method: "POST", body: form });
}

/** Parse scored rows as they arrive. `rows` are {text, label, p, next, line, decision, reason}; `next` are the
 *  most probable other labels, as pairs with their probabilities. `columns` are {name, cells} with some cells of
 *  each, `texts` the text columns, each a list with those read where it is blank. */
export async function read(response) {
  const { columns: names, text_columns: texts, prefix } = JSON.parse(response.headers.get("outsort-table"));
  const found = [];
  const cells = new Map((names.length ? names : texts.flat()).map((name) => [name, []]));
  const add = (line) => {
    if (!line || found.length >= MAX_ROWS) return;
    const row = parsed(line);
    const text = texts
      .map((part) => row[part.find((name) => !isBlank(row[name])) ?? part[0]])
      .filter((value) => value != null);
    if (found.length < N_SAMPLED) {
      for (const [name, shown] of cells) if (shown.length < N_SAMPLES && !isBlank(row[name])) shown.push(String(row[name]));
    }
    found.push({
      text: text.map(String).join(" "),
      label: row[prefix + "label"],
      p: row[prefix + "probability"],
      next: nextLabels(row[prefix + "label"], (label) => row[`${prefix}p_${label}`]),
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
  return { rows: found, columns: [...cells].map(([name, shown]) => ({ name, cells: shown })), texts };
}

const isBlank = (value) => value == null || (typeof value === "string" && !value.trim());

function nextLabels(answer, probability) {
  const others = info.labels.filter((label) => label !== answer).map((label) => [label, probability(label)]);
  return others.sort((one, other) => other[1] - one[1]).slice(0, N_NEXT);
}

/** Parse JSON as Python writes it, with NaN and Infinity. */
function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return JSON.parse(line.replace(/([:[,]\s*)(?:NaN|-?Infinity)(?=\s*[,}\]])/g, "$1null"));
  }
}
