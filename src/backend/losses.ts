/** What errors say of the worker or the device that they came from: whether it is gone, or of no use any more. */
import type { VecinityError } from '../errors.js';

/** Messages of runtimes whose worker computes nothing any more, although it still answers. */
const lostDevice = /device (was |is )?lost|lost device|Aborted\(|unreachable|out of bounds|mapAsync|external Instance/i;

/** Ends of messages, of traps alone: a network is unreachable, too, and no other worker would help there. */
const trap = /memory access out of bounds|(^|: )unreachable$/;

export function isDeath({ code }: VecinityError): boolean {
  return code === 'worker_died' || code === 'timeout';
}

/** Whether a run has lost its worker, or the device under it. */
export function isLossOf(error: VecinityError): boolean {
  return isDeath(error) || lostDevice.test(error.message);
}

/**
 * Whether another worker tells if a load can work: this one may have been harmed from outside, or have come before the
 * system had the memory of the worker that it replaces.
 */
export function isHarmed({ code, message }: VecinityError): boolean {
  return code === 'worker_died' || code === 'out_of_memory' || trap.test(message);
}
