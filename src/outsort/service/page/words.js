// Texts with their words tinted by what they say for and against the answer.

import { element, percent } from "./dom.js";

/** Least log-odds of a reason for a weak, medium and strong tint. */
const TINTED_FROM = [0, 0.5, 1.5];
/** A clause counts little if its share is less than this part of the greatest. */
const LITTLE = 0.25;

/** An explained answer of the service, see its description of /predict.
 *  @typedef {object} Explained
 *  @property {string} key
 *  @property {{word: string, start: number, end: number, log_odds: number, is_reason: boolean}[]} words
 *  @property {{start: number, end: number, share: number}[]} clauses
 *  @property {{service_line: string}[]} service_lines
 *  @property {{term: string}[]} for
 *  @property {{term: string}[]} against */

/** Split a text into nodes by its clauses. Positions are in code points, as in Python.
 *  @param {string} text
 *  @param {Explained | undefined} known
 *  @returns {(string | HTMLElement)[]} */
export function tinted(text, known, limit = Infinity) {
  if (!text.trim()) return [element("i", "soft", "empty")];
  if (!known) return [text.length > limit ? `${text.slice(0, limit)}…` : text];
  const characters = Array.from(limit < Infinity ? text.slice(0, 2 * limit) : text);
  const end = Math.min(characters.length, limit);
  const words = known.words.values(), least = leastShare(known);
  const parts = [];
  let at = 0, word = words.next().value;
  for (const clause of known.clauses) {
    if (clause.start >= end) break;
    const inside = [];
    for (; word && word.start < clause.end; word = words.next().value) inside.push(word);
    const to = Math.min(clause.end, end), part = element("span", clause.share < least ? "little" : "");
    if (known.clauses.length > 1) part.title = `counts ${percent(clause.share)}`;
    part.append(...tintedWords(characters, clause.start, to, inside));
    parts.push(characters.slice(at, clause.start).join(""), part);
    at = to;
  }
  parts.push(characters.slice(at, end).join("") + (end < characters.length ? "…" : ""));
  return parts;
}

/** Whether some clauses of a text count little. @param {Explained} known */
export const hasLittle = (known) => known.clauses.some(({ share }) => share < leastShare(known));

/** Split a part of a text into nodes, with words tinted by their log-odds.
 *  @param {string[]} characters
 *  @param {number} start
 *  @param {number} end
 *  @param {Explained["words"]} words */
function tintedWords(characters, start, end, words) {
  const parts = [];
  let at = start;
  for (const word of words) {
    const strength = TINTED_FROM.filter((least) => Math.abs(word.log_odds) >= least).length;
    if (word.start < at || word.end > end || !word.is_reason) continue;
    const name = `t ${word.log_odds > 0 ? "for" : "against"} s${strength}`;
    parts.push(characters.slice(at, word.start).join(""));
    parts.push(element("span", name, characters.slice(word.start, word.end).join("")));
    at = word.end;
  }
  return [...parts, characters.slice(at, end).join("")];
}

const leastShare = (/** @type {Explained} */ { clauses }) => LITTLE * Math.max(...clauses.map(({ share }) => share));
