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
  training: "Training a new model and comparing it with the current one …",
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

/** Do what may change the model, unless that is being done, and say what goes wrong.
 *  @param {() => Promise<void>} work */
async function following(work) {
  if (isFollowing) return;
  isFollowing = true;
  try {
    await work();
  } catch (error) {
    say("");
    fail(/** @type {Error} */ (error));
  } finally {
    isFollowing = false;
    $("lesson-cancel").hidden = true;
  }
}

const fail = (/** @type {Error} */ { message }) => showError(message, $("results").querySelector(".top"));

/** Offer to learn, if the service may. */
export function offer() {
  $("learn").hidden = !info.learns;
  if (!info.learns) return;
  following(async () => {
    const state = await learning();
    if (state.stage) await follow();
    else showBack(state);
  });
}

/** Learn from the corrections of the review. */
async function learn() {
  hideError();
  const reviewer = $("reviewer").value.trim();
  const corrections = review.corrected().map(({ text, modelLabel, label, line, at }) => {
    return { text, label, model_label: modelLabel, service_line: line, reviewer, decided_at: at };
  });
  await learning("POST", "learning", { corrections });
  await follow();
}

/** Show how far it is, until it is done. */
async function follow() {
  $("lesson").hidden = $("lesson-cancel").hidden = false;
  $("lesson-back").hidden = true;
  list([]);
  /** @type {State} */
  let state = await learning();
  for (; state.stage; state = await learning()) {
    say(STAGES[state.stage]);
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
  $("lesson-cancel").hidden = true;
  if (state.problem) say(state.problem);
  else if (state.lesson) await tellOf(state);
  showBack(state);
}

const say = (/** @type {string} */ text) => {
  if ($("lesson-said").textContent !== text) $("lesson-said").textContent = text;
};

/** @param {string[]} facts */
const list = (facts) => $("lesson-facts").replaceChildren(...facts.map((fact) => element("li", "", fact)));

/** Say what was learnt, and what changed by it. @param {State} state */
async function tellOf({ data, lesson, model }) {
  const facts = factsOf(lesson, data), { comparison, is_better: isBetter, known } = lesson;
  if (isBetter && model === lesson.model) {
    say(`The service now answers with the new model, ${model}.`);
    facts.push(...(await switched()));
  } else if (isBetter) {
    // Somebody went back to the model before between two looks.
    say(`The new model is no worse, but the service answers with ${model} again. Your corrections are kept in ${data}.`);
  } else if (comparison) {
    const why = comparison.worse ? "is worse than" : "could not be compared with";
    say(`The new model ${why} the current one, which stays in use. Your corrections are kept in ${data}.`);
  } else if (known) say(`There is nothing new in these corrections: ${data} already has them.`);
  else say(`None of these corrections could be added to ${data}.`);
  list(facts);
}

/** @param {any} lesson
 *  @param {string} data */
function factsOf({ added, filled, known, problems, rows, comparison }, data) {
  const facts = [`${data} now has ${count(rows)} labelled rows: ${added} added, ${filled} filled in, ${known} already there.`];
  for (const problem of problems) facts.push(`Not added: ${problem}.`);
  const judged = comparison?.on_new_rows;
  if (judged) facts.push(`On the ${plural(judged.n, "new row")}, each held out in turn, the new model is ${judgement(judged, "the current one")}`);
  for (const [scheme, one] of Object.entries(comparison?.on_groups ?? {})) {
    facts.push(`On ${scheme}, models trained with the new rows are ${judgement(one, "models trained without them")}`);
  }
  return facts;
}

/** Say how a comparison came out, as the end of a sentence.
 *  @param {Judgement} judged
 *  @param {string} other what it was compared with */
function judgement({ got_right: right, got_wrong: wrong, worse, interval }, other) {
  const verdict = worse ? "worse" : interval[0] > 0 ? "better" : "no worse";
  return `${verdict} than ${other}: ${plural(right, "row")} now right, ${count(wrong)} now wrong.`;
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
  const counted = [...moves].map(([move, times]) => `${move}: ${count(times)}`).join(", ");
  const facts = [`In this file, ${plural(n, "answer")} changed${n ? ` (${counted})` : ""}. Newly accepted: ${count(accepted)}. Newly to review: ${count(sent)}.`];
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
  if (before) $("lesson-back").textContent = `Go back to the previous model, ${before}`;
  if (before && !stage) $("lesson").hidden = false;
}

async function back() {
  const state = await learning("POST", "learning/back", { reviewer: $("reviewer").value.trim() });
  const facts = await switched();
  say(`The service answers with model ${state.model} again.`);
  list(facts);
  showBack(state);
}

$("learn").addEventListener("click", () => following(learn));
$("lesson-cancel").addEventListener("click", () => learning("DELETE").catch(fail));
$("lesson-back").addEventListener("click", () => following(back));
$("lesson-close").addEventListener("click", () => {
  $("lesson").hidden = true;
  setStatus("");
});
whenModelChanges(() =>
  following(async () => {
    await takeUp();
    setStatus("The model has changed, so the texts were sorted again.");
  }),
);
