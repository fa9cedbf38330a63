/** JSON bodies: an object, not too deep, without prototype keys. Fastify's own parser refuses `__proto__`. */
import type { FastifyInstance } from 'fastify';
import { SignalboxError } from '../domain/errors.js';

/** Deeper than anything the API takes; recursion over a body stays bounded. */
const MAX_DEPTH = 32;

/** Nesting of brackets outside of strings, without parsing. */
export function jsonDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (inString) {
      if (c === '\\') i++;
      else if (c === '"') inString = false;
    } else if (c === '"') inString = true;
    else if (c === '{' || c === '[') deepest = Math.max(deepest, ++depth);
    else if (c === '}' || c === ']') depth--;
  }
  return deepest;
}

/** Takes `application/json` only; everything else has no parser and is refused (errors.ts). */
export function useStrictJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    const text = body as string;
    // DELETE and the actions without arguments may come with the header and no body.
    if (text === '') {
      done(null, undefined);
      return;
    }
    if (jsonDepth(text) > MAX_DEPTH) {
      done(new SignalboxError('invalid-request', `the body is nested deeper than ${MAX_DEPTH} levels`));
      return;
    }
    return parse(request, text, done);
  });
}
