/** Ids derived from content. Pure: the same parts give the same id on every host and in every replay. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

/** First 128 bits of SHA-256 over the parts, length-prefixed so that no two lists of parts collide; hex. */
export function contentId(...parts: (string | number | null)[]): string {
  const text = parts.map((p) => (p === null ? '-' : `${String(p).length}:${p}`)).join(',');
  return bytesToHex(sha256(utf8ToBytes(text))).slice(0, 32);
}
