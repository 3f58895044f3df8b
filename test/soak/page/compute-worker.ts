/** The built compute worker, whose kernels fail when they are told to. */
import './compute-trap.js';
// The built package, as our server has it.
import '/vecinity/compute-worker.js';
