/** What errors say of the worker or the device that they came from: whether it is gone, or of no use any more. */
import type { VecinityError } from '../errors.js';

/** Messages of runtimes whose worker computes nothing any more, although it still answers. */
const lostDevice = /device (was |is )?lost|lost device|Aborted\(|unreachable|out of bounds|mapAsync|external Instance/i;

/** Whole messages, of traps alone: a network is unreachable, too, and no other worker would help there. */
const trap = /memory access out of bounds|^(RuntimeError: )?unreachable$/;

export function isDeath({ code }: VecinityError): boolean {
  return code === 'worker_died' || code === 'timeout';
}

/** Whether a run has lost its worker, or the device under it. */
export function isLossOf(error: VecinityError): boolean {
  return isDeath(error) || lostDevice.test(error.message);
}

/** Whether a load's worker may have been harmed from outside, so that another one tells. */
export function isHarmed({ code, message }: VecinityError): boolean {
  return code === 'worker_died' || trap.test(message);
}
