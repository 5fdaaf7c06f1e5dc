// The details of the selected row.

import { correctionOf, explainedOf, lineOf, review, sizeOf, stateOf } from "./current.js";
import { $, count, element, lineName, percent } from "./dom.js";
import { hueOf } from "./labels.js";
import { answerOf, cellsShown } from "./list.js";
import { info } from "./service.js";
import { isWork } from "./table.js";
import { hasLittle, tinted } from "./words.js";

/** @import { Row } from "./table.js" */
/** @import { Decision } from "./review.js" */
/** @import { Explained } from "./words.js" */

/** How many other labels are shown with their probabilities. */
const N_NEXT = 3;

/** Show a row; nothing if there is none. @param {number | undefined} place */
export function detail(place) {
  const row = place === undefined ? undefined : review.rows[place];
  $("detail").hidden = !row;
  $("undo").disabled = review.decisions.length === 0;
  if (!row || place === undefined) return;
  const known = explainedOf(row), canBeCorrected = isWork(row);
  const correction = correctionOf(row);
  $("answer").replaceChildren(...answerOf(row), element("span", "", lineOf(row)));
  const [name, word, reason] = stateOf(row);
  $("answer").append(element("span", `state ${name}`, reason ? `to ${word}: ${reason}` : word));
  $("full").className = `words ${hueOf(row.label)}`;
  $("full").replaceChildren(...tinted(row.text, known));
  showLegend(row, known);
  const n = sizeOf(place);
  $("these").textContent = n > 1 ? `All ${count(n)} of these are` : "Correct label";
  for (const button of $("decide").querySelectorAll("button[value]")) {
    button.disabled = !canBeCorrected;
    button.setAttribute("aria-pressed", String(button.value === correction?.label));
  }
  $("decide-label").disabled = !canBeCorrected;
  $("decide-label").value = correction?.label ?? "";
  fillLines(correction?.label ?? row.label, known, correction);
  const facts = [...cellsShown(place), ...factsOf(row, known)];
  $("why").replaceChildren(...facts.flatMap(([term, fact]) => [element("dt", "", term), element("dd", "", fact)]));
}

/** @param {Row} row
 *  @param {Explained | undefined} known
 *  @returns {[string, string][]} */
function factsOf(row, known) {
  /** @type {[string, string][]} */
  const facts = [];
  if (!isWork(row)) return facts;
  if (row.rule) facts.push(["Decided by the rule", row.rule], ["The model would say", row.modelLabel]);
  const next = nextOf(row);
  if (next.length) facts.push(["Other labels", next.map(([name, p]) => `${name} ${percent(p)}`).join(", ")]);
  if (!known) return facts;
  for (const side of /** @type {const} */ (["for", "against"])) {
    facts.push([`Terms ${side} ${row.label}`, known[side].map(({ term }) => term).join(", ") || "none"]);
  }
  return facts;
}

/** Return the most probable other labels, with their probabilities. @param {Row} row */
function nextOf({ label: answer, proba = [] }) {
  const all = info.labels.map((label, i) => /** @type {[string, number]} */ ([label, proba[i]]));
  return all.filter(([label, p]) => label !== answer && p !== undefined).sort((a, b) => b[1] - a[1]).slice(0, N_NEXT);
}

/** Say what the tints of the text mean: the words speak of the model's answer, also where it is corrected.
 *  @param {Row} row
 *  @param {Explained | undefined} known */
function showLegend(row, known) {
  $("legend").hidden = !isWork(row);
  $("legend").style.visibility = known ? "" : "hidden"; // its room is kept, so that no button moves as it comes
  $("legend").className = `small soft ${hueOf(row.label)}`;
  $("for").textContent = `for ${row.label}`;
  $("against").textContent = `against ${row.label}`;
  $("little").style.visibility = known && hasLittle(known) ? "" : "hidden"; // its room is kept as well
}

/** List the service lines of a label, the most probable ones first.
 *  @param {string} label
 *  @param {Explained | undefined} known
 *  @param {Decision | undefined} correction */
function fillLines(label, known, correction) {
  const lines = info.service_lines[label] ?? [];
  $("of-line").hidden = !correction || !lines.length;
  if (!correction || !lines.length) return;
  const likely = (known?.service_lines ?? []).map((item) => item.service_line).filter((l) => lines.includes(l));
  const options = [...likely, ...lines.filter((line) => !likely.includes(line))];
  const select = $("line");
  // A list that somebody may just choose from stays in its order.
  if (select !== document.activeElement || select.dataset.label !== label) {
    select.dataset.label = label;
    select.replaceChildren(new Option("not chosen", ""), ...options.map((line) => new Option(lineName(line), line)));
  }
  select.value = correction.line;
}
