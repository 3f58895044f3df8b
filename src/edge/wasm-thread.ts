/** A thread of the WASM engine on Node: started and fed by the compute thread. */
import { serveThread } from '../backend/wasm/thread.js';
import { ownPort } from './thread.js';

serveThread(ownPort());
