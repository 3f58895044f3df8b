/** A thread of the WASM engine: started and fed by the compute worker. */
import { serveThread } from '../src/backend/wasm/thread.js';

serveThread(self as DedicatedWorkerGlobalScope);
