// A document under review: the view of the reports, with the corrections of the review.

import { clausesOf, show } from "./document.js";
import { $ } from "./dom.js";
import { headOf } from "./table.js";

/** Shows the clauses again. */
export let redraw = () => {};

/** @import { Review } from "./review.js" */

/** Take the document out of the page that shows it; the rows are those of its table.
 *  @param {Response} response */
export async function readDocument(response) {
  const page = await response.text();
  // Without its styles, which are this page's.
  const part = page.slice(page.indexOf("<article"), page.lastIndexOf("</article>"));
  const article = /** @type {HTMLElement} */ (
    document.importNode(new DOMParser().parseFromString(part, "text/html").body.children[0], true)
  );
  return { article, rows: clausesOf(article), columns: [], texts: [], notes: headOf(response).notes, scored: null };
}

/** Show the document of a review in place of the list; nothing if it has none. `correct` takes a clause, a
 *  label, "" for no longer, and a service line.
 *  @param {Review} review
 *  @param {(clause: {row: number, text: string}, label: string, line: string) => void} correct */
export function present(review, correct) {
  const { article } = review, format = $("format");
  $("results").classList.toggle("of-document", Boolean(article));
  $("document").replaceChildren(...(article ? [article] : []));
  format.options[0].hidden = Boolean(article);
  if (article) format.value ||= "xlsx";
  else format.value = "";
  redraw = review.redraw ?? (() => {});
  if (!article || review.redraw) {
    redraw();
    return;
  }
  redraw = review.redraw = show(article, {
    get: (/** @type {string} */ text) => review.corrections.get(text),
    set: correct,
  });
}
