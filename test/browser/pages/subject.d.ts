import type OpenAI from 'openai';
import type { createVecinity, Vecinity, VecinityError } from 'vecinity';

declare global {
  interface Window {
    subject: {
      createVecinity: typeof createVecinity;
      VecinityError: typeof VecinityError;
      OpenAI: typeof OpenAI;
      engineWorkerUrl: string;
      startEngineWorker(): Worker;
      fetchInWorker(url: string, init: RequestInit): Promise<unknown>;
    };
    /** The client that `openEngine` made. */
    vecinity: Vecinity;
    engineWorker: Worker;
    /** Things that one `page.evaluate` leaves for the next. */
    pending: Promise<unknown>;
    /** Jobs of a page that have ended. */
    ended: number;
  }
}

declare module 'vecinity/worker?worker' {
  const EngineWorker: new () => Worker;
  export default EngineWorker;
}

declare module 'vecinity/worker?worker&url' {
  const url: string;
  export default url;
}
