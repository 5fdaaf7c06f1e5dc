// What the page uses of the script of the reports.

export const COLUMNS: string[];
export function percent(p: number): string;
export function csv(rows: unknown[][]): Blob;
export function save(blob: Blob, name: string): void;
export function clausesOf(article: Element): any[];
export function show(article: Element, kept: object | null): () => void;
