// How far the sorting of a file is, with a button that ends it.

import { $, count, setStatus } from "./dom.js";
import { unique } from "./review.js";
import { progressOf } from "./service.js";

/** Milliseconds between questions to the service. */
const EVERY = 700;
/** Part of the way that the service makes; the rest is reading its answers. */
const OF_SERVICE = 0.8;

export class Progress {
  #abort = new AbortController();
  #isOver = false;

  /** Start to show it. @param {string} name what is sorted */
  constructor(name) {
    this.id = unique();
    this.signal = this.#abort.signal;
    setStatus(`Sorting ${name} …`, true);
    $("progress").hidden = false;
    $("done").removeAttribute("value");
    this.#ask();
  }

  async #ask() {
    while (!this.#isOver) {
      await new Promise((resolve) => setTimeout(resolve, EVERY));
      if (this.#isOver) return;
      const { rows, share } = await progressOf(this.id).catch(() => ({ rows: 0, share: 0 }));
      if (rows && !this.#isOver) this.#show(share * OF_SERVICE, rows);
    }
  }

  /** Show how much of the answers has arrived.
   *  @param {number} share
   *  @param {number} rows */
  reading(share, rows) {
    if (this.#isOver || !rows) return;
    this.#show(OF_SERVICE + (1 - OF_SERVICE) * share, rows);
  }

  /** @param {number} share
   *  @param {number} rows */
  #show(share, rows) {
    $("done").value = Math.min(1, share);
    $("done-rows").textContent = `${count(rows)} rows`;
  }

  /** Stop showing it; end the request if it is not over. */
  end() {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#abort.abort();
    $("progress").hidden = true;
    $("done-rows").textContent = "";
  }
}
