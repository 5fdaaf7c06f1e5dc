// Amounts of money as people write them: what outsort.data.amounts reads, read in the same way.

const CURRENCY = String.raw`(?:[A-Z]{3}|[A-Z]{0,2}[$€£¥₹₽₩₪₺₴₦₫฿₱]|[Rr]s\.?|kr\.?|zł|Kč|Ft|Fr\.)`;
const MINUS = "[-−–]";
const AMOUNT = new RegExp(
  String.raw`^(?<open>\()?\s*(?<minus>${MINUS})?\+?\s*(?:${CURRENCY}\s*)?(?<inner>${MINUS})?\s*` +
    String.raw`(?<digits>\d[\d.,'’\s]*|[.,]\d+)(?:\s*${CURRENCY})?\s*(?<after>${MINUS})?\s*(?<close>\))?$`,
);
/** Thousands apart by a space or an apostrophe. */
const SPACED = /^\d{1,3}(?:[\s'’]\d{3})+(?:[.,]\d*)?$/;
/** Thousands, or as in India hundreds of thousands, apart by one of these. @type {Record<string, RegExp>} */
const GROUPED = { ",": /^\d{1,3}(?:,\d{2,3})*,\d{3}$/, ".": /^\d{1,3}(?:\.\d{2,3})*\.\d{3}$/ };
/** With a single sign, thousands and decimals look alike. */
const AMBIGUOUS = /^[1-9]\d{0,2}[.,]\d{3}$/;
/** Numbers as programs write them. */
const SCIENTIFIC = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i;
/** Numbers that name something, as in a register: no amount is written with zeros before it. */
const CODE = /^0\d+$/;
/** Part of the cells looked at that must be amounts in a column of them. */
const MOST = 0.8;

/** Return the cells of a column as numbers, NaN for what is not one.
 *  @param {unknown[]} cells
 *  @returns {Float64Array} */
export function amounts(cells) {
  const mark = decimalMark(cells);
  return Float64Array.from(cells, (cell) => amount(cell, mark));
}

/** Whether a column may be one of amounts, by some of its cells.
 *  @param {unknown[]} cells */
export function areAmounts(cells) {
  const filled = cells.filter((cell) => cell != null && String(cell).trim());
  if (filled.some((cell) => CODE.test(String(cell).trim())) || areRunning(filled)) return false;
  const read = amounts(filled).filter((number) => !Number.isNaN(number));
  return filled.length > 0 && read.length >= MOST * filled.length && read.some((number) => number > 0);
}

/** Whether cells count the rows: each is one more than the one before. @param {unknown[]} cells */
const areRunning = (cells) => cells.length > 2 && cells.every((cell, i) => !i || Number(cell) === Number(cells[i - 1]) + 1);

/** Return what stands before the decimals of a column; "" where no cell tells.
 *  @param {unknown[]} cells */
function decimalMark(cells) {
  const found = new Set(cells.map((cell) => (typeof cell === "string" ? markOf(parsed(cell).digits) : "")));
  found.delete("");
  // Cells of both kinds tell for themselves; the others are read as in English.
  return found.size === 1 ? [...found][0] : found.size ? "." : "";
}

/** @param {unknown} cell
 *  @param {string} mark */
function amount(cell, mark) {
  if (typeof cell === "number") return cell;
  if (typeof cell !== "string") return NaN;
  const plain = cell.trim();
  if (SCIENTIFIC.test(plain) && !(mark === "," && AMBIGUOUS.test(plain.replace(/^[-+]+/, "")))) return Number(plain);
  const { isNegative, digits } = parsed(cell);
  return isNegative ? -number(digits, mark) : number(digits, mark);
}

/** Return whether an amount is below 0, and its digits with their signs; "" for what is not an amount.
 *  @param {string} cell */
function parsed(cell) {
  // A dash in the place of decimals, as in 500,- is no minus.
  const found = AMOUNT.exec(cell.trim().replace(/[.,]\s*[-–—]+$/, ""))?.groups;
  if (!found || Boolean(found.open) !== Boolean(found.close)) return { isNegative: false, digits: "" };
  let digits = found.digits.trim();
  if (SPACED.test(digits)) digits = digits.replace(/[^\d.,]/g, "");
  const isNegative = Boolean(found.open || found.minus || found.inner || found.after);
  return { isNegative, digits: /^[\d.,]+$/.test(digits) ? digits : "" };
}

/** Return the decimal mark that digits tell of, "" where they do not.
 *  @param {string} digits */
function markOf(digits) {
  const signs = digits.replace(/\d/g, "");
  if (!signs || AMBIGUOUS.test(digits)) return "";
  // The sign that comes again parts thousands.
  if (signs.length > 1 && new Set(signs).size === 1) return signs[0] === "." ? "," : ".";
  return signs[signs.length - 1];
}

/** @param {string} digits
 *  @param {string} mark */
function number(digits, mark) {
  const sign = AMBIGUOUS.test(digits) ? mark || "." : markOf(digits);
  const at = sign ? digits.lastIndexOf(sign) : -1;
  const decimals = at < 0 ? "" : digits.slice(at + 1);
  let whole = at < 0 ? digits : digits.slice(0, at);
  const other = sign === "." ? "," : ".";
  if (whole.includes(other)) {
    if (!GROUPED[other].test(whole)) return NaN;
    whole = whole.replaceAll(other, "");
  }
  const plain = decimals ? `${whole}.${decimals}` : whole;
  return plain && !Number.isNaN(Number(plain)) ? Number(plain) : NaN;
}
