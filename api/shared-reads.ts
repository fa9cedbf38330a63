import type { GitReader } from './deps.js';

/** Reads that are asked for while the same read is under way share it: a hundred submissions, one fetch. */
export function sharedReads(reader: GitReader): GitReader {
  const files = shared<Buffer | null>();
  const histories = shared<Awaited<ReturnType<GitReader['history']>>>();
  return {
    ...reader,
    baseFile: (repo, path) => files(`${repo.id} ${path}`, () => reader.baseFile(repo, path)),
    history: (repo, request) =>
      histories(JSON.stringify([repo.id, repo.adoptedAt, request]), () => reader.history(repo, request)),
  };
}

function shared<T>(): (key: string, read: () => Promise<T>) => Promise<T> {
  const underWay = new Map<string, Promise<T>>();
  return (key, read) => {
    const joined = underWay.get(key);
    if (joined !== undefined) return joined;
    const started = read().finally(() => underWay.delete(key));
    underWay.set(key, started);
    return started;
  };
}
