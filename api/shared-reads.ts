import type { GitReader } from './deps.js';

/** Reads of base that are asked for while the same read is under way share it: a hundred submissions, one fetch. */
export function sharedReads(reader: GitReader): GitReader {
  const underWay = new Map<string, Promise<Buffer | null>>();
  return {
    ...reader,
    baseFile: (repo, path) => {
      const key = `${repo.id} ${path}`;
      const joined = underWay.get(key);
      if (joined !== undefined) return joined;
      const read = reader.baseFile(repo, path).finally(() => underWay.delete(key));
      underWay.set(key, read);
      return read;
    },
  };
}
