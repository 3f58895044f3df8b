/** The models that the browser keeps for this site: which, how large, whether for good, and their deletion. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { StorageUsage, StoredModel } from 'vecinity';
import { formatBytes } from './bytes.js';
import { useStorage } from './use-storage.js';

export interface StoragePanelProps {
  /** Any value that is another one whenever something may have been stored. */
  changed: unknown;
  /** The id of the model that is loaded; null for none. */
  used: string | null;
}

export function StoragePanel({ changed, used }: StoragePanelProps) {
  const [open, setOpen] = useState(false);
  const { stored, message, remove, persist } = useStorage(open, changed);
  const summary = useRef<HTMLElement>(null);
  const removeRow = async (model: StoredModel) => {
    // The row and its buttons go; the focus would go with them.
    summary.current?.focus();
    await remove(model);
  };
  return (
    <details class="storage" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary ref={summary}>Stored models</summary>
      <div class="storage-body">
        {stored === null && message === '' && <p class="soft">Looking …</p>}
        {stored !== null && (
          <>
            <StoredList models={stored.models} used={used} onRemove={removeRow} />
            <Usage usage={stored.usage} onPersist={persist} />
          </>
        )}
        <p role="status" class="storage-message">
          {message}
        </p>
      </div>
    </details>
  );
}

interface StoredListProps {
  models: readonly StoredModel[];
  used: string | null;
  onRemove(model: StoredModel): void;
}

function StoredList({ models, used, onRemove }: StoredListProps) {
  if (models.length === 0) {
    return (
      <p class="soft">
        None yet. Models from the hub and other servers are stored; those from this server are not, the browser’s cache
        has them.
      </p>
    );
  }
  return (
    <ul class="stored">
      {models.map((model) => (
        <Row
          key={`${model.model}@${model.revision}`}
          model={model}
          isUsed={isUsed(model, used)}
          onRemove={() => onRemove(model)}
        />
      ))}
    </ul>
  );
}

/** A model that was loaded by its address on a hub is stored by its name there. */
function isUsed({ model }: StoredModel, used: string | null): boolean {
  return used !== null && (used === model || used.includes(`/${model}/`));
}

interface RowProps {
  model: StoredModel;
  isUsed: boolean;
  onRemove(): void;
}

function Row({ model, isUsed, onRemove }: RowProps) {
  const [asking, setAsking] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const keep = () => {
    setAsking(false);
    button.current?.focus();
  };
  return (
    <li class="stored-row">
      <div class="stored-text">
        <p class="stored-name">{model.model}</p>
        <p class="soft">{describe(model, isUsed)}</p>
      </div>
      <button
        type="button"
        class="button"
        ref={button}
        aria-label={`Delete ${model.model}`}
        aria-expanded={asking}
        onClick={() => setAsking(!asking)}
      >
        Delete
      </button>
      {asking && <Confirmation model={model} isUsed={isUsed} onKeep={keep} onRemove={onRemove} />}
    </li>
  );
}

interface ConfirmationProps {
  model: StoredModel;
  isUsed: boolean;
  onKeep(): void;
  onRemove(): void;
}

/** Escape keeps the model, as the button that has the focus does. */
function Confirmation({ model, isUsed, onKeep, onRemove }: ConfirmationProps) {
  const keep = useRef<HTMLButtonElement>(null);
  // Before the next key comes, which may be a Tab to the other button.
  useLayoutEffect(() => keep.current?.focus(), []);
  const onKeyDown = (event: KeyboardEvent) => event.key === 'Escape' && onKeep();
  return (
    <fieldset class="confirmation" onKeyDown={onKeyDown}>
      <legend class="soft">
        Delete {formatBytes(model.sizeBytes)}? {isUsed && 'The model goes on working here until the page is closed. '}
        The files are downloaded again when the model is needed.
      </legend>
      <button type="button" class="button" ref={keep} onClick={onKeep}>
        Keep
      </button>
      <button type="button" class="button danger" onClick={onRemove}>
        Yes, delete
      </button>
    </fieldset>
  );
}

function describe({ sizeBytes, files, revision, lastUsedMs, complete }: StoredModel, isUsed: boolean): string {
  const parts = [formatBytes(sizeBytes), `${files} ${files === 1 ? 'file' : 'files'}`];
  if (revision !== null) parts.push(shorten(revision));
  if (!complete) parts.push('download not finished');
  else if (isUsed) parts.push('in use');
  else if (lastUsedMs !== null)
    parts.push(`used ${new Date(lastUsedMs).toLocaleDateString('en', { dateStyle: 'medium' })}`);
  return parts.join(' · ');
}

/** Commits are known by their first digits. */
function shorten(revision: string): string {
  return /^[0-9a-f]{40}$/.test(revision) ? revision.slice(0, 7) : revision;
}

function Usage({ usage, onPersist }: { usage: StorageUsage; onPersist(): void }) {
  const { modelsBytes, usedBytes, quotaBytes, persisted } = usage;
  return (
    <div class="storage-usage">
      <p>
        <strong>{formatBytes(modelsBytes)}</strong> of models.
        {usedBytes !== null && quotaBytes !== null && (
          <span class="soft">
            {' '}
            This site takes {formatBytes(usedBytes)} of the {formatBytes(quotaBytes)} that the browser allows.
          </span>
        )}
      </p>
      {persisted ? (
        <p class="soft">The browser promised to keep them.</p>
      ) : (
        <p class="soft">
          The browser may clear them when the disk is full.{' '}
          <button type="button" class="quiet" onClick={onPersist}>
            Ask it to keep them
          </button>
        </p>
      )}
    </div>
  );
}
