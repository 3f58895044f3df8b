/** What the browser keeps of models, read when the panel opens and again after every change. Needs no loaded model. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { createVecinity, type StorageUsage, type StoredModel, type Vecinity } from 'vecinity';
import { messageOf } from './failure.js';

export interface Stored {
  models: readonly StoredModel[];
  usage: StorageUsage;
}

export interface StorageHandle {
  /** Null until it has been read. */
  stored: Stored | null;
  /** What happened last, in words: a deletion, the browser's answer, a failure. Empty at first. */
  message: string;
  remove(model: StoredModel): Promise<void>;
  /** Asks the browser not to clear the site's storage by itself. */
  persist(): Promise<void>;
}

/** Reads while `open`, and again whenever `changed` is another value. */
export function useStorage(open: boolean, changed: unknown): StorageHandle {
  const [stored, setStored] = useState<Stored | null>(null);
  const [message, setMessage] = useState('');
  const client = useClient();

  const refresh = async () => setStored(await readStored(await client()));
  const attempt = async (work: () => Promise<string>) => {
    try {
      setMessage(await work());
      await refresh();
    } catch (error) {
      setMessage(messageOf(error));
    }
  };

  useEffect(() => {
    if (open) void attempt(async () => '');
    // The functions above are new at every call; only these two ask for another look.
  }, [open, changed]);

  return {
    stored,
    message,
    remove: ({ model, revision }) =>
      attempt(async () => {
        const { storage } = await client();
        const deleted = await storage.delete(model, revision ?? undefined);
        return deleted
          ? `${model} was deleted.`
          : `Nothing of ${model} was deleted: it is being downloaded, or is gone already.`;
      }),
    persist: () =>
      attempt(async () => {
        const granted = await (await client()).storage.persist();
        return granted ? 'The browser keeps the models.' : 'The browser declined; it may ask for more visits first.';
      }),
  };
}

/** A client without a model, from its first use until the page goes. */
function useClient(): () => Promise<Vecinity> {
  const client = useRef<Promise<Vecinity> | null>(null);
  useEffect(() => () => void client.current?.then((vecinity) => vecinity.dispose()), []);
  return () => {
    client.current ??= createVecinity({ model: null });
    return client.current;
  };
}

async function readStored({ storage }: Vecinity): Promise<Stored> {
  const [models, usage] = await Promise.all([storage.list(), storage.usage()]);
  return { models, usage };
}
