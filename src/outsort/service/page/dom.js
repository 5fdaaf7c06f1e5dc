// Small helpers: elements, messages, and how values are written.

export { percent } from "./document.js";

export const $ = (id) => document.getElementById(id);

export function element(tag, name = "", text = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  return made;
}

export function setStatus(text, busy = false) {
  $("status").textContent = text;
  document.body.classList.toggle("busy", busy);
}

export function showError(text) {
  $("alert").textContent = text;
  $("alert").hidden = false;
}

export const count = (n) => n.toLocaleString("en-GB");
export const plural = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
export const lineName = (line, none = "no service line") => (line || none).replaceAll("_", " ");
export const when = (at) => new Date(at).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
