// A file under review: its rows, and what a person decided about them.
//
// Decisions are a log that only grows, of entries that have an id each: {row, text, label, line, at} corrects a
// text, with an empty label for no longer; {undoes} takes the decision of that id back; {reviewer} names who
// decides. So two tabs can add to one log, and no order of writes loses a decision.

export class Review {
  rows = [];
  /** The columns of the file with some cells of each, and which of them are the text columns. */
  columns = [];
  texts = [];
  /** Whether the browser keeps it; if not, whether decisions are in no download yet. */
  isKept = true;
  hasUnsaved = false;

  /** Take up a review as the store keeps it, with its log. */
  constructor({ id = unique(), file, column, sheet = "", pasted, model, at = new Date().toISOString() }, log = []) {
    Object.assign(this, { id, file, column, sheet, pasted, model, at });
    this.replay(log);
  }

  get record() {
    const { id, file, column, sheet, pasted, model, at } = this;
    return { id, file, column, sheet, pasted, model, at };
  }

  get title() {
    return this.pasted ? "Your texts" : this.file.name;
  }

  replay(log) {
    this.log = log;
    const undone = new Set(log.map((entry) => entry.undoes));
    this.decisions = log.filter((entry) => "label" in entry && !undone.has(entry.id));
    /** text -> the decision that corrects it */
    this.corrections = new Map();
    for (const decision of this.decisions) {
      if (decision.label) this.corrections.set(decision.text, decision);
      else this.corrections.delete(decision.text);
    }
    this.reviewer = log.findLast((entry) => "reviewer" in entry)?.reviewer ?? "";
  }

  /** Add an entry to the log, and return it with its id. */
  add(entry) {
    const added = { id: unique(), ...entry };
    this.hasUnsaved = true;
    this.replay([...this.log, added]);
    return added;
  }

  /** Take up the log as it is kept; what is not written yet, or cannot be, stays. */
  merge(log) {
    const known = new Set(log.map((entry) => entry.id));
    this.replay([...log, ...this.log.filter((entry) => !known.has(entry.id))]);
  }

  /** Return the corrections in the order of their first rows: {text, modelLabel, rows, label, line, at}. */
  corrected() {
    const found = new Map();
    this.rows.forEach(({ text, label: modelLabel }, row) => {
      const correction = this.corrections.get(text);
      if (!correction) return;
      const { label, line, at } = correction;
      if (!found.has(text)) found.set(text, { text, modelLabel, rows: [], label, line, at });
      found.get(text).rows.push(row);
    });
    return [...found.values()];
  }
}

/** Return whether two files hold the same bytes, whatever their names; false if one cannot be read any more. */
export async function sameContent(one, other) {
  if (one.size !== other.size) return false;
  try {
    const [a, b] = await Promise.all([one, other].map(async (file) => new Uint8Array(await file.arrayBuffer())));
    return a.every((byte, i) => byte === b[i]);
  } catch {
    return false;
  }
}

/** Return a random name; crypto.randomUUID is missing where the page comes from another machine without TLS. */
function unique() {
  return crypto.getRandomValues(new Uint32Array(3)).join("-");
}
