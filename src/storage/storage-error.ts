/** What can go wrong between a store and its disk. Never leaves the package: readers of files answer it. */

/** The store cannot take the file: `full` when there is no room, `unavailable` when it was taken away or is in use. */
export class StorageError extends Error {
  constructor(
    readonly reason: 'full' | 'unavailable',
    cause?: unknown,
  ) {
    super(cause instanceof Error ? cause.message : `The storage is ${reason}.`, { cause });
  }
}

/** What lies on the disk is not what was written there, or is gone. */
export class DamagedFileError extends Error {}

/** Runs an operation of the platform's storage and gives its failures a name. */
export async function storing<Result>(operation: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await operation();
  } catch (error) {
    if (error instanceof StorageError) throw error;
    throw new StorageError(hasName(error, 'QuotaExceededError') ? 'full' : 'unavailable', error);
  }
}

/** Whether something thrown is the platform's error of this name. */
export function hasName(error: unknown, name: string): boolean {
  return typeof error === 'object' && error !== null && 'name' in error && error.name === name;
}
