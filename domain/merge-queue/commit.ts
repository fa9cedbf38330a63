/** Commit objects as bytes: read and written by us, so that no version, setting or variable of git decides an id. */

export interface CommitObject {
  tree: string;
  parents: string[];
  /** `Name <mail> 1700000000 +0100`, verbatim. */
  author: string;
  committer: string;
  /** The `encoding` header; null = UTF-8. */
  encoding: string | null;
  /** Without trailing line ends. */
  message: string;
}

/** Who commits landings and fences: the one name that proofs accept. */
export const COMMITTER = 'Signalbox <signalbox@localhost>';

export const ourIdent = (seconds: number): string => `${COMMITTER} ${seconds} +0000`;

/** Whole seconds since the epoch of an ident line; 0 where it is broken. */
export function identSeconds(ident: string): number {
  const match = /> (-?\d{1,15})(?: [+-]\d{4})?$/.exec(ident);
  return match ? Number(match[1]) : 0;
}

/** Reads the raw text of a commit object. Signatures and unknown headers are dropped: a rewritten commit has none. */
export function parseCommit(raw: string): CommitObject {
  const end = raw.indexOf('\n\n');
  const head = end < 0 ? raw : raw.slice(0, end);
  const commit: CommitObject = {
    tree: '',
    parents: [],
    author: '',
    committer: '',
    encoding: null,
    message: normaliseMessage(end < 0 ? '' : raw.slice(end + 2)),
  };
  for (const line of head.split('\n')) {
    const space = line.indexOf(' ');
    const [key, value] = [line.slice(0, space), line.slice(space + 1)];
    if (key === 'tree') commit.tree = value;
    else if (key === 'parent') commit.parents.push(value);
    else if (key === 'author') commit.author = value;
    else if (key === 'committer') commit.committer = value;
    else if (key === 'encoding') commit.encoding = value;
  }
  return commit;
}

/** The text that `git hash-object -t commit` stores. */
export function formatCommit(commit: CommitObject): string {
  return [
    `tree ${commit.tree}`,
    ...commit.parents.map((p) => `parent ${p}`),
    `author ${commit.author}`,
    `committer ${commit.committer}`,
    ...(commit.encoding === null ? [] : [`encoding ${commit.encoding}`]),
    '',
    `${commit.message}\n`,
  ].join('\n');
}

export const normaliseMessage = (message: string): string => message.replace(/\n+$/, '');
