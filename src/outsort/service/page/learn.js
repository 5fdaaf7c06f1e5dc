// Learning from the corrections, where the service may: merge them into the user's data, train again, see what changed,
// and go back.

import { review } from "./current.js";
import { $, count, element, hideError, plural, setStatus, showError } from "./dom.js";
import { describe, explained, info, learning, whenModelChanges } from "./service.js";
import { sort } from "./sorting.js";
import { isWork } from "./table.js";

/** @import { Row } from "./table.js" */

/** Milliseconds between looks at how far it is. */
const EVERY = 1000;
/** Texts listed whose label changed. */
const N_LISTED = 10;
const STAGES = /** @type {Record<string, string>} */ ({
  merging: "Adding your corrections to the data …",
  training: "Training a new model, and comparing it with the present one …",
});

/** A comparison of two models on rows that neither has seen, as `outsort retrain --json` has it.
 *  @typedef {{n: number, got_right: number, got_wrong: number, worse: boolean, interval: [number, number]}} Judgement */

/** @typedef {object} State See the description of /learning.
 *  @property {string} data
 *  @property {string} stage
 *  @property {string} model
 *  @property {string} before
 *  @property {string} problem
 *  @property {any} lesson */

/** Whether a change of the model is being taken up. */
let isFollowing = false;

/** Offer to learn, if the service may. */
export async function offer() {
  $("learn").hidden = !info.learns;
  if (!info.learns) return;
  const state = await learning();
  if (state.stage) follow();
  else showBack(state);
}

/** Learn from the corrections of the review. */
async function learn() {
  hideError();
  const reviewer = $("reviewer").value.trim();
  const corrections = review.corrected().map(({ text, modelLabel, label, line, at }) => {
    return { text, label, model_label: modelLabel, service_line: line, reviewer, decided_at: at };
  });
  try {
    await learning("POST", "learning", { corrections });
    await follow();
  } catch (error) {
    showError(/** @type {Error} */ (error).message, $("results").querySelector(".top"));
  }
}

/** Show how far it is, until it is done. */
async function follow() {
  isFollowing = true;
  $("lesson").hidden = $("lesson-cancel").hidden = false;
  $("lesson-back").hidden = true;
  $("lesson-facts").replaceChildren();
  /** @type {State} */
  let state = await learning();
  for (; state.stage; state = await learning()) {
    say(STAGES[state.stage]);
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
  $("lesson-cancel").hidden = true;
  if (state.problem) say(state.problem);
  else if (state.lesson) await tellOf(state);
  isFollowing = false;
  showBack(state);
}

const say = (/** @type {string} */ text) => {
  if ($("lesson-said").textContent !== text) $("lesson-said").textContent = text;
};

/** Say what was learnt, and what changed by it. @param {State} state */
async function tellOf({ data, lesson, model }) {
  const facts = factsOf(lesson, data);
  if (lesson.is_better && model === lesson.model) {
    say(`The service now answers with the new model, ${model}.`);
    facts.push(...(await switched()));
  } else if (lesson.comparison) {
    say(`The new model is ${lesson.comparison.worse ? "worse" : "not compared"}, so the present one stays. Your corrections are kept in ${data}.`);
  } else say(`Nothing new in these corrections: ${data} has them already.`);
  $("lesson-facts").replaceChildren(...facts.map((fact) => element("li", "", fact)));
}

/** @param {any} lesson
 *  @param {string} data */
function factsOf({ added, filled, known, problems, rows, comparison }, data) {
  const facts = [`${data} now has ${count(rows)} labelled rows: ${added} added, ${filled} filled in, ${known} known before.`];
  for (const problem of problems) facts.push(`Not added: ${problem}.`);
  const judged = comparison?.on_new_rows;
  if (judged) facts.push(`On the ${plural(judged.n, "row")} that are new, ${judgement(judged)}`);
  for (const [scheme, one] of Object.entries(comparison?.on_groups ?? {})) facts.push(`On ${scheme}, ${judgement(one)}`);
  return facts;
}

/** Say a comparison in a sentence. @param {Judgement} judged */
function judgement({ got_right: right, got_wrong: wrong, worse, interval }) {
  const verdict = worse ? "worse" : interval[0] > 0 ? "better" : "no worse";
  return `a model trained without them is ${verdict}: ${count(right)} right that were wrong, ${count(wrong)} wrong that were right.`;
}

/** Sort the file again by the model that now answers; return what changed in it. */
async function switched() {
  const before = review.rows, from = review;
  await takeUp();
  if (from !== review || before.length !== review.rows.length) return [];
  return changesBetween(before, review.rows);
}

/** @param {Row[]} before
 *  @param {Row[]} after */
function changesBetween(before, after) {
  /** @type {Map<string, number>} */
  const moves = new Map();
  /** @type {Set<string>} */
  const texts = new Set();
  let [n, accepted, sent] = [0, 0, 0];
  after.forEach((row, i) => {
    if (!isWork(row)) return;
    const old = before[i];
    accepted += Number(old.decision === "review" && row.decision !== "review");
    sent += Number(old.decision !== "review" && row.decision === "review");
    if (old.label === row.label) return;
    const move = `${old.label} → ${row.label}`;
    n++;
    moves.set(move, (moves.get(move) ?? 0) + 1);
    texts.add(`${move}: ${row.text}`);
  });
  const counted = [...moves].map(([move, times]) => `${move} ${count(times)}`).join(", ");
  const facts = [`In this file ${plural(n, "answer")} changed${n ? ` (${counted})` : ""}; ${count(accepted)} no longer to review, ${count(sent)} now to review.`];
  return [...facts, ...[...texts].slice(0, N_LISTED)];
}

/** Take up the model that now answers, and sort the file that is shown again. */
async function takeUp() {
  const { labels } = info;
  await describe();
  if (labels.join("\n") !== info.labels.join("\n")) location.reload();
  explained.clear();
  describeModel();
  if (review.rows.length) {
    review.model = info.model;
    await sort(review);
  }
}

/** Say which model answers. */
export function describeModel() {
  $("model").textContent = `Model ${info.model}, trained on ${count(info.data.rows ?? 0)} rows, outsort ${info.outsort}`;
}

/** @param {State} state */
function showBack({ before, stage }) {
  $("lesson-back").hidden = !before || Boolean(stage);
  if (before) $("lesson-back").textContent = `Go back to the model before, ${before}`;
  if (before && !stage) $("lesson").hidden = false;
}

async function back() {
  isFollowing = true;
  const state = await learning("POST", "learning/back", { reviewer: $("reviewer").value.trim() });
  const facts = await switched();
  say(`The service answers with model ${state.model} again.`);
  $("lesson-facts").replaceChildren(...facts.map((fact) => element("li", "", fact)));
  isFollowing = false;
  showBack(state);
}

$("learn").addEventListener("click", learn);
$("lesson-cancel").addEventListener("click", () => learning("DELETE"));
$("lesson-back").addEventListener("click", back);
$("lesson-close").addEventListener("click", () => {
  $("lesson").hidden = true;
  setStatus("");
});
whenModelChanges(async () => {
  if (isFollowing) return;
  isFollowing = true;
  await takeUp();
  isFollowing = false;
  setStatus("The model has changed: the texts are sorted again.");
});
