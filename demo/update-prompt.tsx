/** Says that a new version is ready, and leaves the moment to the person. */
import { useEffect, useState } from 'preact/hooks';
import { openNewVersion, watchForUpdate } from './offline.js';

export interface UpdatePromptProps {
  /** Opens the page with what is written in it now. */
  link: string;
}

export function UpdatePrompt({ link }: UpdatePromptProps) {
  const [phase, setPhase] = useState<'none' | 'ready' | 'opening'>('none');
  useEffect(() => watchForUpdate(() => setPhase('ready')), []);
  const open = () => {
    setPhase('opening');
    void openNewVersion(link).finally(() => setPhase('ready'));
  };
  return (
    <div class="update-place" role="status">
      {phase !== 'none' && (
        <div class="update">
          <p>
            A new version is ready. <span class="soft">Your sentences stay.</span>
          </p>
          <div class="update-actions">
            <button type="button" class="quiet" disabled={phase === 'opening'} onClick={() => setPhase('none')}>
              Later
            </button>
            <button type="button" class="button" disabled={phase === 'opening'} onClick={open}>
              Reload
            </button>
          </div>
        </div>
      )}
    </div>
  );
}
