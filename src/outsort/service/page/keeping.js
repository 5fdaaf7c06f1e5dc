// The reviews that this browser keeps.

import { review as shownReview } from "./current.js";
import { update } from "./decisions.js";
import { $, button, element, hideError, plural, setStatus, showError, when } from "./dom.js";
import * as list from "./list.js";
import { Review } from "./review.js";
import { cancel, show, sort } from "./sorting.js";
import * as store from "./store.js";

/** id -> a review that is kept, or was opened in this tab @type {Map<string, Review>} */
export const reviews = new Map();

/** Read what is kept. If the browser keeps nothing, `keep` will say so. */
export const loaded = store.all().then(
  (kept) => kept.forEach((/** @type {any} */ [record, log]) => reviews.set(record.id, new Review(record, log))),
  () => {},
);

/** @param {Review} kept */
export function keep(kept) {
  store.put(kept.record).catch(notKept(kept));
}

let hasWarned = false;

/** Return what to do when a review cannot be kept: say it once, and ask before the page is closed.
 *  @param {Review} lost */
export function notKept(lost) {
  return () => {
    lost.isKept = false;
    showKeeping();
    if (hasWarned) return;
    hasWarned = true;
    showError("This browser does not keep the file and its corrections. Download them before you close the page.");
  };
}

export function showKeeping() {
  $("keeping").textContent = shownReview.isKept ? "Kept in this browser." : "Not kept in this browser.";
}

/** @param {Review[]} unwanted */
export function forget(unwanted) {
  const n = unwanted.reduce((sum, { corrections }) => sum + corrections.size, 0);
  const what = unwanted.length === 1 ? unwanted[0].title : plural(unwanted.length, "file");
  if (n && !confirm(`Forget ${what} and ${plural(n, "correction")}? This cannot be undone.`)) return;
  for (const { id } of unwanted) {
    store.forget(id).catch(() => {}); // it was not kept
    drop(id);
  }
}

/** Take a review that is no longer kept off the page. @param {string} id */
function drop(id) {
  reviews.delete(id);
  if (shownReview.id !== id) {
    listKept();
    return;
  }
  list.present(new Review());
  history.replaceState(null, "");
  start();
}

/** Take up what another tab did to a review. */
store.onChange(async (/** @type {string} */ id) => {
  const [record, log] = await store.one(id);
  if (!record) {
    drop(id);
    return;
  }
  const known = reviews.get(id);
  if (known) known.merge(log);
  else reviews.set(id, new Review(record, log));
  listKept();
  if (known === shownReview) update();
});

export function listKept() {
  const latest = [...reviews.values()].sort((a, b) => (a.at < b.at ? 1 : -1));
  $("kept").hidden = latest.length === 0;
  if ($("welcome")) $("welcome").hidden = latest.length > 0; // other labels than the shipped have none
  $("forget-all").hidden = latest.length < 2;
  $("kept").querySelector("ul").replaceChildren(...latest.map(itemOf));
}

/** @param {Review} review */
function itemOf(review) {
  const item = element("li", "together");
  const facts = [plural(review.corrections.size, "correction"), when(review.at)];
  if (!review.isKept) facts.push("until this page is closed");
  const [opens, forgets] = [button(review.title), button("Forget")];
  opens.className = forgets.className = "quiet";
  opens.addEventListener("click", () => reopen(review));
  forgets.addEventListener("click", () => forget([review]));
  forgets.setAttribute("aria-label", `Forget ${review.title}`);
  item.append(opens, element("span", "soft small", facts.join(", ")), forgets);
  return item;
}

/** @param {Review} review */
function reopen(review) {
  cancel();
  if (review === shownReview && review.rows.length) show(review);
  else sort(review, $("kept"));
}

export function start() {
  cancel();
  hideError();
  $("results").hidden = $("again").hidden = $("columns").hidden = $("keys").hidden = true;
  $("ask").hidden = false;
  open(false);
  listKept();
  setStatus("");
  $("texts").focus();
}

/** Open or close the details, which cover the list on narrow screens. @param {boolean} is */
export function open(is) {
  document.body.classList.toggle("open", is);
  if (is) $("detail").focus({ preventScroll: true });
  else $("list").focus({ preventScroll: true });
}

/** Show what the history says, which outlives a reload: the review of an id, or the start. */
export function route() {
  const kept = reviews.get(history.state);
  if (kept) reopen(kept);
  else start();
}
