// Small helpers: elements, messages, and how values are written.

import { percent } from "./document.js";

export { percent };

/** Return the element of an id; any, because the page has it and its kind shows where it is used.
 *  @param {string} id
 *  @returns {any} */
export const $ = (id) => document.getElementById(id);

/** @template {keyof HTMLElementTagNameMap} Tag
 *  @param {Tag} tag
 *  @param {string} name its class
 *  @param {string} text
 *  @returns {HTMLElementTagNameMap[Tag]} */
export function element(tag, name = "", text = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  return made;
}

/** @param {string} text */
export const button = (text) => Object.assign(element("button", "", text), { type: "button" });

/** @param {string} text */
export function setStatus(text, busy = false) {
  $("status").textContent = text;
  document.body.classList.toggle("busy", busy);
}

/** Say what went wrong beside where it happened.
 *  @param {string} text
 *  @param {Element | null} place the element that it is shown after; the top of the page if there is none */
export function showError(text, place = null) {
  if (place?.checkVisibility()) place.after($("alert"));
  else document.querySelector("main")?.prepend($("alert"));
  $("alert").textContent = text;
  $("alert").hidden = false;
}

export const hideError = () => ($("alert").hidden = true);

/** @param {number} n */
export const count = (n) => n.toLocaleString("en-GB");
const compact = new Intl.NumberFormat("en-GB", { notation: "compact", maximumFractionDigits: 1 });
/** Write an amount in few characters. @param {number} n */
export const amount = (n) => (Math.abs(n) < 10_000 ? count(Math.round(n)) : compact.format(n));
/** @param {number} n
 *  @param {string} noun */
export const plural = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
/** Write a part of a whole; all and nothing as such.
 *  @param {number} part
 *  @param {number} whole */
export const share = (part, whole) => (part === 0 ? "0%" : part === whole ? "100%" : percent(part / whole));
/** Write a size that people know from their files. @param {number} bytes */
export const megabytes = (bytes) => `${Math.max(1, Math.round(bytes / 1e6))} MB`;
/** @param {string} line */
export const lineName = (line, none = "no service line") => (line || none).replaceAll("_", " ");
/** @param {string} at */
export const when = (at) => new Date(at).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
