/** The origin's private file system in memory, as far as the store uses it: folders, files, synchronous handles, a quota. */

class FakeFile {
  bytes = new Uint8Array(0);
  locked = false;
}

class FakeFolder {
  readonly kind = 'directory';
  readonly entries = new Map<string, FakeFolder | FakeFile>();
  readonly #disk: FakeDisk;

  constructor(disk: FakeDisk) {
    this.#disk = disk;
  }

  async getDirectoryHandle(name: string, { create = false } = {}): Promise<FakeFolder> {
    const entry = this.entries.get(name);
    if (entry instanceof FakeFolder) return entry;
    if (!create) throw new DOMException(name, 'NotFoundError');
    const folder = new FakeFolder(this.#disk);
    this.entries.set(name, folder);
    return folder;
  }

  async getFileHandle(name: string, { create = false } = {}) {
    const found = this.entries.get(name);
    if (!found && !create) throw new DOMException(name, 'NotFoundError');
    const file = found instanceof FakeFile ? found : new FakeFile();
    this.entries.set(name, file);
    return {
      getFile: async () => new File([file.bytes.slice()], name),
      createSyncAccessHandle: async () => openHandle(file, this.#disk),
    };
  }

  async removeEntry(name: string): Promise<void> {
    const entry = this.entries.get(name);
    if (!entry) throw new DOMException(name, 'NotFoundError');
    const files = entry instanceof FakeFolder ? [...entry.entries.values()] : [entry];
    if (files.some((file) => file instanceof FakeFile && file.locked)) {
      throw new DOMException(name, 'NoModificationAllowedError');
    }
    this.entries.delete(name);
  }

  async *values(): AsyncGenerator<FakeFolder> {
    for (const entry of this.entries.values()) if (entry instanceof FakeFolder) yield entry;
  }
}

export interface FakeDisk {
  /** Give it to `vi.stubGlobal('navigator', …)` as `storage`. */
  storage: StorageManager;
  quotaBytes: number;
  /** Content of each file called `name`, in all folders. */
  find(name: string): { bytes: Uint8Array<ArrayBuffer>; locked: boolean }[];
  clear(): void;
}

/** An empty disk. */
export function createFakeDisk(): FakeDisk {
  const disk: FakeDisk = {
    quotaBytes: Number.POSITIVE_INFINITY,
    find: (name) => filesOf(root).flatMap(([path, file]) => (path === name ? [file] : [])),
    clear: () => root.entries.clear(),
    // Only what the store uses is there.
    storage: {
      getDirectory: async () => root,
      estimate: async () => ({ quota: disk.quotaBytes, usage: usageOf(root) }),
    } as unknown as StorageManager,
  };
  const root = new FakeFolder(disk);
  usages.set(disk, () => usageOf(root));
  return disk;
}

const usages = new WeakMap<FakeDisk, () => number>();

function filesOf(folder: FakeFolder): [string, FakeFile][] {
  return [...folder.entries].flatMap(([name, entry]): [string, FakeFile][] =>
    entry instanceof FakeFolder ? filesOf(entry) : [[name, entry]],
  );
}

function usageOf(root: FakeFolder): number {
  return filesOf(root).reduce((sum, [, { bytes }]) => sum + bytes.length, 0);
}

function openHandle(file: FakeFile, disk: FakeDisk) {
  if (file.locked) throw new DOMException('in use', 'NoModificationAllowedError');
  file.locked = true;
  return {
    read: (buffer: Uint8Array, { at }: { at: number }) => {
      const piece = file.bytes.subarray(at, at + buffer.length);
      buffer.set(piece);
      return piece.length;
    },
    write: (buffer: Uint8Array, { at }: { at: number }) => {
      const grown = Math.max(file.bytes.length, at + buffer.length);
      const used = usages.get(disk)?.() ?? 0;
      if (used + grown - file.bytes.length > disk.quotaBytes) throw new DOMException('full', 'QuotaExceededError');
      const bytes = new Uint8Array(grown);
      bytes.set(file.bytes);
      bytes.set(buffer, at);
      file.bytes = bytes;
      return buffer.length;
    },
    truncate: (sizeBytes: number) => {
      file.bytes = file.bytes.slice(0, sizeBytes);
    },
    getSize: () => file.bytes.length,
    flush: () => {},
    close: () => {
      file.locked = false;
    },
  };
}
