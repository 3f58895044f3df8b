/** Relaxed SIMD on versions of Node that have it behind a flag; it is faster by almost half. */
import { setFlagsFromString } from 'node:v8';

/** The first version that has it without the flag. */
const firstWithout = 22;

/** Call it before any WebAssembly is compiled in this thread. */
export function enableRelaxedSimd(): void {
  if (Number.parseInt(process.versions.node, 10) < firstWithout) setFlagsFromString('--experimental-wasm-relaxed-simd');
}
