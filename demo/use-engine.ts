/** Keeps one session open for the chosen model and device; a new choice closes the former session first. */
import { type StateUpdater, useEffect, useRef, useState } from 'preact/hooks';
import { type LoadProgress, VecinityError } from 'vecinity';
import { type EngineChoice, openSession, type Session } from './engine.js';
import { messageOf } from './failure.js';

export type EngineState =
  | { phase: 'loading'; progress: LoadProgress | null }
  | { phase: 'ready'; session: Session }
  | { phase: 'failed'; message: string; isStorageFull: boolean };

const loading: EngineState = { phase: 'loading', progress: null };

export interface EngineHandle {
  state: EngineState;
  /** Starts the same choice again after a failure. */
  retry(): void;
}

export function useEngine(choice: EngineChoice): EngineHandle {
  const [state, setState] = useState<EngineState>(loading);
  const [attempt, setAttempt] = useState(0);
  const closed = useRef<Promise<void>>(Promise.resolve());

  useEffect(() => {
    const controller = new AbortController();
    const show = (next: StateUpdater<EngineState>) => {
      if (!controller.signal.aborted) setState(next);
    };
    setState(loading);
    const opening = closed.current.then(() => {
      controller.signal.throwIfAborted();
      return openSession(choice, {
        signal: controller.signal,
        onProgress: (progress) => show((former) => advance(former, progress)),
      });
    });
    opening.then(
      (session) => show({ phase: 'ready', session }),
      (error: unknown) => show(toFailure(error)),
    );
    return () => {
      controller.abort();
      closed.current = close(opening);
    };
    // `attempt` only asks for another start.
  }, [choice, attempt]);

  return { state, retry: () => setAttempt((count) => count + 1) };
}

/** A session stays while another tab's engine or another worker loads its model again: what is asked meanwhile waits. */
function advance(former: EngineState, progress: LoadProgress): EngineState {
  return former.phase === 'loading' ? { phase: 'loading', progress } : former;
}

function toFailure(error: unknown): EngineState {
  const isStorageFull = error instanceof VecinityError && error.code === 'storage_full';
  return { phase: 'failed', message: messageOf(error), isStorageFull };
}

/** Ends once the session is gone; one that never opened has cleaned up behind itself. */
async function close(opening: Promise<Session>): Promise<void> {
  const session = await opening.catch(() => null);
  session?.dispose();
}
