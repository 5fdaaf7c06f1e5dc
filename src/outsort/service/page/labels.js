// The labels of the model: their colours and keys, and what on the page depends on them.

import { $, button, element } from "./dom.js";

/** Keys for the labels of the shipped data; those of other models have the digits. */
const LETTERS = /** @type {Record<string, string>} */ ({ BPO: "b", KPO: "k", NEITHER: "n" });
/** From more labels than there are digits, one is chosen from a list. */
const MAX_BUTTONS = 9;
/** In the rows there is less room. */
const MAX_QUICK = 4;
const N_COLOURS = 8;

/** The labels, with an empty key if there is none; the hue is a class of the style sheet.
 *  @type {{label: string, key: string, hue: string}[]} */
export let labels = [];

export const isListed = () => labels.length > MAX_BUTTONS;
/** @param {string} label */
export const hueOf = (label) => labels.find((known) => known.label === label)?.hue ?? "unknown";
/** @param {string} key */
export const labelOfKey = (key) => labels.find((known) => known.key === key)?.label;

/** Build what is there for each label.
 *  @param {{labels: string[], out_of_scope: string}} model */
export function build({ labels: names, out_of_scope: outOfScope }) {
  const isShipped = names.every((name) => Object.hasOwn(LETTERS, name));
  labels = names.map((label, i) => ({
    label,
    key: isShipped ? LETTERS[label] : i < MAX_BUTTONS ? String(i + 1) : "",
    hue: label === outOfScope ? "out" : `hue${i % N_COLOURS}`,
  }));
  if (isShipped) describeShipped();
  else $("welcome").remove(); // it is about the shipped labels
  $("label-keys").replaceChildren(...keyHints(isShipped));
  $("show-label").hidden = $("decide-label").hidden = !isListed();
  if (isListed()) {
    fillSelect("any label", $("show-label"));
    fillSelect("not corrected", $("decide-label"), ({ label, key }) => `${key} ${label}`.trim());
  } else {
    $("show-corrected").before(...labels.map(filterOf));
    $("undo").before(...labels.map(buttonOf));
  }
}

function describeShipped() {
  document.title = "outsort: BPO or KPO?";
  $("tagline").textContent = "Business process or knowledge process?";
  $("texts").placeholder = "Type 300 supplier invoices a day into SAP\nPrior art search for a battery patent";
}

/** @param {boolean} isShipped */
function keyHints(isShipped) {
  const keys = labels.filter(({ key }) => key).map(({ key }) => element("kbd", "", key.toUpperCase()));
  if (!isShipped) return [keys[0], " to ", keys.at(-1), " correct to the label of that number"];
  return [...keys.flatMap((key) => [key, " "]), `correct to ${labels.map(({ label }) => label).join(", ")}`];
}

/** @param {{label: string}} known */
function filterOf({ label }) {
  const made = element("label"), radio = element("input"), shown = element("span", "", `${label} `);
  Object.assign(radio, { type: "radio", name: "show", value: "label" });
  radio.dataset.label = label;
  shown.append(element("b"));
  made.append(radio, shown);
  return made;
}

/** @param {{label: string, key: string}} known */
function buttonOf({ label, key }) {
  const made = button("");
  made.value = label;
  made.setAttribute("aria-keyshortcuts", key);
  if (/\d/.test(key)) {
    const hint = element("kbd", "", key);
    hint.setAttribute("aria-hidden", "true");
    made.append(hint, " ");
  }
  made.append(label);
  return made;
}

/** @param {string} none
 *  @param {HTMLSelectElement} select
 *  @param {(known: {label: string, key: string}) => string} textOf */
function fillSelect(none, select, textOf = ({ label }) => label) {
  const options = labels.map((known) => new Option(textOf(known), known.label));
  select.replaceChildren(new Option(none, ""), ...options);
}

/** Return the shortcuts for the mouse in a row. They are no buttons: an option of a list holds none, and the same is
 *  possible by keyboard and in the details. */
export function quickMarks() {
  const quick = element("span", "quick");
  quick.setAttribute("aria-hidden", "true");
  for (const { label, key } of labels.length > MAX_QUICK ? [] : labels) {
    const mark = element("span", "", key.toUpperCase());
    mark.dataset.to = mark.title = label;
    quick.append(mark);
  }
  return quick;
}
