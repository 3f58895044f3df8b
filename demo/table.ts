/** The map as text that other programs read: CSV (RFC 4180) and JSON. */

export interface SimilarityTable {
  model: string;
  texts: readonly string[];
  /** `[size, size]`, rows and columns in the order of `texts`. */
  values: Float64Array;
}

/** A header of all texts, then one row a text: the text and its cosines, six decimals. */
export function toCsv({ texts, values }: SimilarityTable): string {
  const header = ['', ...texts].map(quote).join(',');
  const rows = texts.map((text, row) => [quote(text), ...rowOf(values, texts.length, row).map(decimal)].join(','));
  return `${[header, ...rows].join('\r\n')}\r\n`;
}

/** `{model, measure, sentences, similarity}`; `similarity[i][j]` is the cosine of sentences i and j. */
export function toJson({ model, texts, values }: SimilarityTable): string {
  const similarity = texts.map((_, row) => rowOf(values, texts.length, row).map((value) => Number(decimal(value))));
  return JSON.stringify({ model, measure: 'cosine', sentences: texts, similarity }, null, 2);
}

function rowOf(values: Float64Array, size: number, row: number): number[] {
  return Array.from(values.subarray(row * size, (row + 1) * size));
}

function decimal(value: number): string {
  return String(Number(value.toFixed(6)));
}

function quote(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
