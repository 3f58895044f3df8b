/** Why a file could not be read or written, in words instead of the system's codes. */
import { wordsOf } from '../errors.js';

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is no folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
};

/** The words for the system's code; the code itself, or what was thrown, where there are none. */
export function fileReason(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : null;
  return code === null ? wordsOf(thrown) : (reasons[code] ?? code);
}
