// Keeps reviews in this browser (IndexedDB), and tells the other tabs of changes.
//
// Every function rejects where the browser keeps nothing: storage is blocked, or full.

let writing = 0;
const channel = new BroadcastChannel("outsort");
const database = open();
database.catch(() => {}); // whoever uses it gets the error

/** @returns {Promise<IDBDatabase>} */
function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("outsort", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("reviews", { keyPath: "id" });
      request.result.createObjectStore("log", { autoIncrement: true }).createIndex("review", "review");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** @template T
 *  @param {IDBRequest<T>} request
 *  @returns {Promise<T>} */
const result = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** Make changes to the review of an id in one transaction, and resolve once they are written.
 *  @param {string} id
 *  @param {(reviews: IDBObjectStore, log: IDBObjectStore, transaction: IDBTransaction) => void} change */
async function write(id, change) {
  writing++;
  try {
    const transaction = (await database).transaction(["reviews", "log"], "readwrite");
    await new Promise((/** @type {(_: unknown) => void} */ resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
      change(transaction.objectStore("reviews"), transaction.objectStore("log"), transaction);
    });
    channel.postMessage(id);
  } finally {
    writing--;
  }
}

/** Whether something is not written yet, and would be lost if the page was closed. */
export const isWriting = () => writing > 0;

/** Keep the record of a review. @param {any} record */
export const put = (record) => write(record.id, (reviews) => reviews.put(record));

/** Keep an entry of the log of a review.
 *  @param {string} id
 *  @param {object} entry */
export const append = (id, entry) =>
  write(id, (_, log, transaction) => {
    log.add({ ...entry, review: id });
    transaction.commit(); // and do not wait for this page, which may be about to close
  });

/** Delete a review and its log. @param {string} id */
export const forget = (id) =>
  write(id, (reviews, log) => {
    reviews.delete(id);
    log.index("review").getAllKeys(id).onsuccess = (/** @type {any} */ { target }) => {
      for (const key of target.result) log.delete(key);
    };
  });

/** Return all reviews as pairs of record and log. */
export async function all() {
  const transaction = (await database).transaction(["reviews", "log"]);
  const [records, entries] = await Promise.all(
    ["reviews", "log"].map((name) => result(transaction.objectStore(name).getAll())),
  );
  const logs = Map.groupBy(entries, (entry) => entry.review);
  return records.map((record) => [record, logs.get(record.id) ?? []]);
}

/** Return the record and the log of one review; no record if it is forgotten. @param {string} id */
export async function one(id) {
  const transaction = (await database).transaction(["reviews", "log"]);
  return Promise.all([
    result(transaction.objectStore("reviews").get(id)),
    result(transaction.objectStore("log").index("review").getAll(id)),
  ]);
}

/** Call a function with the id of each review that another tab changes. @param {(id: string) => void} listener */
export function onChange(listener) {
  channel.onmessage = (event) => listener(event.data);
}
