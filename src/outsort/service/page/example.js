// A small file to try the page with.

/** A description of work, a department and a yearly spend. @type {[string, string, number][]} */
const ROWS = [
  ["Type 300 supplier invoices a day into SAP", "Finance", 84_000],
  ["Prior art search for a battery patent", "Legal", 46_500],
  ["Run the monthly payroll for 1,200 staff", "HR", 132_000],
  ["Answer customers' calls about late parcels", "Logistics", 410_000],
  ["Answer customers' calls about late parcels", "Retail", 268_000],
  ["Value a portfolio of office buildings for the annual accounts", "Finance", 95_000],
  ["Forecast demand by shop with a statistical model", "Retail", 178_000],
  ["Check expense claims against the travel policy", "Finance", 39_000],
  ["Clean two office floors every evening", "Facilities", 61_000],
  ["Lease of four delivery vans", "Logistics", 57_600],
  ["Draft and negotiate software licence agreements", "Legal", 150_000],
  ["Support", "IT", 220_000],
  ["Enter new suppliers in the master data and check their bank details", "Procurement", 33_000],
  ["Design a booking app and test it with users", "IT", 240_000],
];

/** Return the example as a file. */
export function exampleFile() {
  const lines = ROWS.map(([text, department, spend]) => `"${text}",${department},${spend}`);
  return new File([["description,department,spend", ...lines, ""].join("\n")], "example.csv");
}
