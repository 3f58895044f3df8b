/** Where the map's cells lie for a given width: the plot draws them there and the grid for pointer and keys lies on top. */

export interface Geometry {
  width: number;
  height: number;
  /** Side of one cell in CSS pixels. */
  cell: number;
  /** Distance of the first cell from the left and top edges. */
  left: number;
  top: number;
  /** Cells are large enough for numbers. */
  showValues: boolean;
  /** Room of a row's text: pixels of width, and lines. */
  labelWidth: number;
  labelLines: number;
  fontSize: number;
}

const minCell = 13;
const maxCell = 92;
const minCellWithValue = 25;
/** Room for a number and the beginning of a text. */
const leastLeft = 110;
/** Room for a row's number beside its text. */
export const numberRoom = 30;

/** Fits `size` rows into `width` pixels; many rows on a narrow screen become wider than that and scroll. */
export function layOut(width: number, size: number): Geometry {
  const narrow = width < 520;
  const wanted = narrow ? width * 0.38 : Math.min(230, width * 0.32);
  const cell = clamp(Math.floor((width - wanted) / size), minCell, maxCell);
  // Rows too many for the width take it from their labels first.
  const left = Math.floor(clamp(width - cell * size, narrow ? wanted : leastLeft, narrow ? wanted : 300));
  const fontSize = Math.min(narrow ? 11 : 12.5, cell - 2);
  const top = fontSize + 14;
  return {
    width: left + cell * size,
    height: top + cell * size,
    cell,
    left,
    top,
    showValues: cell >= minCellWithValue,
    labelWidth: left - numberRoom,
    labelLines: Math.min(3, Math.max(1, Math.floor((cell - 4) / (fontSize * 1.15)))),
    fontSize,
  };
}

export interface Place {
  row: number;
  column: number;
}

/** The cell at a point measured from the first cell's corner, or null outside. */
export function placeAt({ cell }: Geometry, size: number, x: number, y: number): Place | null {
  const place = { row: Math.floor(y / cell), column: Math.floor(x / cell) };
  return isInside(place.row, size) && isInside(place.column, size) ? place : null;
}

/** Where a key moves the cursor, as in ARIA's grid pattern; null for other keys. */
export function moveBy(key: string, whole: boolean, { row, column }: Place, size: number): Place | null {
  const last = size - 1;
  switch (key) {
    case 'ArrowLeft':
      return { row, column: Math.max(0, column - 1) };
    case 'ArrowRight':
      return { row, column: Math.min(last, column + 1) };
    case 'ArrowUp':
      return { row: Math.max(0, row - 1), column };
    case 'ArrowDown':
      return { row: Math.min(last, row + 1), column };
    case 'Home':
      return { row: whole ? 0 : row, column: 0 };
    case 'End':
      return { row: whole ? last : row, column: last };
    default:
      return null;
  }
}

function isInside(index: number, size: number): boolean {
  return index >= 0 && index < size;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
