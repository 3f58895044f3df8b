/** The built package on the soak's own server. */
declare module '*/vecinity/engine-worker.js';
declare module '*/vecinity/compute-worker.js';
