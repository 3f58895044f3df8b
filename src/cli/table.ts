/** Columns of text for people: as wide as their widest cell, and no control character of a text reaches the terminal. */

const longestCell = 60;

/** A head, and a line for each row; cells that look like numbers stand at the right. */
export function formatTable(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [columns, ...rows].map((cells) => cells.map(toCell));
  const widths = columns.map((_, column) => Math.max(...lines.map((cells) => [...(cells[column] ?? '')].length)));
  const pad = (cell: string, column: number) => {
    const space = ' '.repeat((widths[column] ?? 0) - [...cell].length);
    return isNumber(rows[0]?.[column] ?? '') ? space + cell : cell + space;
  };
  return lines.map((cells) => `${cells.map(pad).join('  ').trimEnd()}\n`).join('');
}

function isNumber(cell: string): boolean {
  return /^-?\d+(?:\.\d+)?$/.test(cell);
}

function toCell(text: string): string {
  const printable = text.replace(/\p{Cc}+/gu, ' ');
  const letters = [...printable];
  return letters.length > longestCell ? `${letters.slice(0, longestCell - 1).join('')}…` : printable;
}
