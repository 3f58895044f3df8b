/** The built engine worker, with a hold on the workers that it starts. */
import './compute-watch.js';
// The built package, as our server has it.
import '/vecinity/engine-worker.js';
